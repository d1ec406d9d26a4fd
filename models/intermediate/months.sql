MODEL (
  name intermediate.months,
  kind VIEW,
  owner data,
  grain month,
  description 'One row per calendar month from the company''s first to the as-of month: the spine of every monthly report.',
  column_descriptions (
    month = 'First day of the month.',
    last_day = 'Last day of the month that the data covers: the as-of day for the as-of month.'
  ),
  audits (
    months_are_complete(here := intermediate.months, month_column := month)
  )
);

WITH spine AS (
  SELECT
    UNNEST(GENERATE_SERIES(@VAR('first_day')::DATE, as_of_month, INTERVAL '1' MONTH)) AS month,
    as_of_date
  FROM intermediate.as_of
)
SELECT
  month::DATE AS month,
  LEAST(LAST_DAY(month::DATE), as_of_date)::DATE AS last_day
FROM spine
