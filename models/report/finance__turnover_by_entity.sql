MODEL (
  name report.finance__turnover_by_entity,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month
  ),
  owner finance,
  grain (month, entity),
  depends_on (
    intermediate.invoices
  ),
  tags by_month,
  description 'Turnover by month and by the Jump company that employs.',
  column_descriptions (
    month = 'First day of the month.',
    entity = 'The Jump company that employs.',
    turnover = 'What its freelancers invoiced in the month, in euros.'
  ),
  audits (
    primary_key(key_columns := (month, entity)),
    totals_agree(
      here := report.finance__turnover_by_entity,
      here_column := turnover,
      there := intermediate.invoices,
      there_column := amount
    )
  )
);

SELECT
  month::DATE AS month,
  entity::TEXT AS entity,
  SUM(turnover)::DECIMAL(18, 2) AS turnover
FROM marts.finance__turnover_by_cohort
WHERE
  month BETWEEN @start_ds::DATE AND @end_ds::DATE
GROUP BY
  month,
  entity
