MODEL (
  name intermediate.payments,
  kind VIEW,
  owner finance,
  grain sk,
  references invoice_sk,
  depends_on (
    intermediate.unassigned_payments
  ),
  tags (
    'grain_audited_by:staging.billing__payments' /* and intermediate.invoices: a reference is there once */
  ),
  description 'One row per payment of an invoice; payments that name no invoice are a warning.',
  column_descriptions (
    sk = 'Surrogate key of the payment: its identifier.',
    invoice_sk = 'The invoice that it pays.',
    paid_on = 'Day on which it arrived.',
    amount = 'Amount in euros.'
  ),
  audits (
    payments_match_invoices(unassigned := intermediate.unassigned_payments)
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
