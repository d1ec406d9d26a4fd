MODEL (
  name intermediate.unassigned_payments,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column paid_on
  ),
  owner finance,
  grain payment_id,
  tags (
    'by_month',
    'months_of:staging.app__invoices.reference=staging.billing__payments.invoice_reference',
    'grain_audited_by:staging.billing__payments'
  ),
  description 'One row per payment that names no invoice: a person has to assign it.',
  column_descriptions (
    payment_id = 'Identifier of the payment.',
    invoice_reference = 'Number of the invoice that it pays, as the client wrote it.',
    paid_on = 'Day on which it arrived.',
    amount = 'Amount in euros.'
  ),
  audits (
    not_null(columns := payment_id)
  )
);

SELECT
  payments.id::TEXT AS payment_id,
  payments.invoice_reference::TEXT AS invoice_reference,
  payments.paid_on::DATE AS paid_on,
  payments.amount::DECIMAL(10, 2) AS amount
FROM staging.billing__payments AS payments
WHERE
  payments.paid_on BETWEEN @start_ds::DATE AND @end_ds::DATE
  AND NOT EXISTS(
    SELECT
      1
    FROM staging.app__invoices AS invoices
    WHERE
      payments.invoice_reference = invoices.reference
  )
