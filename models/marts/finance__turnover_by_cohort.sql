MODEL (
  name marts.finance__turnover_by_cohort,
  kind VIEW,
  owner finance,
  grain (freelancer_sk, entity, month),
  references freelancer_sk,
  description 'One row per freelancer, entity that ever employed them, and month from their first contract there to the as-of month.',
  column_descriptions (
    freelancer_sk = 'The freelancer.',
    last_name = 'Last name of the freelancer.',
    first_name = 'First name of the freelancer.',
    cohort_month = 'First day of the month in which the freelancer''s very first contract started.',
    entity = 'The Jump company that employs, blue or green.',
    month = 'First day of the month.',
    turnover = 'What the freelancer invoiced in the month under contracts of the entity, in euros.'
  ),
  audits (
    same_rows_and_total(
      here := marts.finance__turnover_by_cohort,
      here_column := turnover,
      there := intermediate.turnover_by_entity_month,
      there_column := turnover
    )
  )
);

SELECT
  turnover.freelancer_sk::UUID AS freelancer_sk,
  freelancers.last_name::TEXT AS last_name,
  freelancers.first_name::TEXT AS first_name,
  turnover.cohort_month::DATE AS cohort_month,
  turnover.entity::TEXT AS entity,
  turnover.month::DATE AS month,
  turnover.turnover::DECIMAL(18, 2) AS turnover
FROM intermediate.turnover_by_entity_month AS turnover
INNER JOIN intermediate.freelancers AS freelancers
  ON turnover.freelancer_sk = freelancers.sk
