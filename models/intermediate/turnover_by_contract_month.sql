MODEL (
  name intermediate.turnover_by_contract_month,
  kind FULL,
  owner data,
  grain (job_contract_sk, month),
  references job_contract_sk,
  depends_on (
    intermediate.job_contracts
  ),
  description 'One row per contract and month in which something was invoiced under it.',
  column_descriptions (
    job_contract_sk = 'The contract.',
    month = 'First day of the month of issue.',
    turnover = 'What was invoiced in the month, in euros.'
  ),
  audits (
    not_null(columns := (job_contract_sk, month, turnover)),
    unique_combination_of_columns(columns := (job_contract_sk, month)),
    foreign_key(
      key_column := job_contract_sk,
      parent := intermediate.job_contracts,
      parent_column := sk
    ),
    same_total(total_column := turnover, other := intermediate.invoices, other_column := amount)
  )
);

SELECT
  job_contract_sk::UUID AS job_contract_sk,
  DATE_TRUNC('MONTH', issue_date)::DATE AS month,
  SUM(amount)::DECIMAL(18, 2) AS turnover
FROM intermediate.invoices
GROUP BY
  job_contract_sk,
  DATE_TRUNC('MONTH', issue_date)::DATE
