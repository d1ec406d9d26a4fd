MODEL (
  name marts.kpi__active_freelancers,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month
  ),
  owner sales,
  grain (month, entity),
  tags by_month,
  description 'One row per month and entity from the first contract to the as-of month: who is with Jump, who came, who left.',
  column_descriptions (
    month = 'First day of the month.',
    entity = 'The Jump company that employs, blue or green.',
    active = 'Freelancers under contract on the last day of the month, the as-of day for the as-of month.',
    joined = 'Contracts that started in the month.',
    left_jump = 'Contracts whose last day was in the month.'
  ),
  audits (
    months_are_complete(
      here := marts.kpi__active_freelancers,
      month_column := month,
      key_columns := (
        entity
      )
    )
  ),
  depends_on (
    intermediate.as_of
  )
);

WITH first_contract AS (
  SELECT
    DATE_TRUNC('MONTH', MIN(start_date))::DATE AS month
  FROM intermediate.job_contracts
), spine AS (
  SELECT
    months.month,
    months.last_day,
    entities.entity
  FROM intermediate.months AS months
  INNER JOIN first_contract
    ON months.month >= first_contract.month
  CROSS JOIN (
    @every_entity()
  ) AS entities
  WHERE
    months.month BETWEEN @start_ds::DATE AND @end_ds::DATE
), active AS (
  SELECT
    spine.month,
    spine.entity,
    COUNT(DISTINCT contracts.freelancer_sk) AS freelancers
  FROM spine
  INNER JOIN intermediate.job_contracts AS contracts
    ON spine.entity = contracts.entity
    AND contracts.start_date <= spine.last_day
    AND spine.last_day <= COALESCE(contracts.end_date, '9999-12-31'::DATE)
  GROUP BY
    spine.month,
    spine.entity
), joined AS (
  SELECT
    DATE_TRUNC('MONTH', start_date)::DATE AS month,
    entity,
    COUNT(*) AS contracts
  FROM intermediate.job_contracts
  WHERE
    start_date BETWEEN @start_ds::DATE AND LAST_DAY(@end_ds::DATE)
  GROUP BY
    DATE_TRUNC('MONTH', start_date)::DATE,
    entity
), departed AS (
  SELECT
    spine.month,
    spine.entity,
    COUNT(*) AS contracts
  FROM spine
  INNER JOIN intermediate.job_contracts AS contracts
    ON spine.entity = contracts.entity
    AND contracts.end_date BETWEEN spine.month AND spine.last_day
  GROUP BY
    spine.month,
    spine.entity
)
SELECT
  spine.month::DATE AS month,
  spine.entity::TEXT AS entity,
  COALESCE(active.freelancers, 0)::BIGINT AS active,
  COALESCE(joined.contracts, 0)::BIGINT AS joined,
  COALESCE(departed.contracts, 0)::BIGINT AS left_jump
FROM spine
LEFT JOIN active
  ON spine.month = active.month AND spine.entity = active.entity
LEFT JOIN joined
  ON spine.month = joined.month AND spine.entity = joined.entity
LEFT JOIN departed
  ON spine.month = departed.month AND spine.entity = departed.entity
