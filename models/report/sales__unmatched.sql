MODEL (
  name report.sales__unmatched,
  kind VIEW,
  owner sales,
  grain person_sk,
  tags ('personal:last_name', 'personal:first_name', 'personal:email'),
  description 'Who is known on one side alone, the likely mistakes first.',
  column_descriptions (
    person_sk = 'The person.',
    side = 'Where: freelancers, of the application, or crm.',
    match = 'What the other side has: other name at the address, other address of the name, nobody.',
    last_name = 'Last name.',
    first_name = 'First name.',
    email = 'E-mail address.',
    updated_at = 'Date of the last change of the entry in the CRM.'
  ),
  audits (
    primary_key(key_columns := person_sk)
  )
);

SELECT
  person_sk::UUID AS person_sk,
  CASE WHEN is_freelancer THEN 'freelancers' ELSE 'crm' END::TEXT AS side,
  match::TEXT AS match,
  last_name::TEXT AS last_name,
  first_name::TEXT AS first_name,
  email::TEXT AS email,
  updated_at::DATE AS updated_at
FROM marts.sales__crm_matches
WHERE
  match <> 'both'
