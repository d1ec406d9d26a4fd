AUDIT (
  name references_are_consecutive,
  blocking FALSE
);

/* DAT-01: invoice numbers have no gaps, the one before the first included. Over all of time: one row per
   gap, also after a day's run. A warning: a cancelled draft leaves a gap behind, and nobody can invoice it
   after the fact. A number is as long as it is: it need not fit into an integer. */
WITH numbers AS (
  SELECT DISTINCT
    SUBSTRING(reference, 4)::DECIMAL(38, 0) AS number,
    CAST(LENGTH(reference) - 3 AS INT) AS digits
  FROM @here
  WHERE
    REGEXP_MATCHES(reference, '^JMP[0-9]{1,38}$')
), neighbours AS (
  SELECT
    LAG(number, 1, 0::DECIMAL(38, 0)) OVER (ORDER BY number) AS previous_number,
    number,
    digits
  FROM numbers
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
FROM neighbours
WHERE
  number > previous_number + 1
ORDER BY
  number
