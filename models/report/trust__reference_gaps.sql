MODEL (
  name report.trust__reference_gaps,
  kind VIEW,
  owner finance,
  grain first_missing,
  description 'Which numbers of invoices are missing.',
  column_descriptions (
    first_missing = 'The first reference that is missing.',
    last_missing = 'The last one.',
    missing = 'How many are missing.',
    before_date = 'Issue date of the invoice before the gap, null before the first.',
    after_date = 'Issue date of the invoice after it.'
  ),
  audits (
    same_number_of_rows(other := marts.accounting__reference_gaps)
  )
);

SELECT
  first_missing::TEXT AS first_missing,
  last_missing::TEXT AS last_missing,
  missing::DECIMAL(38, 0) AS missing,
  before_date::DATE AS before_date,
  after_date::DATE AS after_date
FROM marts.accounting__reference_gaps
