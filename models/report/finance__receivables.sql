MODEL (
  name report.finance__receivables,
  kind VIEW,
  owner finance,
  grain client_sk,
  description 'Who owes Jump money: clients by what is overdue.',
  column_descriptions (
    client_sk = 'The client.',
    client_name = 'Name of the client.',
    invoiced = 'What was invoiced, in euros.',
    outstanding = 'What is not paid of it, in euros.',
    overdue = 'What is unpaid for more than 30 days, in euros.'
  ),
  audits (
    primary_key(key_columns := client_sk),
    totals_agree(
      here := report.finance__receivables,
      here_column := outstanding,
      there := marts.finance__receivables,
      there_column := outstanding
    )
  )
);

SELECT
  client_sk::UUID AS client_sk,
  client_name::TEXT AS client_name,
  SUM(invoiced)::DECIMAL(18, 2) AS invoiced,
  SUM(outstanding)::DECIMAL(18, 2) AS outstanding,
  SUM(overdue)::DECIMAL(18, 2) AS overdue
FROM marts.finance__receivables
GROUP BY
  client_sk,
  client_name
