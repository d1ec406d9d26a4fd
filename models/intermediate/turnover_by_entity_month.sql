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
  description 'One row per freelancer, entity that ever employed them, and month from their first contract there to the as-of month.',
  column_descriptions (
    freelancer_sk = 'The freelancer.',
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
  employments.freelancer_sk::UUID AS freelancer_sk,
  employments.entity::TEXT AS entity,
  months.month::DATE AS month,
  COALESCE(invoiced.turnover, 0)::DECIMAL(18, 2) AS turnover
FROM employments
INNER JOIN months
  ON months.month >= employments.first_month
LEFT JOIN invoiced
  ON employments.freelancer_sk = invoiced.freelancer_sk
  AND employments.entity = invoiced.entity
  AND months.month = invoiced.month
