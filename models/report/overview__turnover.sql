MODEL (
  name report.overview__turnover,
  kind VIEW,
  owner finance,
  grain month,
  description 'Turnover by month, beside the same month a year before.',
  column_descriptions (
    month = 'First day of the month.',
    amount = 'What was invoiced in the month, in euros.',
    amount_year_before = 'The same a year before, null in the first year.',
    change_percent = 'By how much more, in percent of the year before; null where nothing was invoiced then.'
  ),
  audits (
    same_number_of_rows(other := marts.kpi__monthly_turnover)
  )
);

SELECT
  this_year.issue_month_date::DATE AS month,
  this_year.amount::DECIMAL(18, 2) AS amount,
  year_before.amount::DECIMAL(18, 2) AS amount_year_before,
  CASE
    WHEN year_before.amount > 0
    THEN ROUND(100 * (
      this_year.amount - year_before.amount
    ) / year_before.amount, 1)
  END::DECIMAL(18, 1) AS change_percent
FROM marts.kpi__monthly_turnover AS this_year
LEFT JOIN marts.kpi__monthly_turnover AS year_before
  ON year_before.issue_month_date = (
    this_year.issue_month_date - INTERVAL '12' MONTH
  )::DATE
