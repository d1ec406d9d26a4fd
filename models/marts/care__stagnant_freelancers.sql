MODEL (
  name marts.care__stagnant_freelancers,
  kind VIEW,
  owner care,
  grain job_contract_sk,
  references (freelancer_sk, job_contract_sk),
  description 'One row per open contract without an invoice since the start of the last three complete months: whom the care team calls.',
  column_descriptions (
    freelancer_sk = 'The freelancer.',
    last_name = 'Last name of the freelancer.',
    first_name = 'First name of the freelancer.',
    job_contract_sk = 'The open contract.',
    entity = 'The Jump company that employs, blue or green.',
    contract_start_date = 'First day under contract.',
    last_invoice_date = 'Day of the last invoice under the contract, null where there never was one.',
    cumulative_turnover = 'What was invoiced under the contract, in euros.'
  ),
  audits (
    primary_key(key_columns := job_contract_sk),
    forall(
      criteria := (
        COALESCE(last_invoice_date >= contract_start_date, cumulative_turnover = 0)
      )
    )
  )
);

/* A month is complete when its last day is covered: the day after the as-of date tells. */
WITH bounds AS (
  SELECT
    as_of_date,
    as_of_month,
    (
      DATE_TRUNC('MONTH', as_of_date + 1)::DATE - INTERVAL '3' MONTH
    )::DATE AS window_start
  FROM intermediate.as_of
)
SELECT
  contracts.freelancer_sk::UUID AS freelancer_sk,
  freelancers.last_name::TEXT AS last_name,
  freelancers.first_name::TEXT AS first_name,
  contracts.sk::UUID AS job_contract_sk,
  contracts.entity::TEXT AS entity,
  contracts.start_date::DATE AS contract_start_date,
  turnover.last_invoice_date::DATE AS last_invoice_date,
  turnover.cumulative_turnover::DECIMAL(18, 2) AS cumulative_turnover
FROM intermediate.job_contracts AS contracts
INNER JOIN bounds
  ON contracts.start_date <= bounds.window_start
INNER JOIN intermediate.turnover_by_contract_month AS turnover
  ON contracts.sk = turnover.job_contract_sk AND bounds.as_of_month = turnover.month
INNER JOIN intermediate.freelancers AS freelancers
  ON contracts.freelancer_sk = freelancers.sk
WHERE
  COALESCE(contracts.end_date > bounds.as_of_date, TRUE)
  AND COALESCE(turnover.last_invoice_date < bounds.window_start, TRUE)
