MODEL (
  name staging.crm__customers,
  kind VIEW,
  owner data,
  grain (last_name, first_name, email),
  tags (
    'grain_audited_by:intermediate.customers'
  ),
  description 'One row per person in the CRM, cleaned: the newest entry of each, without internal test accounts.',
  column_descriptions (
    last_name = 'Last name, without stray white space.',
    first_name = 'First name, without stray white space.',
    email = 'E-mail address, trimmed and lower-cased.',
    satisfaction_score = 'Would you recommend Jump, 0 to 10, null without an answer yet.',
    updated_at = 'Date of the last change of the entry.'
  ),
  audits (
    scores_in_range(here := sources.crm__customers)
  )
);

WITH cleaned AS (
  SELECT
    @clean_name(last_name) AS last_name,
    @clean_name(first_name) AS first_name,
    @clean_email(email) AS email,
    satisfaction_score,
    updated_at
  FROM sources.crm__customers
), ranked AS (
  SELECT
    last_name,
    first_name,
    email,
    satisfaction_score,
    updated_at,
    ROW_NUMBER() OVER (
      PARTITION BY @compared_name(last_name), @compared_name(first_name), email
      ORDER BY updated_at DESC, satisfaction_score DESC, last_name /* two spellings of one entry: any, but always the same */, first_name
    ) AS newest
  FROM cleaned
  WHERE
    NOT @is_test_account(email)
)
SELECT
  last_name::TEXT AS last_name,
  first_name::TEXT AS first_name,
  email::TEXT AS email,
  satisfaction_score::INT AS satisfaction_score,
  updated_at::DATE AS updated_at
FROM ranked
WHERE
  newest = 1
