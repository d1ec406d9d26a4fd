MODEL (
  name marts.care__stagnant_freelancers,
  kind FULL,
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
    not_null(
      columns := (
        freelancer_sk,
        last_name,
        first_name,
        job_contract_sk,
        entity,
        contract_start_date,
        cumulative_turnover
      )
    ),
    values_are_unique(key_column := job_contract_sk),
    foreign_key(
      key_column := job_contract_sk,
      parent := intermediate.job_contracts,
      parent_column := sk
    ),
    foreign_key(key_column := freelancer_sk, parent := intermediate.freelancers, parent_column := sk),
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
    (
      DATE_TRUNC('MONTH', as_of_date + 1)::DATE - INTERVAL '3' MONTH
    )::DATE AS window_start
  FROM intermediate.as_of
), invoiced AS (
  SELECT
    job_contract_sk,
    MAX(issue_date) AS last_invoice_date,
    SUM(amount) AS cumulative_turnover
  FROM intermediate.invoices
  GROUP BY
    job_contract_sk
)
SELECT
  contracts.freelancer_sk::UUID AS freelancer_sk,
  freelancers.last_name::TEXT AS last_name,
  freelancers.first_name::TEXT AS first_name,
  contracts.sk::UUID AS job_contract_sk,
  contracts.entity::TEXT AS entity,
  contracts.start_date::DATE AS contract_start_date,
  invoiced.last_invoice_date::DATE AS last_invoice_date,
  COALESCE(invoiced.cumulative_turnover, 0)::DECIMAL(18, 2) AS cumulative_turnover
FROM intermediate.job_contracts AS contracts
CROSS JOIN bounds
INNER JOIN intermediate.freelancers AS freelancers
  ON contracts.freelancer_sk = freelancers.sk
LEFT JOIN invoiced
  ON contracts.sk = invoiced.job_contract_sk
WHERE
  contracts.end_date IS NULL
  AND contracts.start_date <= bounds.window_start
  AND COALESCE(invoiced.last_invoice_date < bounds.window_start, TRUE)
