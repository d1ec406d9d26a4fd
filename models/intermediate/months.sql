MODEL (
  name intermediate.months,
  kind FULL,
  owner data,
  grain month,
  description 'One row per calendar month from the first that any contract, invoice or score falls in to the as-of month.',
  column_descriptions (
    month = 'First day of the month.',
    last_day = 'Last day of the month that the data covers: the as-of day for the as-of month.'
  ),
  audits (
    not_null(columns := (month, last_day)),
    values_are_unique(key_column := month),
    months_have_no_gaps(month_column := month)
  )
);

WITH firsts AS (
  SELECT
    MIN(start_date) AS day
  FROM intermediate.job_contracts
  UNION ALL
  SELECT
    MIN(issue_date) AS day
  FROM intermediate.invoices
  UNION ALL
  SELECT
    MIN(valid_from) AS day
  FROM intermediate.satisfaction_scores
), bounds AS (
  SELECT
    DATE_TRUNC('MONTH', MIN(firsts.day))::DATE AS first_month,
    MAX(as_of.as_of_month) AS last_month,
    MAX(as_of.as_of_date) AS as_of_date
  FROM firsts
  CROSS JOIN intermediate.as_of AS as_of
), spine AS (
  SELECT
    UNNEST(GENERATE_SERIES(first_month, last_month, INTERVAL '1' MONTH)) AS month,
    as_of_date
  FROM bounds
)
SELECT
  month::DATE AS month,
  LEAST((
    month::DATE + INTERVAL '1' MONTH
  )::DATE - 1, as_of_date)::DATE AS last_day
FROM spine
