MODEL (
  name intermediate.freelancers,
  kind FULL,
  owner data,
  grain sk,
  tags (
    'anonymous:sk'
  ),
  description 'One row per person who signed up in the application, however many accounts they have.',
  column_descriptions (
    sk = 'Surrogate key of the person.',
    last_name = 'Last name, as spelled in the account with the smallest identifier.',
    first_name = 'First name, as spelled in that account.',
    email = 'E-mail address.',
    satisfaction_score = 'The score that the CRM shows now, null without one.'
  ),
  audits (
    primary_key(key_columns := sk),
    crm_knows_freelancers,
    no_look_alikes(name_columns := (last_name, first_name, email))
  )
);

WITH accounts AS (
  SELECT
    @person_key(last_name, first_name, email) AS sk,
    id,
    last_name,
    first_name,
    email
  FROM staging.app__users
), people AS (
  SELECT
    sk,
    ARG_MIN(last_name, id) AS last_name,
    ARG_MIN(first_name, id) AS first_name,
    email
  FROM accounts
  GROUP BY
    sk,
    email
)
SELECT
  people.sk::UUID AS sk,
  people.last_name::TEXT AS last_name,
  people.first_name::TEXT AS first_name,
  people.email::TEXT AS email,
  customers.satisfaction_score::INT AS satisfaction_score
FROM people
LEFT JOIN intermediate.customers AS customers
  ON people.sk = customers.sk
