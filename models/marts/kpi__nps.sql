MODEL (
  name marts.kpi__nps,
  kind VIEW,
  owner care,
  grain respondents,
  tags (
    'anonymous:nps',
    'anonymous:promoters',
    'anonymous:passives',
    'anonymous:detractors',
    'anonymous:respondents'
  ),
  description 'One row: the net promoter score over the freelancers with a score, as the CRM shows them now.',
  column_descriptions (
    nps = 'Net promoter score, -100 to 100, null without respondents.',
    promoters = 'Freelancers with a score of 9 or 10.',
    passives = 'Freelancers with a score of 7 or 8.',
    detractors = 'Freelancers with a score of 0 to 6.',
    respondents = 'Freelancers with a score.'
  ),
  audits (
    has_one_row,
    forall(
      criteria := (promoters + passives + detractors = respondents, nps BETWEEN -100 AND 100)
    )
  )
);

WITH counts AS (
  SELECT
    @count_promoters(satisfaction_score) AS promoters,
    @count_passives(satisfaction_score) AS passives,
    @count_detractors(satisfaction_score) AS detractors,
    COUNT(satisfaction_score) AS respondents
  FROM intermediate.freelancers
)
SELECT
  @net_promoter_score(promoters, detractors, respondents)::DECIMAL(5, 2) AS nps,
  promoters::BIGINT AS promoters,
  passives::BIGINT AS passives,
  detractors::BIGINT AS detractors,
  respondents::BIGINT AS respondents
FROM counts
