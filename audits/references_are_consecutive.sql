AUDIT (
  name references_are_consecutive,
  blocking FALSE
);

/* DAT-01: invoice numbers have no gaps. A warning that lists the gaps of the period, one row each, the
   one before its first number included: a cancelled draft leaves one behind, and nobody can invoice it
   after the fact. */
WITH numbers AS (
  SELECT DISTINCT
    REGEXP_EXTRACT(reference, '[0-9]+$')::BIGINT AS number,
    CAST(LENGTH(reference) - 3 AS INT) AS digits
  FROM @this_model
  WHERE
    REGEXP_MATCHES(reference, '^JMP[0-9]+$')
), latest_before AS (
  SELECT
    MAX(reference) AS reference
  FROM @here
  WHERE
    reference < (
      SELECT
        MIN(reference)
      FROM @this_model
    )
), before AS (
  SELECT
    CASE
      WHEN REGEXP_MATCHES(reference, '^JMP[0-9]+$')
      THEN REGEXP_EXTRACT(reference, '[0-9]+$')::BIGINT
      ELSE 0
    END AS number
  FROM latest_before
), neighbours AS (
  SELECT
    LAG(numbers.number, 1, before.number) OVER (ORDER BY numbers.number) AS previous_number,
    numbers.number,
    numbers.digits
  FROM numbers
  CROSS JOIN before
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
  END AS missing
FROM neighbours
WHERE
  number > previous_number + 1
ORDER BY
  number
