AUDIT (
  name unique_over_time,
  defaults (changed_from = '0001-01-01'::DATE, changed_to = '9999-12-31'::DATE)
);

/* A key is in one row only, also across periods that were computed apart: the rows of this period share
   it neither with each other nor with any row of another period. A view has no period of its own: the
   platform says which days a load has changed. */
SELECT
  MIN(every_row.@shown_column) AS repeated,
  COUNT(*) AS number_of_rows
FROM @here AS every_row
WHERE
  every_row.@key_column IN (
    SELECT
      fresh.@key_column
    FROM @this_model AS fresh
    WHERE
      fresh.@time_column BETWEEN @changed_from AND @changed_to
  )
GROUP BY
  every_row.@key_column
HAVING
  COUNT(*) > 1
