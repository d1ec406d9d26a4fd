MODEL (
  name report.care__stagnant_freelancers,
  kind VIEW,
  owner care,
  grain job_contract_sk,
  tags ('personal:last_name', 'personal:first_name'),
  description 'Whom the care team calls: open contracts without an invoice for three months.',
  column_descriptions (
    job_contract_sk = 'The contract.',
    last_name = 'Last name of the freelancer.',
    first_name = 'First name.',
    entity = 'The Jump company that employs.',
    contract_start_date = 'First day under contract.',
    last_invoice_date = 'Day of the last invoice, null where there never was one.',
    cumulative_turnover = 'What was invoiced under the contract, in euros.',
    curve = 'The same at the end of each month from its first to now, in euros, with spaces between.'
  ),
  audits (
    same_number_of_rows(other := marts.care__stagnant_freelancers)
  )
);

WITH curves AS (
  SELECT
    job_contract_sk,
    LISTAGG(cumulative_turnover::TEXT, ' '
    ORDER BY
      month) AS curve
  FROM marts.care__cumulative_turnover
  WHERE
    job_contract_sk IN (
      SELECT
        job_contract_sk
      FROM marts.care__stagnant_freelancers
    )
  GROUP BY
    job_contract_sk
)
SELECT
  stagnant.job_contract_sk::UUID AS job_contract_sk,
  last_name::TEXT AS last_name,
  first_name::TEXT AS first_name,
  entity::TEXT AS entity,
  contract_start_date::DATE AS contract_start_date,
  last_invoice_date::DATE AS last_invoice_date,
  cumulative_turnover::DECIMAL(18, 2) AS cumulative_turnover,
  curve::TEXT AS curve
FROM marts.care__stagnant_freelancers AS stagnant
INNER JOIN curves
  ON stagnant.job_contract_sk = curves.job_contract_sk
