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

/* A number is as long as it is: it need not fit into an integer. Runs of numbers begin where the one
   before is missing and end where the one after is: of those there are few to put in order, however many
   numbers there are. */
WITH written AS (
  SELECT
    CASE
      WHEN LENGTH(reference) <= 21
      THEN SUBSTRING(reference, 4)::BIGINT::DECIMAL(38, 0) /* a hundred times faster */
      ELSE SUBSTRING(reference, 4)::DECIMAL(38, 0)
    END AS number,
    LENGTH(reference) - 3 AS digits,
    issue_date
  FROM intermediate.invoices
  WHERE
    REGEXP_MATCHES(reference, '^JMP[0-9]+$') AND LENGTH(reference) <= 40
), numbers AS (
  SELECT
    number,
    MAX(digits) AS digits,
    MIN(issue_date) AS first_date,
    MAX(issue_date) AS last_date
  FROM written
  GROUP BY
    number
), starts AS (
  SELECT
    numbers.number,
    numbers.digits,
    numbers.first_date,
    ROW_NUMBER() OVER (ORDER BY numbers.number) AS place
  FROM numbers
  LEFT JOIN numbers AS before
    ON before.number = numbers.number - 1
  WHERE
    before.number IS NULL
), ends AS (
  SELECT
    numbers.number,
    numbers.last_date,
    ROW_NUMBER() OVER (ORDER BY numbers.number) AS place
  FROM numbers
  LEFT JOIN numbers AS after
    ON after.number = numbers.number + 1
  WHERE
    after.number IS NULL
), gaps AS (
  SELECT
    COALESCE(ends.number, 0) + 1 AS first_number,
    starts.number - 1 AS last_number,
    starts.digits,
    ends.last_date AS before_date,
    starts.first_date AS after_date
  FROM starts
  LEFT JOIN ends
    ON ends.place = starts.place - 1
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
