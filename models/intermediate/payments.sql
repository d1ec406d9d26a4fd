MODEL (
  name intermediate.payments,
  kind VIEW,
  owner finance,
  grain sk,
  references invoice_sk,
  description 'One row per payment of an invoice; payments that name no invoice are a warning.',
  column_descriptions (
    sk = 'Surrogate key of the payment: its identifier.',
    invoice_sk = 'The invoice that it pays.',
    paid_on = 'Day on which it arrived.',
    amount = 'Amount in euros.'
  ),
  audits (
    primary_key(key_columns := sk),
    payments_match_invoices(there := staging.billing__payments)
  )
);

SELECT
  @surrogate_key(payments.id)::UUID AS sk,
  invoices.sk::UUID AS invoice_sk,
  payments.paid_on::DATE AS paid_on,
  payments.amount::DECIMAL(10, 2) AS amount
FROM staging.billing__payments AS payments
INNER JOIN intermediate.invoices AS invoices
  ON payments.invoice_reference = invoices.reference
