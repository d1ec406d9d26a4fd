AUDIT (
  name same_rows_and_total
);

/* A model with one row per row of another neither drops nor repeats any, nor a cent, over all of time:
   a model that is computed by period names itself. */
SELECT
  mine.number_of_rows AS rows_here,
  theirs.number_of_rows AS rows_there,
  mine.total AS total_here,
  theirs.total AS total_there
FROM (
  SELECT
    COUNT(*) AS number_of_rows,
    COALESCE(SUM(@here_column), 0)::DECIMAL(38, 2) AS total
  FROM @here
) AS mine
CROSS JOIN (
  SELECT
    COUNT(*) AS number_of_rows,
    COALESCE(SUM(@there_column), 0)::DECIMAL(38, 2) AS total
  FROM @there
) AS theirs
WHERE
  mine.number_of_rows <> theirs.number_of_rows OR mine.total <> theirs.total
