AUDIT (
  name months_reach_the_as_of_month
);

/* A report that has any month goes on to the as-of month: the reader sees that nothing is late. */
SELECT
  MAX(@month_column) AS last_month,
  MAX(as_of.as_of_month) AS as_of_month
FROM @this_model
CROSS JOIN intermediate.as_of AS as_of
HAVING
  MAX(@month_column) <> MAX(as_of.as_of_month)
