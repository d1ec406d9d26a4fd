MODEL (
  name report.overview__joined_and_left,
  kind VIEW,
  owner care,
  grain (month, entity),
  description 'How many contracts began and ended in each month.',
  column_descriptions (
    month = 'First day of the month.',
    entity = 'The Jump company that employs.',
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
  joined::BIGINT AS joined,
  left_jump::BIGINT AS left_jump
FROM marts.kpi__active_freelancers
