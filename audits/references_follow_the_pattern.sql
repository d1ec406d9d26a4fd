AUDIT (
  name references_follow_the_pattern,
  blocking FALSE
);

/* DAT-01: an invoice number is JMP and digits, as many in each. Over all of time. A warning: it stops
   no run. */
SELECT
  reference,
  '{count} of {total} invoice numbers ({share}) are not JMP and as many digits as the others' AS warning
FROM @here
WHERE
  NOT REGEXP_MATCHES(reference, '^JMP[0-9]+$')
  OR LENGTH(reference) <> (
    SELECT
      MAX(LENGTH(reference))
    FROM @here
  )
