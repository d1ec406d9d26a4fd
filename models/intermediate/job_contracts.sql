MODEL (
  name intermediate.job_contracts,
  kind FULL,
  owner data,
  grain sk,
  references freelancer_sk,
  depends_on (
    intermediate.freelancers
  ),
  description 'One row per job contract between Jump and a freelancer.',
  column_descriptions (
    sk = 'Surrogate key of the contract: the freelancer and the start date.',
    freelancer_sk = 'The freelancer under contract.',
    start_date = 'First day under contract.',
    end_date = 'Last day under contract, null while the contract is open.',
    entity = 'The Jump company that employs, blue or green.'
  ),
  audits (
    not_null(columns := (sk, freelancer_sk, start_date, entity)),
    values_are_unique(key_column := sk),
    accepted_values("column" := entity, is_in := ('blue', 'green')),
    foreign_key(key_column := freelancer_sk, parent := intermediate.freelancers, parent_column := sk),
    starts_before_it_ends(start_column := start_date, end_column := end_date),
    periods_never_overlap(key_column := freelancer_sk, start_column := start_date, end_column := end_date),
    same_number_of_rows(other := staging.app__job_contracts)
  )
);

SELECT
  keys.job_contract_sk::UUID AS sk,
  keys.freelancer_sk::UUID AS freelancer_sk,
  contracts.start_date::DATE AS start_date,
  contracts.end_date::DATE AS end_date,
  contracts.entity::TEXT AS entity
FROM staging.app__job_contracts AS contracts
INNER JOIN intermediate.job_contract_keys AS keys
  ON contracts.id = keys.job_contract_id
