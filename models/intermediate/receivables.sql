MODEL (
  name intermediate.receivables,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month
  ),
  owner finance,
  grain (client_sk, month),
  references client_sk,
  depends_on (
    intermediate.unassigned_payments
  ),
  tags (
    'by_month',
    'months_of:staging.billing__payments.invoice_reference=intermediate.invoices.reference',
    'looks_back:31' /* on the 31st day after its issue an invoice is overdue */
  ),
  description 'One row per client and month in which invoices to the client were issued: what is paid of them, and what is overdue.',
  column_descriptions (
    client_sk = 'The client.',
    month = 'First day of the month of issue.',
    invoiced = 'What was invoiced, in euros.',
    paid = 'Payments of these invoices up to the as-of date, in euros.',
    overdue = 'What is unpaid of invoices issued more than 30 days before the as-of date, in euros; what was paid twice of one makes up for no other.'
  ),
  audits (
    primary_key(key_columns := (client_sk, month)),
    totals_agree(
      here := intermediate.receivables,
      here_column := invoiced,
      there := intermediate.invoices,
      there_column := amount
    ),
    payments_are_accounted_for(here := intermediate.receivables)
  )
);

/* Payments meet invoices by the number that both have, as in intermediate.payments: the key of so many
   payments would only be made to be compared. */
WITH paid AS (
  SELECT
    invoices.reference,
    SUM(payments.amount) AS amount
  FROM staging.billing__payments AS payments
  INNER JOIN intermediate.invoices AS invoices
    ON payments.invoice_reference = invoices.reference
  CROSS JOIN intermediate.as_of AS as_of
  WHERE
    payments.paid_on <= as_of.as_of_date
    AND invoices.issue_date BETWEEN @start_ds::DATE AND LAST_DAY(@end_ds::DATE)
  GROUP BY
    invoices.reference
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
    ON invoices.reference = paid.reference
  WHERE
    invoices.issue_date BETWEEN @start_ds::DATE AND LAST_DAY(@end_ds::DATE)
)
SELECT
  client_sk::UUID AS client_sk,
  month::DATE AS month,
  SUM(amount)::DECIMAL(18, 2) AS invoiced,
  SUM(paid)::DECIMAL(18, 2) AS paid,
  SUM(CASE WHEN is_due AND amount > paid THEN amount - paid ELSE 0 END)::DECIMAL(18, 2) AS overdue
FROM per_invoice
GROUP BY
  client_sk,
  month
