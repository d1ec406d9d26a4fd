MODEL (
  name exports.reference_gaps,
  kind VIEW,
  owner finance,
  grain "First Missing Reference",
  description 'For accounting: the numbers of invoices that are missing. One row per gap.',
  column_descriptions (
    "First Missing Reference" = 'The first reference that is missing.',
    "Last Missing Reference" = 'The last one.',
    "Missing References" = 'How many are missing.',
    "Issued Before" = 'Issue date of the invoice before the gap, like 2022/02/01; empty before the first.',
    "Issued After" = 'Issue date of the invoice after it.'
  ),
  audits (
    same_number_of_rows(other := marts.accounting__reference_gaps)
  )
);

SELECT
  first_missing::TEXT AS "First Missing Reference",
  last_missing::TEXT AS "Last Missing Reference",
  missing::TEXT AS "Missing References",
  STRFTIME(before_date, '%Y/%m/%d')::TEXT AS "Issued Before",
  STRFTIME(after_date, '%Y/%m/%d')::TEXT AS "Issued After"
FROM marts.accounting__reference_gaps
