AUDIT (
  name one_row_a_month
);

/* Each period has a row for every month from its start to its end, or to the as-of month where it has
   none yet: as many rows in all as the periods have months, counted between first days, since engines
   differ about the months between any others. Over all of time: a model that is computed by
   period names itself. */
WITH expected AS (
  SELECT
    COALESCE(
      SUM(
        DATE_DIFF(
          'MONTH',
          DATE_TRUNC('MONTH', periods.start_date)::DATE,
          DATE_TRUNC('MONTH', LEAST(COALESCE(periods.end_date, as_of.as_of_date), as_of.as_of_date))::DATE
        ) + 1
      ),
      0
    ) AS number_of_rows
  FROM @periods AS periods
  CROSS JOIN intermediate.as_of AS as_of
), found AS (
  SELECT
    COUNT(*) AS number_of_rows
  FROM @here
)
SELECT
  found.number_of_rows AS rows_here,
  expected.number_of_rows AS months_of_all_periods
FROM found
CROSS JOIN expected
WHERE
  found.number_of_rows <> expected.number_of_rows
