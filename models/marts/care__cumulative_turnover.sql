MODEL (
  name marts.care__cumulative_turnover,
  kind FULL,
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
    not_null(
      columns := (
        job_contract_sk,
        freelancer_sk,
        last_name,
        first_name,
        contract_start_date,
        entity,
        month,
        turnover,
        cumulative_turnover
      )
    ),
    unique_combination_of_columns(columns := (job_contract_sk, month)),
    accepted_values("column" := entity, is_in := ('blue', 'green')),
    months_have_no_gaps(month_column := month, key_columns := (
      job_contract_sk
    )),
    foreign_key(
      key_column := job_contract_sk,
      parent := intermediate.job_contracts,
      parent_column := sk
    ),
    foreign_key(key_column := freelancer_sk, parent := intermediate.freelancers, parent_column := sk),
    same_total(total_column := turnover, other := intermediate.invoices, other_column := amount)
  ),
  depends_on (
    intermediate.invoices
  )
);

WITH periods AS (
  SELECT
    contracts.sk,
    contracts.freelancer_sk,
    contracts.start_date,
    contracts.end_date,
    contracts.entity,
    DATE_TRUNC('MONTH', contracts.start_date)::DATE AS first_month,
    LEAST(
      COALESCE(DATE_TRUNC('MONTH', contracts.end_date)::DATE, as_of.as_of_month),
      as_of.as_of_month
    ) AS last_month
  FROM intermediate.job_contracts AS contracts
  CROSS JOIN intermediate.as_of AS as_of
), monthly AS (
  SELECT
    periods.sk,
    periods.freelancer_sk,
    periods.start_date,
    periods.end_date,
    periods.entity,
    months.month,
    COALESCE(invoiced.turnover, 0) AS turnover
  FROM periods
  INNER JOIN intermediate.months AS months
    ON months.month BETWEEN periods.first_month AND periods.last_month
  LEFT JOIN intermediate.turnover_by_contract_month AS invoiced
    ON periods.sk = invoiced.job_contract_sk AND months.month = invoiced.month
), accumulated AS (
  SELECT
    sk,
    freelancer_sk,
    start_date,
    end_date,
    entity,
    month,
    turnover,
    SUM(turnover) OVER (PARTITION BY sk ORDER BY month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS cumulative_turnover
  FROM monthly
)
SELECT
  accumulated.sk::UUID AS job_contract_sk,
  accumulated.freelancer_sk::UUID AS freelancer_sk,
  freelancers.last_name::TEXT AS last_name,
  freelancers.first_name::TEXT AS first_name,
  accumulated.start_date::DATE AS contract_start_date,
  accumulated.end_date::DATE AS contract_end_date,
  accumulated.entity::TEXT AS entity,
  accumulated.month::DATE AS month,
  accumulated.turnover::DECIMAL(18, 2) AS turnover,
  accumulated.cumulative_turnover::DECIMAL(18, 2) AS cumulative_turnover
FROM accumulated
INNER JOIN intermediate.freelancers AS freelancers
  ON accumulated.freelancer_sk = freelancers.sk
