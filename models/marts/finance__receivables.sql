MODEL (
  name marts.finance__receivables,
  kind FULL,
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
    primary_key(key_columns := (client_sk, month)),
    totals_agree(
      here := marts.finance__receivables,
      here_column := invoiced,
      there := intermediate.invoices,
      there_column := amount
    )
  )
);

WITH paid AS (
  SELECT
    payments.invoice_sk,
    SUM(payments.amount) AS amount
  FROM intermediate.payments AS payments
  CROSS JOIN intermediate.as_of AS as_of
  WHERE
    payments.paid_on <= as_of.as_of_date
  GROUP BY
    payments.invoice_sk
), per_invoice AS (
  SELECT
    invoices.client_sk,
    DATE_TRUNC('MONTH', invoices.issue_date)::DATE AS month,
    invoices.amount,
    COALESCE(paid.amount, 0) AS paid,
    invoices.issue_date + INTERVAL '30' DAY < as_of.as_of_date AS is_due
  FROM intermediate.invoices AS invoices
  CROSS JOIN intermediate.as_of AS as_of
  LEFT JOIN paid
    ON invoices.sk = paid.invoice_sk
), per_month AS (
  SELECT
    client_sk,
    month,
    SUM(amount) AS invoiced,
    SUM(paid) AS paid,
    SUM(CASE WHEN is_due AND amount > paid THEN amount - paid ELSE 0 END) AS overdue
  FROM per_invoice
  GROUP BY
    client_sk,
    month
)
SELECT
  per_month.client_sk::UUID AS client_sk,
  clients.name::TEXT AS client_name,
  per_month.month::DATE AS month,
  per_month.invoiced::DECIMAL(18, 2) AS invoiced,
  per_month.paid::DECIMAL(18, 2) AS paid,
  (
    per_month.invoiced - per_month.paid
  )::DECIMAL(18, 2) AS outstanding,
  per_month.overdue::DECIMAL(18, 2) AS overdue
FROM per_month
INNER JOIN intermediate.clients AS clients
  ON per_month.client_sk = clients.sk
