AUDIT (
  name totals_agree
);

/* Not a cent is lost or made between two models, over all of time: a model that is computed by period
   names itself, since @this_model is the period's rows alone. */
SELECT
  mine.total AS total_here,
  theirs.total AS total_there
FROM (
  SELECT
    COALESCE(SUM(@here_column), 0)::DECIMAL(38, 2) AS total
  FROM @here
) AS mine
CROSS JOIN (
  SELECT
    COALESCE(SUM(@there_column), 0)::DECIMAL(38, 2) AS total
  FROM @there
) AS theirs
WHERE
  mine.total <> theirs.total
