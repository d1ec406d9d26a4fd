AUDIT (
  name months_are_complete,
  defaults (
    key_columns = (
      TRUE
    )
  )
);

/* A report shows every month from its first to the as-of month once, for each key of its own; a month
   without activity is a row with zero, and the reader sees that nothing is late. Over all of time: a
   model that is computed by period names itself. One row per key that lacks or repeats months. */
SELECT
  MIN(here.@month_column) AS first_month,
  MAX(here.@month_column) AS last_month,
  COUNT(*) AS number_of_months
FROM @here AS here
CROSS JOIN intermediate.as_of AS as_of
GROUP BY
  @EACH(@key_columns, key_column -> key_column)
HAVING
  COUNT(*) <> COUNT(DISTINCT here.@month_column)
  OR COUNT(*) <> DATE_DIFF('MONTH', MIN(here.@month_column), MAX(as_of.as_of_month)) + 1
  OR MAX(here.@month_column) <> MAX(as_of.as_of_month)
