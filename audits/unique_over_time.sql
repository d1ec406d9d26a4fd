AUDIT (
  name unique_over_time
);

/* A key is in one row only, also across periods that were computed apart: the rows of this period
   share it neither with each other nor with any row of another period. */
SELECT
  MIN(fresh.@shown_column) AS repeated
FROM @this_model AS fresh
INNER JOIN @here AS every_row
  ON fresh.@key_column = every_row.@key_column
GROUP BY
  fresh.@key_column
HAVING
  COUNT(*) > 1
