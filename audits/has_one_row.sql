AUDIT (
  name has_one_row
);

/* A model that says one thing says it once. */
SELECT
  COUNT(*) AS number_of_rows
FROM @this_model
HAVING
  COUNT(*) <> 1
