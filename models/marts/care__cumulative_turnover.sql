MODEL (
  name marts.care__cumulative_turnover,
  kind VIEW,
  owner care,
  grain (job_contract_sk, month),
  references (job_contract_sk, freelancer_sk),
  description 'One row per contract and month from its start to its end, or to the as-of month where it is open.',
  column_descriptions (
    job_contract_sk = 'The contract.',
    freelancer_sk = 'The freelancer under contract.',
    last_name = 'Last name of the freelancer.',
    first_name = 'First name of the freelancer.',
    contract_start_date = 'First day under contract.',
    contract_end_date = 'Last day under contract, null while the contract is open.',
    entity = 'The Jump company that employs, blue or green.',
    month = 'First day of the month.',
    turnover = 'What was invoiced under the contract in the month, in euros.',
    cumulative_turnover = 'What was invoiced under the contract up to the end of the month, in euros.'
  ),
  audits (
    same_rows_and_total(
      here := marts.care__cumulative_turnover,
      here_column := turnover,
      there := intermediate.turnover_by_contract_month,
      there_column := turnover
    )
  )
);

SELECT
  turnover.job_contract_sk::UUID AS job_contract_sk,
  contracts.freelancer_sk::UUID AS freelancer_sk,
  freelancers.last_name::TEXT AS last_name,
  freelancers.first_name::TEXT AS first_name,
  contracts.start_date::DATE AS contract_start_date,
  CASE WHEN contracts.end_date <= as_of.as_of_date THEN contracts.end_date END::DATE AS contract_end_date,
  contracts.entity::TEXT AS entity,
  turnover.month::DATE AS month,
  turnover.turnover::DECIMAL(18, 2) AS turnover,
  turnover.cumulative_turnover::DECIMAL(18, 2) AS cumulative_turnover
FROM intermediate.turnover_by_contract_month AS turnover
INNER JOIN intermediate.job_contracts AS contracts
  ON turnover.job_contract_sk = contracts.sk
INNER JOIN intermediate.freelancers AS freelancers
  ON contracts.freelancer_sk = freelancers.sk
CROSS JOIN intermediate.as_of AS as_of
