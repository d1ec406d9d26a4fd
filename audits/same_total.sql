AUDIT (
  name same_total
);

/* Not a cent is lost or made between two models. */
SELECT
  here.total AS total_here,
  there.total AS total_there
FROM (
  SELECT
    COALESCE(SUM(@total_column), 0)::DECIMAL(38, 2) AS total
  FROM @this_model
) AS here
CROSS JOIN (
  SELECT
    COALESCE(SUM(@other_column), 0)::DECIMAL(38, 2) AS total
  FROM @other
) AS there
WHERE
  here.total <> there.total
