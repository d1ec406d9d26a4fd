AUDIT (
  name references_are_consecutive,
  blocking FALSE
);

/* DAT-01: invoice numbers have no gaps. A warning that lists the gaps, one row each: a cancelled
   draft leaves one behind, and nobody can invoice it after the fact. */
WITH numbers AS (
  SELECT DISTINCT
    REGEXP_EXTRACT(reference, '[0-9]+$')::BIGINT AS number,
    CAST(LENGTH(reference) - 3 AS INT) AS digits
  FROM @this_model
  WHERE
    REGEXP_MATCHES(reference, '^JMP[0-9]+$')
), neighbours AS (
  SELECT
    LAG(number, 1, 0::BIGINT) OVER (ORDER BY number) AS previous_number,
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
  END AS missing
FROM neighbours
WHERE
  number > previous_number + 1
ORDER BY
  number
