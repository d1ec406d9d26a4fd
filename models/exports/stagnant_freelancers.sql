MODEL (
  name exports.stagnant_freelancers,
  kind VIEW,
  owner care,
  grain ("Freelancer Last Name", "Freelancer First Name", "Job Contract Start Date"),
  tags ('personal:Freelancer Last Name', 'personal:Freelancer First Name'),
  description 'For the care team. One row per open contract without an invoice in the last three complete months.',
  column_descriptions (
    "Freelancer Last Name" = 'Last name of the freelancer.',
    "Freelancer First Name" = 'First name of the freelancer.',
    "Entity" = 'The Jump company that employs, blue or green.',
    "Job Contract Start Date" = 'First day under contract, like 2022/02/01.',
    "Last Invoice Date" = 'Day of the last invoice under the contract, empty where there never was one.',
    "Cumulative Turnover (in €)" = 'What was invoiced under the contract, like 34,15.'
  ),
  audits (
    same_number_of_rows(other := marts.care__stagnant_freelancers)
  )
);

SELECT
  last_name::TEXT AS "Freelancer Last Name",
  first_name::TEXT AS "Freelancer First Name",
  entity::TEXT AS "Entity",
  STRFTIME(contract_start_date, '%Y/%m/%d')::TEXT AS "Job Contract Start Date",
  STRFTIME(last_invoice_date, '%Y/%m/%d')::TEXT AS "Last Invoice Date",
  @euros(cumulative_turnover)::TEXT AS "Cumulative Turnover (in €)"
FROM marts.care__stagnant_freelancers
