MODEL (
  name marts.kpi__monthly_turnover,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column issue_month_date
  ),
  owner finance,
  grain issue_month_date,
  tags by_month,
  description 'One row per month from the first invoice to the as-of month, also where nothing was invoiced.',
  column_descriptions (
    issue_month_date = 'First day of the month.',
    amount = 'What all freelancers invoiced in the month, in euros.'
  ),
  audits (
    months_are_complete(here := marts.kpi__monthly_turnover, month_column := issue_month_date),
    totals_agree(
      here := marts.kpi__monthly_turnover,
      here_column := amount,
      there := intermediate.invoices,
      there_column := amount
    )
  ),
  depends_on (
    intermediate.as_of
  )
);

WITH turnover AS (
  SELECT
    DATE_TRUNC('MONTH', issue_date)::DATE AS month,
    SUM(amount) AS amount
  FROM intermediate.invoices
  WHERE
    issue_date BETWEEN @start_ds::DATE AND LAST_DAY(@end_ds::DATE)
  GROUP BY
    DATE_TRUNC('MONTH', issue_date)::DATE
), first_invoice AS (
  SELECT
    DATE_TRUNC('MONTH', MIN(issue_date))::DATE AS month
  FROM intermediate.invoices
)
SELECT
  months.month::DATE AS issue_month_date,
  COALESCE(turnover.amount, 0)::DECIMAL(18, 2) AS amount
FROM intermediate.months AS months
INNER JOIN first_invoice
  ON months.month >= first_invoice.month
LEFT JOIN turnover
  ON months.month = turnover.month
WHERE
  months.month BETWEEN @start_ds::DATE AND @end_ds::DATE
