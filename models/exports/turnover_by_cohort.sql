MODEL (
  name exports.turnover_by_cohort,
  kind VIEW,
  owner finance,
  grain ("Freelancer Last Name", "Freelancer First Name", "Entity", "Month"),
  tags (
    'control_total:Turnover (in €)',
    'personal:Freelancer Last Name',
    'personal:Freelancer First Name'
  ),
  description 'For the auditor. One row per freelancer, entity and month since the first contract there.',
  column_descriptions (
    "Freelancer Last Name" = 'Last name of the freelancer.',
    "Freelancer First Name" = 'First name of the freelancer.',
    "Cohort" = 'Month of the freelancer''s first contract, like 2022/04.',
    "Entity" = 'The Jump company that employs, blue or green.',
    "Month" = 'Month, like 2022/04.',
    "Turnover (in €)" = 'What was invoiced in the month, like 34,15; 0,00 without activity.'
  ),
  audits (
    same_number_of_rows(other := marts.finance__turnover_by_cohort)
  )
);

SELECT
  last_name::TEXT AS "Freelancer Last Name",
  first_name::TEXT AS "Freelancer First Name",
  STRFTIME(cohort_month, '%Y/%m')::TEXT AS "Cohort",
  entity::TEXT AS "Entity",
  STRFTIME(month, '%Y/%m')::TEXT AS "Month",
  @euros(turnover)::TEXT AS "Turnover (in €)"
FROM marts.finance__turnover_by_cohort
