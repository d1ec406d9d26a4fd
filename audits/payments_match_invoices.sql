AUDIT (
  name payments_match_invoices,
  blocking FALSE
);

/* Every payment names an invoice that there is. A warning: what is paid under another number has to be
   assigned by a person, and until then its invoice counts as unpaid. */
SELECT
  payment_id AS unassigned_payment,
  '{count} payments name no invoice: what they pay counts as unpaid' AS warning
FROM @unassigned
