MODEL (
  name exports.cumulative_turnover,
  kind VIEW,
  owner care,
  grain (
    "Freelancer Last Name",
    "Freelancer First Name",
    "Job Contract Start Date",
    "Month"
  ),
  tags (
    'control_total:Turnover of the Month (in €)',
    'personal:Freelancer Last Name',
    'personal:Freelancer First Name'
  ),
  description 'For the care team. One row per contract and month under contract.',
  column_descriptions (
    "Freelancer Last Name" = 'Last name of the freelancer.',
    "Freelancer First Name" = 'First name of the freelancer.',
    "Job Contract Start Date" = 'First day under contract, like 2022/02/01.',
    "Job Contract End Date" = 'Last day under contract, empty while the contract is open.',
    "Entity" = 'The Jump company that employs, blue or green.',
    "Month" = 'Month, like 2022/04.',
    "Turnover (in €)" = 'What was invoiced under the contract up to the end of the month.',
    "Turnover of the Month (in €)" = 'What was invoiced under the contract in the month.'
  ),
  audits (
    same_number_of_rows(other := marts.care__cumulative_turnover)
  )
);

SELECT
  last_name::TEXT AS "Freelancer Last Name",
  first_name::TEXT AS "Freelancer First Name",
  STRFTIME(contract_start_date, '%Y/%m/%d')::TEXT AS "Job Contract Start Date",
  STRFTIME(contract_end_date, '%Y/%m/%d')::TEXT AS "Job Contract End Date",
  entity::TEXT AS "Entity",
  STRFTIME(month, '%Y/%m')::TEXT AS "Month",
  @euros(cumulative_turnover)::TEXT AS "Turnover (in €)",
  @euros(turnover)::TEXT AS "Turnover of the Month (in €)"
FROM marts.care__cumulative_turnover
