MODEL (
  name intermediate.as_of,
  kind FULL,
  owner data,
  grain as_of_date,
  description 'One row: the last complete day that the loaded data covers, never the wall clock.',
  column_descriptions (
    as_of_date = 'Last complete day that the data covers.',
    as_of_month = 'First day of its month.'
  ),
  audits (
    has_one_row
  )
);

WITH loads AS (
  SELECT
    as_of,
    ROW_NUMBER() OVER (ORDER BY load_number DESC) AS latest
  FROM sources.platform__extracts
)
SELECT
  as_of::DATE AS as_of_date,
  DATE_TRUNC('MONTH', as_of)::DATE AS as_of_month
FROM loads
WHERE
  latest = 1
