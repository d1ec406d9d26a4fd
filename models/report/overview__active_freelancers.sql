MODEL (
  name report.overview__active_freelancers,
  kind VIEW,
  owner care,
  grain (month, entity),
  description 'Freelancers under contract at the end of each month, and who came and went.',
  column_descriptions (
    month = 'First day of the month.',
    entity = 'The Jump company that employs.',
    active = 'Freelancers under contract at its end.',
    joined = 'Contracts that started in it.',
    left_jump = 'Contracts that ended in it.'
  ),
  audits (
    same_number_of_rows(other := marts.kpi__active_freelancers)
  )
);

SELECT
  month::DATE AS month,
  entity::TEXT AS entity,
  active::BIGINT AS active,
  joined::BIGINT AS joined,
  left_jump::BIGINT AS left_jump
FROM marts.kpi__active_freelancers
