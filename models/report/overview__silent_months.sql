MODEL (
  name report.overview__silent_months,
  kind VIEW,
  owner finance,
  grain month,
  description 'Months in which nothing was invoiced, since the first invoice.',
  column_descriptions (
    month = 'First day of the month.'
  ),
  audits (
    primary_key(key_columns := month)
  )
);

SELECT
  issue_month_date::DATE AS month
FROM marts.kpi__monthly_turnover
WHERE
  amount = 0
