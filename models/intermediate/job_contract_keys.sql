MODEL (
  name intermediate.job_contract_keys,
  kind FULL,
  owner data,
  grain job_contract_id,
  references (job_contract_sk, freelancer_sk),
  tags ('anonymous:job_contract_sk', 'anonymous:freelancer_sk'),
  description 'One row per job contract of the application: from its identifier to the surrogate keys.',
  column_descriptions (
    job_contract_id = 'Identifier of the contract in the application.',
    job_contract_sk = 'Surrogate key of the contract: the freelancer and the start date.',
    freelancer_sk = 'Surrogate key of the person who signed.',
    start_date = 'First day under contract.',
    end_date = 'Last day under contract, null while the contract is open.',
    entity = 'The Jump company that employs, blue or green.'
  ),
  audits (
    primary_key(key_columns := job_contract_id),
    same_number_of_rows(other := staging.app__job_contracts)
  )
);

/* A contract's key is made of the digits of its freelancer's, however an engine writes those. */
WITH signed AS (
  SELECT
    contracts.id,
    contracts.start_date,
    contracts.end_date,
    contracts.entity,
    @person_key(users.last_name, users.first_name, users.email) AS freelancer_sk
  FROM staging.app__job_contracts AS contracts
  INNER JOIN staging.app__users AS users
    ON contracts.user_id = users.id
)
SELECT
  id::TEXT AS job_contract_id,
  @surrogate_key(REPLACE(freelancer_sk::TEXT, '-', ''), start_date)::UUID AS job_contract_sk,
  freelancer_sk::UUID AS freelancer_sk,
  start_date::DATE AS start_date,
  end_date::DATE AS end_date,
  entity::TEXT AS entity
FROM signed
