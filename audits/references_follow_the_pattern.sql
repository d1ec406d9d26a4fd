AUDIT (
  name references_follow_the_pattern,
  blocking FALSE
);

/* DAT-01: an invoice number is JMP and digits, as many in each. A warning: it stops no run. */
SELECT
  reference
FROM @this_model
WHERE
  NOT REGEXP_MATCHES(reference, '^JMP[0-9]+$')
  OR LENGTH(reference) <> (
    SELECT
      MAX(LENGTH(reference))
    FROM @here
  )
