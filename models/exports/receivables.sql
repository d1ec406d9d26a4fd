MODEL (
  name exports.receivables,
  kind VIEW,
  owner finance,
  grain ("Client", "Month"),
  tags 'control_total:Invoiced (in €)',
  description 'For finance: who owes Jump money. One row per client and month of issue.',
  column_descriptions (
    "Client" = 'Name of the client.',
    "Month" = 'Month of issue, like 2022/04.',
    "Invoiced (in €)" = 'What was invoiced, like 34,15.',
    "Paid (in €)" = 'What was paid of it by the as-of date.',
    "Outstanding (in €)" = 'What was not; below 0 where the client paid twice.',
    "Overdue (in €)" = 'What is unpaid of invoices issued more than 30 days before.'
  ),
  audits (
    same_number_of_rows(other := marts.finance__receivables)
  )
);

SELECT
  client_name::TEXT AS "Client",
  STRFTIME(month, '%Y/%m')::TEXT AS "Month",
  @euros(invoiced)::TEXT AS "Invoiced (in €)",
  @euros(paid)::TEXT AS "Paid (in €)",
  @euros(outstanding)::TEXT AS "Outstanding (in €)",
  @euros(overdue)::TEXT AS "Overdue (in €)"
FROM marts.finance__receivables
