MODEL (
  name marts.finance__turnover_by_cohort,
  kind FULL,
  owner finance,
  grain (freelancer_sk, entity, month),
  references freelancer_sk,
  description 'One row per freelancer, entity that ever employed them, and month from their first contract there to the as-of month.',
  column_descriptions (
    freelancer_sk = 'The freelancer.',
    last_name = 'Last name of the freelancer.',
    first_name = 'First name of the freelancer.',
    cohort_month = 'First day of the month in which the freelancer''s very first contract started.',
    entity = 'The Jump company that employs, blue or green.',
    month = 'First day of the month.',
    turnover = 'What the freelancer invoiced in the month under contracts of the entity, in euros.'
  ),
  audits (
    not_null(
      columns := (freelancer_sk, last_name, first_name, cohort_month, entity, month, turnover)
    ),
    unique_combination_of_columns(columns := (freelancer_sk, entity, month)),
    accepted_values("column" := entity, is_in := ('blue', 'green')),
    months_have_no_gaps(month_column := month, key_columns := (freelancer_sk, entity)),
    months_reach_the_as_of_month(month_column := month),
    foreign_key(key_column := freelancer_sk, parent := intermediate.freelancers, parent_column := sk),
    same_total(total_column := turnover, other := intermediate.invoices, other_column := amount)
  ),
  depends_on (intermediate.invoices, intermediate.as_of)
);

WITH employments AS (
  SELECT
    freelancer_sk,
    entity,
    DATE_TRUNC('MONTH', MIN(start_date))::DATE AS first_month
  FROM intermediate.job_contracts
  GROUP BY
    freelancer_sk,
    entity
), cohorts AS (
  SELECT
    freelancer_sk,
    entity,
    first_month,
    MIN(first_month) OVER (PARTITION BY freelancer_sk) AS cohort_month
  FROM employments
), turnover AS (
  SELECT
    contracts.freelancer_sk,
    contracts.entity,
    invoiced.month,
    SUM(invoiced.turnover) AS turnover
  FROM intermediate.turnover_by_contract_month AS invoiced
  INNER JOIN intermediate.job_contracts AS contracts
    ON invoiced.job_contract_sk = contracts.sk
  GROUP BY
    contracts.freelancer_sk,
    contracts.entity,
    invoiced.month
)
SELECT
  cohorts.freelancer_sk::UUID AS freelancer_sk,
  freelancers.last_name::TEXT AS last_name,
  freelancers.first_name::TEXT AS first_name,
  cohorts.cohort_month::DATE AS cohort_month,
  cohorts.entity::TEXT AS entity,
  months.month::DATE AS month,
  COALESCE(turnover.turnover, 0)::DECIMAL(18, 2) AS turnover
FROM cohorts
INNER JOIN intermediate.freelancers AS freelancers
  ON cohorts.freelancer_sk = freelancers.sk
INNER JOIN intermediate.months AS months
  ON months.month >= cohorts.first_month
LEFT JOIN turnover
  ON cohorts.freelancer_sk = turnover.freelancer_sk
  AND cohorts.entity = turnover.entity
  AND months.month = turnover.month
