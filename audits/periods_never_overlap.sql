AUDIT (
  name periods_never_overlap
);

/* The periods of one key have no day in common, one within another included. An end is the last
   day; a period that starts the day after is fine. One row per period that starts too early. */
WITH earlier AS (
  SELECT
    @key_column AS period_key,
    @start_column AS starts,
    MAX(COALESCE(@end_column, '9999-12-31'::DATE)) OVER (
      PARTITION BY @key_column
      ORDER BY @start_column, COALESCE(@end_column, '9999-12-31'::DATE)
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS latest_end_before
  FROM @this_model
)
SELECT
  period_key,
  starts
FROM earlier
WHERE
  starts <= latest_end_before
