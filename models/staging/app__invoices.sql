MODEL (
  name staging.app__invoices,
  kind VIEW,
  owner data,
  grain (id, reference),
  references (job_contract_id, client_id),
  depends_on (sources.app__job_contracts, sources.app__clients),
  description 'One row per invoice.',
  column_descriptions (
    id = 'Identifier of the invoice.',
    job_contract_id = 'The contract under which it was invoiced.',
    client_id = 'The client entry that was invoiced.',
    reference = 'Number on the invoice.',
    amount = 'Amount in euros.',
    issue_date = 'Day of issue.'
  ),
  audits (
    not_null(columns := (id, job_contract_id, client_id, reference, amount, issue_date)),
    values_are_unique(key_column := id),
    values_are_unique(key_column := reference),
    accepted_range("column" := amount, min_v := 0),
    foreign_key(
      key_column := job_contract_id,
      parent := sources.app__job_contracts,
      parent_column := id
    ),
    foreign_key(key_column := client_id, parent := sources.app__clients, parent_column := id),
    same_total(total_column := amount, other := sources.app__invoices, other_column := amount),
    same_number_of_rows(other := sources.app__invoices),
    references_follow_the_pattern,
    references_are_consecutive
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
