MODEL (
  name intermediate.satisfaction_scores,
  kind FULL,
  owner data,
  grain (freelancer_sk, valid_from),
  references freelancer_sk,
  description 'One row per score that a freelancer gave, with the days on which it was in force.',
  column_descriptions (
    freelancer_sk = 'The freelancer.',
    satisfaction_score = 'Would you recommend Jump, 0 to 10.',
    valid_from = 'First day on which the score was in force.',
    valid_to = 'First day on which it no longer was, null for the one in force.'
  ),
  audits (
    primary_key(key_columns := (freelancer_sk, valid_from)),
    accepted_range("column" := satisfaction_score, min_v := 0, max_v := 10)
  )
);

WITH cleaned AS (
  SELECT
    @clean_name(log.last_name) AS last_name,
    @clean_name(log.first_name) AS first_name,
    @clean_email(log.email) AS email,
    log.satisfaction_score,
    log.updated_at
  FROM sources.crm__customers_log AS log
  CROSS JOIN intermediate.as_of AS as_of
  WHERE
    log.updated_at <= as_of.as_of_date
), ranked AS (
  SELECT
    freelancers.sk AS freelancer_sk,
    cleaned.satisfaction_score,
    cleaned.updated_at,
    ROW_NUMBER() OVER (
      PARTITION BY freelancers.sk, cleaned.updated_at
      ORDER BY cleaned.satisfaction_score DESC
    ) AS place
  FROM cleaned
  INNER JOIN intermediate.freelancers AS freelancers
    ON freelancers.sk = @person_key(cleaned.last_name, cleaned.first_name, cleaned.email)
), changes AS (
  SELECT
    freelancer_sk,
    satisfaction_score,
    updated_at AS valid_from,
    LEAD(updated_at) OVER (PARTITION BY freelancer_sk ORDER BY updated_at) AS valid_to
  FROM ranked
  WHERE
    place = 1
)
SELECT
  freelancer_sk::UUID AS freelancer_sk,
  satisfaction_score::INT AS satisfaction_score,
  valid_from::DATE AS valid_from,
  valid_to::DATE AS valid_to
FROM changes
WHERE
  NOT satisfaction_score IS NULL
