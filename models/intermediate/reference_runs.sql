MODEL (
  name intermediate.reference_runs,
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column issue_month
  ),
  owner finance,
  grain (issue_month, first_number),
  tags by_month,
  description 'One row per unbroken run of numbers among the invoices of a month: where one ends and the next begins, numbers may be missing.',
  column_descriptions (
    issue_month = 'First day of the month of issue.',
    first_number = 'The first number of the run.',
    last_number = 'The last one.',
    digits = 'With how many digits the first number is written, at most.',
    first_date = 'Day of issue of the first number.',
    last_date = 'Day of issue of the last number, the latest where it is there twice.'
  ),
  audits (primary_key(key_columns := (issue_month, first_number)), runs_hold_every_number)
);

/* A number is as long as it is: it need not fit into an integer. A run begins where the number before
   is missing and ends where the one after is: of those there are few to put in order, however many
   numbers there are. */
WITH written AS (
  SELECT
    DATE_TRUNC('MONTH', issue_date)::DATE AS issue_month,
    @reference_number(reference) AS number,
    LENGTH(reference) - 3 AS digits,
    issue_date
  FROM intermediate.invoices
  WHERE
    @is_numbered(reference)
    AND issue_date BETWEEN @start_ds::DATE AND LAST_DAY(@end_ds::DATE)
), numbers AS (
  SELECT
    issue_month,
    number,
    MAX(digits) AS digits,
    MIN(issue_date) AS first_date,
    MAX(issue_date) AS last_date
  FROM written
  GROUP BY
    issue_month,
    number
), starts AS (
  SELECT
    numbers.issue_month,
    numbers.number,
    numbers.digits,
    numbers.first_date,
    ROW_NUMBER() OVER (PARTITION BY numbers.issue_month ORDER BY numbers.number) AS place
  FROM numbers
  LEFT JOIN numbers AS before
    ON before.issue_month = numbers.issue_month AND before.number = numbers.number - 1
  WHERE
    before.number IS NULL
), ends AS (
  SELECT
    numbers.issue_month,
    numbers.number,
    numbers.last_date,
    ROW_NUMBER() OVER (PARTITION BY numbers.issue_month ORDER BY numbers.number) AS place
  FROM numbers
  LEFT JOIN numbers AS after
    ON after.issue_month = numbers.issue_month AND after.number = numbers.number + 1
  WHERE
    after.number IS NULL
)
SELECT
  starts.issue_month::DATE AS issue_month,
  starts.number::DECIMAL(38, 0) AS first_number,
  ends.number::DECIMAL(38, 0) AS last_number,
  starts.digits::INT AS digits,
  starts.first_date::DATE AS first_date,
  ends.last_date::DATE AS last_date
FROM starts
INNER JOIN ends
  ON starts.issue_month = ends.issue_month AND starts.place = ends.place
