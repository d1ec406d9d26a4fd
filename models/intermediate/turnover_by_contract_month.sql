MODEL (
  name intermediate.turnover_by_contract_month,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month
  ),
  owner data,
  grain (job_contract_sk, month),
  references job_contract_sk,
  tags by_month,
  description 'One row per contract and month from its start to its end, or to the as-of month where it is open.',
  column_descriptions (
    job_contract_sk = 'The contract.',
    month = 'First day of the month.',
    turnover = 'What was invoiced under the contract in the month, in euros.',
    cumulative_turnover = 'What was invoiced under the contract up to the end of the month, in euros.',
    last_invoice_date = 'Day of the last invoice under the contract up to the end of the month, null without one.'
  ),
  audits (
    primary_key(key_columns := (job_contract_sk, month)),
    cumulative_extends_the_month_before,
    totals_agree(
      here := intermediate.turnover_by_contract_month,
      here_column := turnover,
      there := intermediate.invoices,
      there_column := amount
    ),
    one_row_a_month(
      here := intermediate.turnover_by_contract_month,
      periods := (
        SELECT
          start_date,
          end_date
        FROM intermediate.job_contracts
      )
    )
  )
);

/* Cumulative figures extend those of the month before the window, which are this model's own. A month
   belongs to the window that holds its first day, whole, however the window ends. */
WITH months AS (
  SELECT
    month
  FROM intermediate.months
  WHERE
    month BETWEEN @start_ds::DATE AND @end_ds::DATE
), periods AS (
  SELECT
    contracts.sk,
    DATE_TRUNC('MONTH', contracts.start_date)::DATE AS first_month,
    LEAST(
      COALESCE(DATE_TRUNC('MONTH', contracts.end_date)::DATE, as_of.as_of_month),
      as_of.as_of_month
    ) AS last_month
  FROM intermediate.job_contracts AS contracts
  CROSS JOIN intermediate.as_of AS as_of
), invoiced AS (
  SELECT
    job_contract_sk,
    DATE_TRUNC('MONTH', issue_date)::DATE AS month,
    SUM(amount) AS turnover,
    MAX(issue_date) AS last_invoice_date
  FROM intermediate.invoices
  WHERE
    issue_date BETWEEN @start_ds::DATE AND LAST_DAY(@end_ds::DATE)
  GROUP BY
    job_contract_sk,
    DATE_TRUNC('MONTH', issue_date)::DATE
), monthly AS (
  SELECT
    periods.sk,
    months.month,
    COALESCE(invoiced.turnover, 0) AS turnover,
    invoiced.last_invoice_date
  FROM periods
  INNER JOIN months
    ON months.month BETWEEN periods.first_month AND periods.last_month
  LEFT JOIN invoiced
    ON periods.sk = invoiced.job_contract_sk AND months.month = invoiced.month
), before AS (
  SELECT
    known.job_contract_sk,
    known.cumulative_turnover,
    known.last_invoice_date
  FROM intermediate.turnover_by_contract_month AS known
  WHERE
    known.month = DATE_TRUNC('MONTH', @start_ds::DATE - 1)::DATE
)
SELECT
  monthly.sk::UUID AS job_contract_sk,
  monthly.month::DATE AS month,
  monthly.turnover::DECIMAL(18, 2) AS turnover,
  (
    COALESCE(before.cumulative_turnover, 0) + SUM(monthly.turnover) OVER (PARTITION BY monthly.sk ORDER BY monthly.month)
  )::DECIMAL(18, 2) AS cumulative_turnover,
  COALESCE(
    MAX(monthly.last_invoice_date) OVER (PARTITION BY monthly.sk ORDER BY monthly.month),
    before.last_invoice_date
  )::DATE AS last_invoice_date
FROM monthly
LEFT JOIN before
  ON monthly.sk = before.job_contract_sk
