MODEL (
  name report.finance__owed,
  kind VIEW,
  owner finance,
  grain clients,
  description 'What all clients together have been invoiced, and have not paid.',
  column_descriptions (
    invoiced = 'What was invoiced to all clients, in euros.',
    outstanding = 'What of it is not paid, in euros.',
    overdue = 'What is not paid of invoices issued more than 30 days before, in euros.',
    clients = 'How many clients have something overdue.'
  ),
  audits (
    has_one_row
  )
);

SELECT
  COALESCE(SUM(invoiced), 0)::DECIMAL(18, 2) AS invoiced,
  COALESCE(SUM(outstanding), 0)::DECIMAL(18, 2) AS outstanding,
  COALESCE(SUM(overdue), 0)::DECIMAL(18, 2) AS overdue,
  COUNT(DISTINCT CASE WHEN overdue > 0 THEN client_sk END)::BIGINT AS clients
FROM marts.finance__receivables
