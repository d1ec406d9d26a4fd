AUDIT (
  name references_follow_the_pattern,
  blocking FALSE
);

/* DAT-01: an invoice number is JMP and digits, as many in each. A warning: it stops no run. */
WITH lengths AS (
  SELECT
    reference,
    LENGTH(reference) AS width,
    MAX(LENGTH(reference)) OVER () AS widest
  FROM @this_model
)
SELECT
  reference
FROM lengths
WHERE
  NOT REGEXP_MATCHES(reference, '^JMP[0-9]+$') OR width <> widest
