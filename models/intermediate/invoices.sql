MODEL (
  name intermediate.invoices,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column issue_date
  ),
  owner data,
  grain sk,
  references (job_contract_sk, client_sk),
  depends_on (intermediate.job_contracts, intermediate.clients),
  tags by_month,
  description 'One row per invoice that a freelancer sent to a client through Jump.',
  column_descriptions (
    sk = 'Surrogate key of the invoice: its reference.',
    job_contract_sk = 'The contract under which it was invoiced.',
    client_sk = 'The client that was invoiced.',
    reference = 'Number on the invoice.',
    issue_date = 'Day of issue.',
    amount = 'Amount in euros.'
  ),
  audits (
    unique_over_time(
      here := intermediate.invoices,
      key_column := sk,
      shown_column := reference,
      time_column := issue_date
    ),
    foreign_key(
      key_column := job_contract_sk,
      parent := intermediate.job_contracts,
      parent_column := sk,
      shown_column := reference
    ),
    foreign_key(
      key_column := client_sk,
      parent := intermediate.clients,
      parent_column := sk,
      shown_column := reference
    ),
    non_negative_amounts,
    issued_within_the_contract,
    same_rows_and_total(
      here := intermediate.invoices,
      here_column := amount,
      there := staging.app__invoices,
      there_column := amount
    ),
    references_follow_the_pattern(here := intermediate.invoices)
  )
);

WITH named AS (
  SELECT
    id,
    @client_key(name) AS client_sk
  FROM staging.app__clients
)
SELECT
  @surrogate_key(invoices.reference)::UUID AS sk,
  contracts.job_contract_sk::UUID AS job_contract_sk,
  named.client_sk::UUID AS client_sk,
  invoices.reference::TEXT AS reference,
  invoices.issue_date::DATE AS issue_date,
  invoices.amount::DECIMAL(10, 2) AS amount
FROM staging.app__invoices AS invoices
LEFT JOIN intermediate.job_contract_keys AS contracts
  ON invoices.job_contract_id = contracts.job_contract_id
LEFT JOIN named
  ON invoices.client_id = named.id
WHERE
  invoices.issue_date BETWEEN @start_ds::DATE AND @end_ds::DATE
