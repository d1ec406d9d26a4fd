MODEL (
  name report.finance__cohorts,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month
  ),
  owner finance,
  grain (cohort, month),
  depends_on (
    intermediate.invoices
  ),
  tags by_month,
  description 'Turnover by month of freelancers by the quarter of their first contract.',
  column_descriptions (
    cohort = 'First day of the quarter of the first contract.',
    month = 'First day of the month.',
    turnover = 'What these freelancers invoiced in the month, in euros.'
  ),
  audits (
    primary_key(key_columns := (cohort, month)),
    totals_agree(
      here := report.finance__cohorts,
      here_column := turnover,
      there := intermediate.invoices,
      there_column := amount
    )
  )
);

SELECT
  DATE_TRUNC('QUARTER', cohort_month)::DATE AS cohort,
  month::DATE AS month,
  SUM(turnover)::DECIMAL(18, 2) AS turnover
FROM marts.finance__turnover_by_cohort
WHERE
  month BETWEEN @start_ds::DATE AND @end_ds::DATE
GROUP BY
  DATE_TRUNC('QUARTER', cohort_month),
  month
