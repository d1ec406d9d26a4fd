MODEL (
  name staging.app__invoices,
  kind VIEW,
  owner data,
  grain (id, reference),
  references (job_contract_id, client_id),
  tags (
    'grain_audited_by:intermediate.invoices'
  ),
  description 'One row per invoice; intermediate.invoices audits what arrives, period by period.',
  column_descriptions (
    id = 'Identifier of the invoice.',
    job_contract_id = 'The contract under which it was invoiced.',
    client_id = 'The client entry that was invoiced.',
    reference = 'Number on the invoice.',
    amount = 'Amount in euros.',
    issue_date = 'Day of issue.'
  ),
  audits (
    same_number_of_rows(other := sources.app__invoices)
  )
);

SELECT
  id::TEXT AS id,
  job_contract_id::TEXT AS job_contract_id,
  client_id::TEXT AS client_id,
  reference::TEXT AS reference,
  amount::DECIMAL(10, 2) AS amount,
  issue_date::DATE AS issue_date
FROM sources.app__invoices
