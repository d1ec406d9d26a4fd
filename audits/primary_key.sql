AUDIT (
  name primary_key
);

/* The key is in every row and in one row only. One row per value that is missing or in several. Of a
   model that is computed by period, the rows of the period: time is part of such a key. */
SELECT
  @EACH(@key_columns, key_column -> key_column),
  COUNT(*) AS number_of_rows
FROM @this_model
GROUP BY
  @EACH(@key_columns, key_column -> key_column)
HAVING
  COUNT(*) > 1 OR @OR(@EACH(@key_columns, key_column -> key_column IS NULL))
