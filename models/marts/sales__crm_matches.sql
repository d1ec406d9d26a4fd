MODEL (
  name marts.sales__crm_matches,
  kind FULL,
  owner sales,
  grain person_sk,
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
    values_are_known(
      key_column := person_sk,
      "column" := match,
      is_in := ('both', 'other name', 'other address', 'nobody')
    ),
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

/* Most people are known on both sides: only the others are looked for by their address and name. */
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
), known AS (
  SELECT
    TRUE AS is_freelancer,
    email,
    @seen_name(last_name) AS last_name,
    @seen_name(first_name) AS first_name
  FROM intermediate.freelancers
  UNION ALL
  SELECT
    FALSE AS is_freelancer,
    email,
    @seen_name(last_name) AS last_name,
    @seen_name(first_name) AS first_name
  FROM intermediate.customers
), alone AS (
  SELECT
    person_sk,
    is_freelancer,
    email,
    @seen_name(last_name) AS last_name,
    @seen_name(first_name) AS first_name
  FROM people
  WHERE
    is_freelancer <> is_in_crm
), at_address AS (
  SELECT DISTINCT
    alone.person_sk
  FROM alone
  INNER JOIN known
    ON alone.email = known.email AND alone.is_freelancer <> known.is_freelancer
), of_name AS (
  SELECT DISTINCT
    alone.person_sk
  FROM alone
  INNER JOIN known
    ON alone.last_name = known.last_name
    AND alone.first_name = known.first_name
    AND alone.is_freelancer <> known.is_freelancer
)
SELECT
  people.person_sk::UUID AS person_sk,
  people.last_name::TEXT AS last_name,
  people.first_name::TEXT AS first_name,
  people.email::TEXT AS email,
  people.is_freelancer::BOOLEAN AS is_freelancer,
  people.is_in_crm::BOOLEAN AS is_in_crm,
  CASE
    WHEN people.is_freelancer AND people.is_in_crm
    THEN 'both'
    WHEN NOT at_address.person_sk IS NULL
    THEN 'other name'
    WHEN NOT of_name.person_sk IS NULL
    THEN 'other address'
    ELSE 'nobody'
  END::TEXT AS match,
  people.updated_at::DATE AS updated_at
FROM people
LEFT JOIN at_address
  ON people.person_sk = at_address.person_sk
LEFT JOIN of_name
  ON people.person_sk = of_name.person_sk
