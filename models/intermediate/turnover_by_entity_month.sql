MODEL (
  name intermediate.turnover_by_entity_month,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month
  ),
  owner data,
  grain (freelancer_sk, entity, month),
  references freelancer_sk,
  depends_on (
    intermediate.as_of
  ),
  tags by_month,
  description 'One row per freelancer, entity that ever employed them, and month from their first contract there to the as-of month.',
  column_descriptions (
    freelancer_sk = 'The freelancer.',
    cohort_month = 'First day of the month in which the freelancer''s very first contract started.',
    entity = 'The Jump company that employs, blue or green.',
    month = 'First day of the month.',
    turnover = 'What the freelancer invoiced in the month under contracts of the entity, in euros.'
  ),
  audits (
    primary_key(key_columns := (freelancer_sk, entity, month)),
    totals_agree(
      here := intermediate.turnover_by_entity_month,
      here_column := turnover,
      there := intermediate.turnover_by_contract_month,
      there_column := turnover
    ),
    one_row_a_month(
      here := intermediate.turnover_by_entity_month,
      periods := (
        SELECT
          MIN(start_date) AS start_date,
          NULL::DATE AS end_date
        FROM intermediate.job_contracts
        GROUP BY
          freelancer_sk,
          entity
      )
    )
  )
);

/* A cohort can move only with a contract that starts before all of the freelancer's rows: the window
   that brings such a contract computes them all. */
WITH months AS (
  SELECT
    month
  FROM intermediate.months
  WHERE
    month BETWEEN @start_ds::DATE AND @end_ds::DATE
), employments AS (
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
), invoiced AS (
  SELECT
    contracts.freelancer_sk,
    contracts.entity,
    turnover.month,
    SUM(turnover.turnover) AS turnover
  FROM intermediate.turnover_by_contract_month AS turnover
  INNER JOIN intermediate.job_contracts AS contracts
    ON turnover.job_contract_sk = contracts.sk
  WHERE
    turnover.month BETWEEN @start_ds::DATE AND @end_ds::DATE
  GROUP BY
    contracts.freelancer_sk,
    contracts.entity,
    turnover.month
)
SELECT
  cohorts.freelancer_sk::UUID AS freelancer_sk,
  cohorts.cohort_month::DATE AS cohort_month,
  cohorts.entity::TEXT AS entity,
  months.month::DATE AS month,
  COALESCE(invoiced.turnover, 0)::DECIMAL(18, 2) AS turnover
FROM cohorts
INNER JOIN months
  ON months.month >= cohorts.first_month
LEFT JOIN invoiced
  ON cohorts.freelancer_sk = invoiced.freelancer_sk
  AND cohorts.entity = invoiced.entity
  AND months.month = invoiced.month
