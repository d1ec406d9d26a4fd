MODEL (
  name report.overview__active_freelancers,
  kind VIEW,
  owner care,
  grain (month, entity),
  description 'Freelancers under contract at the end of each month.',
  column_descriptions (
    month = 'First day of the month.',
    entity = 'The Jump company that employs.',
    active = 'Freelancers under contract at its end.'
  ),
  audits (
    same_number_of_rows(other := marts.kpi__active_freelancers)
  )
);

SELECT
  month::DATE AS month,
  entity::TEXT AS entity,
  active::BIGINT AS active
FROM marts.kpi__active_freelancers
