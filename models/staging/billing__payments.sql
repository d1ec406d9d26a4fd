MODEL (
  name staging.billing__payments,
  kind VIEW,
  owner data,
  grain id,
  description 'One row per payment, the reference of its invoice without stray white space.',
  column_descriptions (
    id = 'Identifier of the payment.',
    invoice_reference = 'Number of the invoice that it pays, as the client wrote it.',
    amount = 'Amount in euros.',
    paid_on = 'Day on which it arrived.'
  ),
  audits (
    not_null(columns := id),
    unique_over_time(
      here := staging.billing__payments,
      key_column := id,
      shown_column := id,
      time_column := paid_on
    ),
    same_number_of_rows(other := sources.billing__payments)
  )
);

SELECT
  id::TEXT AS id,
  @trimmed(invoice_reference)::TEXT AS invoice_reference,
  amount::DECIMAL(10, 2) AS amount,
  paid_on::DATE AS paid_on
FROM sources.billing__payments
