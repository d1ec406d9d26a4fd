MODEL (
  name staging.app__job_contracts,
  kind VIEW,
  owner data,
  grain id,
  references user_id,
  depends_on (
    sources.app__users
  ),
  tags (
    'grain_audited_by:intermediate.job_contract_keys'
  ),
  description 'One row per job contract.',
  column_descriptions (
    id = 'Identifier of the contract.',
    user_id = 'The account that signed the contract.',
    entity = 'The Jump company that employs, blue or green.',
    start_date = 'First day under contract.',
    end_date = 'Last day under contract, null while the contract is open.'
  ),
  audits (
    values_are_known(key_column := id, "column" := entity, is_in := @entities()),
    foreign_key(key_column := user_id, parent := sources.app__users, parent_column := id),
    starts_before_it_ends(key_column := id, start_column := start_date, end_column := end_date)
  )
);

SELECT
  id::TEXT AS id,
  user_id::TEXT AS user_id,
  entity::TEXT AS entity,
  start_date::DATE AS start_date,
  end_date::DATE AS end_date
FROM sources.app__job_contracts
