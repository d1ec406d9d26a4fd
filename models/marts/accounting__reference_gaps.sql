MODEL (
  name marts.accounting__reference_gaps,
  kind FULL,
  owner finance,
  grain first_missing,
  description 'One row per gap in the numbers of the invoices, over all of time: cancelled drafts, or invoices that are missing.',
  column_descriptions (
    first_missing = 'The first reference that is missing, as wide as the one after the gap.',
    last_missing = 'The last one.',
    missing = 'How many are missing.',
    before_date = 'Issue date of the invoice before the gap, null before the first.',
    after_date = 'Issue date of the invoice after it.'
  ),
  audits (
    primary_key(key_columns := first_missing),
    references_are_consecutive(here := marts.accounting__reference_gaps)
  )
);

/* A gap lies before the first number of a run that no earlier run has reached. */
WITH starts AS (
  SELECT
    first_number,
    MAX(last_number) AS last_number,
    MAX(digits) AS digits,
    MIN(first_date) AS first_date
  FROM intermediate.reference_runs
  GROUP BY
    first_number
), ends AS (
  SELECT
    last_number,
    MAX(last_date) AS last_date
  FROM intermediate.reference_runs
  GROUP BY
    last_number
), reached AS (
  SELECT
    first_number,
    digits,
    first_date,
    COALESCE(
      MAX(last_number) OVER (ORDER BY first_number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
      0
    ) AS number_before
  FROM starts
), gaps AS (
  SELECT
    reached.number_before + 1 AS first_number,
    reached.first_number - 1 AS last_number,
    reached.digits,
    ends.last_date AS before_date,
    reached.first_date AS after_date
  FROM reached
  LEFT JOIN ends
    ON reached.number_before = ends.last_number
)
SELECT
  CONCAT('JMP', LPAD(first_number::TEXT, digits::INT, '0'))::TEXT AS first_missing,
  CONCAT('JMP', LPAD(last_number::TEXT, digits::INT, '0'))::TEXT AS last_missing,
  (
    last_number - first_number + 1
  )::DECIMAL(38, 0) AS missing,
  before_date::DATE AS before_date,
  after_date::DATE AS after_date
FROM gaps
WHERE
  first_number <= last_number
