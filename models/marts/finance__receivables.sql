MODEL (
  name marts.finance__receivables,
  kind VIEW,
  owner finance,
  grain (client_sk, month),
  references client_sk,
  description 'One row per client and month in which invoices to the client were issued: what is paid of them, and what is not.',
  column_descriptions (
    client_sk = 'The client.',
    client_name = 'Name of the client.',
    month = 'First day of the month of issue.',
    invoiced = 'What was invoiced, in euros.',
    paid = 'Payments of these invoices up to the as-of date, in euros.',
    outstanding = 'What is invoiced and not paid, in euros; below 0 where the client paid twice.',
    overdue = 'What is unpaid of invoices issued more than 30 days before the as-of date, in euros; what was paid twice of one makes up for no other.'
  ),
  audits (
    same_rows_and_total(
      here := marts.finance__receivables,
      here_column := invoiced,
      there := intermediate.receivables,
      there_column := invoiced
    )
  )
);

SELECT
  receivables.client_sk::UUID AS client_sk,
  clients.name::TEXT AS client_name,
  receivables.month::DATE AS month,
  receivables.invoiced::DECIMAL(18, 2) AS invoiced,
  receivables.paid::DECIMAL(18, 2) AS paid,
  (
    receivables.invoiced - receivables.paid
  )::DECIMAL(18, 2) AS outstanding,
  receivables.overdue::DECIMAL(18, 2) AS overdue
FROM intermediate.receivables AS receivables
INNER JOIN intermediate.clients AS clients
  ON receivables.client_sk = clients.sk
