MODEL (
  name intermediate.job_contracts,
  kind VIEW,
  owner data,
  grain sk,
  references freelancer_sk,
  description 'One row per job contract between Jump and a freelancer.',
  column_descriptions (
    sk = 'Surrogate key of the contract: the freelancer and the start date.',
    freelancer_sk = 'The freelancer under contract.',
    start_date = 'First day under contract.',
    end_date = 'Last day under contract, null while the contract is open.',
    entity = 'The Jump company that employs, blue or green.'
  ),
  audits (
    primary_key(key_columns := sk),
    periods_never_overlap(key_column := freelancer_sk, start_column := start_date, end_column := end_date)
  )
);

SELECT
  job_contract_sk::UUID AS sk,
  freelancer_sk::UUID AS freelancer_sk,
  start_date::DATE AS start_date,
  end_date::DATE AS end_date,
  entity::TEXT AS entity
FROM intermediate.job_contract_keys
