MODEL (
  name intermediate.customers,
  kind FULL,
  owner sales,
  grain sk,
  tags (
    'anonymous:sk'
  ),
  description 'One row per person in the CRM, by the key that the freelancers have.',
  column_descriptions (
    sk = 'Surrogate key of the person.',
    last_name = 'Last name.',
    first_name = 'First name.',
    email = 'E-mail address.',
    satisfaction_score = 'Would you recommend Jump, 0 to 10, null without an answer yet.',
    updated_at = 'Date of the last change of the entry.'
  ),
  audits (
    primary_key(key_columns := sk)
  )
);

SELECT
  @person_key(last_name, first_name, email)::UUID AS sk,
  last_name::TEXT AS last_name,
  first_name::TEXT AS first_name,
  email::TEXT AS email,
  satisfaction_score::INT AS satisfaction_score,
  updated_at::DATE AS updated_at
FROM staging.crm__customers
