MODEL (
  name marts.kpi__nps_monthly,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month
  ),
  owner care,
  grain month,
  tags (
    'by_month',
    'any_month_of:sources.app__users', /* who signs up brings older entries of the CRM along */
    'anonymous:nps',
    'anonymous:promoters',
    'anonymous:passives',
    'anonymous:detractors',
    'anonymous:respondents'
  ),
  description 'One row per month from the first score to the as-of month: the net promoter score at the end of its last day.',
  column_descriptions (
    month = 'First day of the month.',
    nps = 'Net promoter score, -100 to 100, null without respondents.',
    promoters = 'Freelancers whose score in force was 9 or 10.',
    passives = 'Freelancers whose score in force was 7 or 8.',
    detractors = 'Freelancers whose score in force was 0 to 6.',
    respondents = 'Freelancers with a score in force.'
  ),
  audits (
    months_are_complete(here := marts.kpi__nps_monthly, month_column := month),
    forall(
      criteria := (promoters + passives + detractors = respondents, nps BETWEEN -100 AND 100)
    )
  ),
  depends_on (
    intermediate.as_of
  )
);

WITH first_score AS (
  SELECT
    DATE_TRUNC('MONTH', MIN(valid_from))::DATE AS month
  FROM intermediate.satisfaction_scores
), counts AS (
  SELECT
    months.month,
    @count_promoters(scores.satisfaction_score) AS promoters,
    @count_passives(scores.satisfaction_score) AS passives,
    @count_detractors(scores.satisfaction_score) AS detractors,
    COUNT(scores.satisfaction_score) AS respondents
  FROM intermediate.months AS months
  INNER JOIN first_score
    ON months.month >= first_score.month
  LEFT JOIN intermediate.satisfaction_scores AS scores
    ON scores.valid_from <= months.last_day
    AND months.last_day < COALESCE(scores.valid_to, '9999-12-31'::DATE)
  WHERE
    months.month BETWEEN @start_ds::DATE AND @end_ds::DATE
  GROUP BY
    months.month
)
SELECT
  month::DATE AS month,
  @net_promoter_score(promoters, detractors, respondents)::DECIMAL(5, 2) AS nps,
  promoters::BIGINT AS promoters,
  passives::BIGINT AS passives,
  detractors::BIGINT AS detractors,
  respondents::BIGINT AS respondents
FROM counts
