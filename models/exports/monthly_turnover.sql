MODEL (
  name exports.monthly_turnover,
  kind VIEW,
  owner finance,
  grain "Month",
  tags 'control_total:Turnover (in €)',
  description 'For finance. One row per month since the first invoice.',
  column_descriptions (
    "Month" = 'Month, like 2022/04.',
    "Turnover (in €)" = 'What all freelancers invoiced in the month, like 34,15.'
  ),
  audits (
    same_number_of_rows(other := marts.kpi__monthly_turnover)
  )
);

SELECT
  STRFTIME(issue_month_date, '%Y/%m')::TEXT AS "Month",
  @euros(amount)::TEXT AS "Turnover (in €)"
FROM marts.kpi__monthly_turnover
