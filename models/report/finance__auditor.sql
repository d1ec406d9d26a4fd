MODEL (
  name report.finance__auditor,
  kind VIEW,
  owner finance,
  grain (freelancer_sk, entity, month),
  tags ('personal:last_name', 'personal:first_name'),
  description 'What the auditor asked for: turnover by freelancer, cohort, entity and month.',
  column_descriptions (
    freelancer_sk = 'The freelancer.',
    last_name = 'Last name.',
    first_name = 'First name.',
    cohort = 'First day of the month of the first contract.',
    entity = 'The Jump company that employs.',
    month = 'First day of the month.',
    turnover = 'What was invoiced in it, in euros.'
  ),
  audits (
    same_number_of_rows(other := marts.finance__turnover_by_cohort)
  )
);

SELECT
  freelancer_sk::UUID AS freelancer_sk,
  last_name::TEXT AS last_name,
  first_name::TEXT AS first_name,
  cohort_month::DATE AS cohort,
  entity::TEXT AS entity,
  month::DATE AS month,
  turnover::DECIMAL(18, 2) AS turnover
FROM marts.finance__turnover_by_cohort
