MODEL (
  name report.overview__nps,
  kind VIEW,
  owner care,
  grain month,
  description 'The net promoter score at the end of each month, and on how many answers it rests.',
  column_descriptions (
    month = 'First day of the month.',
    nps = 'Promoters less detractors in percent of the respondents; null without any.',
    respondents = 'How many scores were in force.'
  ),
  audits (
    same_number_of_rows(other := marts.kpi__nps_monthly)
  )
);

SELECT
  month::DATE AS month,
  nps::DECIMAL(5, 2) AS nps,
  respondents::BIGINT AS respondents
FROM marts.kpi__nps_monthly
