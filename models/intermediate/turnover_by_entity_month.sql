MODEL (
  name intermediate.turnover_by_entity_month,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month
  ),
  owner data,
  grain (freelancer_sk, entity, month),
  references freelancer_sk,
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
   that brings such a contract computes them all. Nearly everybody has one contract with an entity: their
   months are those of the contract and those after it, and nothing has to be summed. Of several contracts
   each has its months and those after it: together, all since the first. */
WITH months AS (
  SELECT
    month
  FROM intermediate.months
  WHERE
    month BETWEEN @start_ds::DATE AND @end_ds::DATE
), starts AS (
  SELECT
    sk,
    freelancer_sk,
    entity,
    DATE_TRUNC('MONTH', start_date)::DATE AS first_month,
    DATE_TRUNC('MONTH', end_date)::DATE AS last_month
  FROM intermediate.job_contracts
), contracts AS (
  SELECT
    starts.sk,
    starts.freelancer_sk,
    starts.entity,
    MIN(starts.first_month) OVER (PARTITION BY starts.freelancer_sk) AS cohort_month,
    MIN(starts.first_month) OVER (PARTITION BY starts.freelancer_sk, starts.entity) AS first_month,
    LEAST(COALESCE(starts.last_month, as_of.as_of_month), as_of.as_of_month) AS last_month,
    COUNT(*) OVER (PARTITION BY starts.freelancer_sk, starts.entity) AS contracts
  FROM starts
  CROSS JOIN intermediate.as_of AS as_of
), amounts AS (
  SELECT
    contracts.freelancer_sk,
    contracts.cohort_month,
    contracts.entity,
    contracts.contracts,
    turnover.month,
    turnover.turnover
  FROM intermediate.turnover_by_contract_month AS turnover
  INNER JOIN contracts
    ON turnover.job_contract_sk = contracts.sk
  WHERE
    turnover.month BETWEEN @start_ds::DATE AND @end_ds::DATE
  UNION ALL
  SELECT
    contracts.freelancer_sk,
    contracts.cohort_month,
    contracts.entity,
    contracts.contracts,
    months.month,
    0 AS turnover
  FROM contracts
  INNER JOIN months
    ON months.month >= contracts.first_month
  WHERE
    months.month > contracts.last_month
), every AS (
  SELECT
    freelancer_sk,
    cohort_month,
    entity,
    month,
    turnover
  FROM amounts
  WHERE
    contracts = 1
  UNION ALL
  SELECT
    freelancer_sk,
    MIN(cohort_month) AS cohort_month,
    entity,
    month,
    SUM(turnover) AS turnover
  FROM amounts
  WHERE
    contracts > 1
  GROUP BY
    freelancer_sk,
    entity,
    month
)
SELECT
  freelancer_sk::UUID AS freelancer_sk,
  cohort_month::DATE AS cohort_month,
  entity::TEXT AS entity,
  month::DATE AS month,
  turnover::DECIMAL(18, 2) AS turnover
FROM every
