MODEL (
  name marts.sales__crm_matches,
  kind FULL,
  owner sales,
  grain person_sk,
  tags 'anonymous:match',
  description 'One row per person whom the application or the CRM knows: do the two mean the same one?',
  column_descriptions (
    person_sk = 'Surrogate key of the person, by name and address.',
    last_name = 'Last name, as the application spells it, else as the CRM does.',
    first_name = 'First name, likewise.',
    email = 'E-mail address.',
    is_freelancer = 'Whether the application has an account of this person.',
    is_in_crm = 'Whether the CRM has an entry of this person.',
    match = 'both; otherwise what the other side has: other name at this address, other address of this name, nobody.',
    updated_at = 'Date of the last change of the entry in the CRM, null without one.'
  ),
  audits (
    primary_key(key_columns := person_sk),
    accepted_values("column" := match, is_in := ('both', 'other name', 'other address', 'nobody')),
    forall(
      criteria := (
        is_freelancer OR is_in_crm,
        (
          match = 'both'
        ) = (
          is_freelancer AND is_in_crm
        )
      )
    )
  )
);

WITH people AS (
  SELECT
    COALESCE(freelancers.sk, customers.sk) AS person_sk,
    COALESCE(freelancers.last_name, customers.last_name) AS last_name,
    COALESCE(freelancers.first_name, customers.first_name) AS first_name,
    COALESCE(freelancers.email, customers.email) AS email,
    NOT freelancers.sk IS NULL AS is_freelancer,
    NOT customers.sk IS NULL AS is_in_crm,
    customers.updated_at
  FROM intermediate.freelancers AS freelancers
  FULL JOIN intermediate.customers AS customers
    ON freelancers.sk = customers.sk
), compared AS (
  SELECT
    person_sk,
    last_name,
    first_name,
    email,
    is_freelancer,
    is_in_crm,
    updated_at,
    COUNT_IF(is_freelancer) OVER (PARTITION BY email) AS freelancers_at_address,
    COUNT_IF(is_in_crm) OVER (PARTITION BY email) AS entries_at_address,
    COUNT_IF(is_freelancer) OVER (PARTITION BY @seen_names((last_name, first_name))) AS freelancers_of_name,
    COUNT_IF(is_in_crm) OVER (PARTITION BY @seen_names((last_name, first_name))) AS entries_of_name
  FROM people
)
SELECT
  person_sk::UUID AS person_sk,
  last_name::TEXT AS last_name,
  first_name::TEXT AS first_name,
  email::TEXT AS email,
  is_freelancer::BOOLEAN AS is_freelancer,
  is_in_crm::BOOLEAN AS is_in_crm,
  CASE
    WHEN is_freelancer AND is_in_crm
    THEN 'both'
    WHEN CASE WHEN is_freelancer THEN entries_at_address ELSE freelancers_at_address END > 0
    THEN 'other name'
    WHEN CASE WHEN is_freelancer THEN entries_of_name ELSE freelancers_of_name END > 0
    THEN 'other address'
    ELSE 'nobody'
  END::TEXT AS match,
  updated_at::DATE AS updated_at
FROM compared
