MODEL (
  name marts.kpi__monthly_turnover,
  kind FULL,
  owner finance,
  grain issue_month_date,
  description 'One row per month from the first invoice to the as-of month, also where nothing was invoiced.',
  column_descriptions (
    issue_month_date = 'First day of the month.',
    amount = 'What all freelancers invoiced in the month, in euros.'
  ),
  audits (
    not_null(columns := (issue_month_date, amount)),
    values_are_unique(key_column := issue_month_date),
    months_have_no_gaps(month_column := issue_month_date),
    months_reach_the_as_of_month(month_column := issue_month_date),
    same_total(total_column := amount, other := intermediate.invoices, other_column := amount)
  ),
  depends_on (intermediate.invoices, intermediate.as_of)
);

WITH turnover AS (
  SELECT
    month,
    SUM(turnover) AS amount
  FROM intermediate.turnover_by_contract_month
  GROUP BY
    month
), first_invoice AS (
  SELECT
    MIN(month) AS month
  FROM turnover
)
SELECT
  months.month::DATE AS issue_month_date,
  COALESCE(turnover.amount, 0)::DECIMAL(18, 2) AS amount
FROM intermediate.months AS months
INNER JOIN first_invoice
  ON months.month >= first_invoice.month
LEFT JOIN turnover
  ON months.month = turnover.month
