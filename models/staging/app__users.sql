MODEL (
  name staging.app__users,
  kind VIEW,
  owner data,
  grain id,
  description 'One row per account in the application, cleaned, without internal test accounts.',
  column_descriptions (
    id = 'Identifier of the account.',
    last_name = 'Last name, without stray white space.',
    first_name = 'First name, without stray white space.',
    email = 'E-mail address, trimmed and lower-cased.'
  ),
  audits (
    primary_key(key_columns := id)
  )
);

WITH cleaned AS (
  SELECT
    id,
    @clean_name(last_name) AS last_name,
    @clean_name(first_name) AS first_name,
    @clean_email(email) AS email
  FROM sources.app__users
)
SELECT
  id::TEXT AS id,
  last_name::TEXT AS last_name,
  first_name::TEXT AS first_name,
  email::TEXT AS email
FROM cleaned
WHERE
  NOT @is_test_account(email)
