AUDIT (
  name months_have_no_gaps,
  defaults (
    key_columns = (
      TRUE
    )
  )
);

/* A report shows every month between its first and its last, for each key of its own; a month
   without activity is a row with zero. One row per key that lacks months; a month that is there
   twice is for an audit of uniqueness to find. */
SELECT
  MIN(@month_column) AS first_month,
  MAX(@month_column) AS last_month,
  COUNT(*) AS number_of_months
FROM @this_model
GROUP BY
  @EACH(@key_columns, key_column -> key_column)
HAVING
  COUNT(*) <> DATE_DIFF('MONTH', MIN(@month_column), MAX(@month_column)) + 1
