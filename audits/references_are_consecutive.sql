AUDIT (
  name references_are_consecutive,
  blocking FALSE
);

/* DAT-01: invoice numbers have no gaps, the one before the first included. Over all of time: one row per
   gap, also after a day's run. A warning: a cancelled draft leaves a gap behind, and nobody can invoice it
   after the fact. A number is as long as it is: it need not fit into an integer. Runs of numbers begin
   where the one before is missing and end where the one after is: of those there are few to put in order,
   however many numbers there are. */
WITH written AS (
  SELECT
    CASE
      WHEN LENGTH(reference) <= 21
      THEN SUBSTRING(reference, 4)::BIGINT::DECIMAL(38, 0) /* a hundred times faster */
      ELSE SUBSTRING(reference, 4)::DECIMAL(38, 0)
    END AS number,
    CAST(LENGTH(reference) - 3 AS INT) AS digits
  FROM @here
  WHERE
    REGEXP_MATCHES(reference, '^JMP[0-9]+$') AND LENGTH(reference) <= 40
), numbers AS (
  SELECT
    number,
    MAX(digits) AS digits
  FROM written
  GROUP BY
    number
), starts AS (
  SELECT
    numbers.number,
    numbers.digits,
    ROW_NUMBER() OVER (ORDER BY numbers.number) AS place
  FROM numbers
  LEFT JOIN numbers AS before
    ON before.number = numbers.number - 1
  WHERE
    before.number IS NULL
), ends AS (
  SELECT
    numbers.number,
    ROW_NUMBER() OVER (ORDER BY numbers.number) AS place
  FROM numbers
  LEFT JOIN numbers AS after
    ON after.number = numbers.number + 1
  WHERE
    after.number IS NULL
), gaps AS (
  SELECT
    COALESCE(ends.number, 0) AS previous_number,
    starts.number,
    starts.digits
  FROM starts
  LEFT JOIN ends
    ON ends.place = starts.place - 1
)
SELECT
  CASE
    WHEN number = previous_number + 2
    THEN CONCAT('JMP', LPAD(CAST(number - 1 AS TEXT), digits, '0'))
    ELSE CONCAT(
      'JMP',
      LPAD(CAST(previous_number + 1 AS TEXT), digits, '0'),
      ' to JMP',
      LPAD(CAST(number - 1 AS TEXT), digits, '0')
    )
  END AS missing,
  '{count} gaps in the numbers of {total} invoices ({share}): cancelled drafts, or invoices that are missing' AS warning
FROM gaps
WHERE
  number > previous_number + 1
ORDER BY
  number
