AUDIT (
  name unique_over_time,
  defaults (changed_from = '0001-01-01'::DATE, changed_to = '9999-12-31'::DATE)
);

/* A key is in every row, and in one only, also across periods that were computed apart: the rows of
   this period share it neither with each other nor with any row of another period. A view has no
   period of its own: the platform says which days a load has changed. */
SELECT
  MIN(fresh.@shown_column) AS repeated,
  COUNT(*) AS number_of_rows
FROM @this_model AS fresh
LEFT JOIN @here AS every_row
  ON fresh.@key_column = every_row.@key_column
WHERE
  fresh.@time_column BETWEEN @changed_from AND @changed_to
GROUP BY
  fresh.@key_column
HAVING
  COUNT(*) > 1 OR fresh.@key_column IS NULL
