AUDIT (
  name values_are_unique
);

/* A key is in one row only. One row per value that is in several. */
SELECT
  @key_column AS repeated
FROM @this_model
GROUP BY
  @key_column
HAVING
  COUNT(*) > 1
