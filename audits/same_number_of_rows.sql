AUDIT (
  name same_number_of_rows
);

/* A model that has one row per row of another neither drops nor repeats any. */
SELECT
  here.number_of_rows AS rows_here,
  there.number_of_rows AS rows_there
FROM (
  SELECT
    COUNT(*) AS number_of_rows
  FROM @this_model
) AS here
CROSS JOIN (
  SELECT
    COUNT(*) AS number_of_rows
  FROM @other
) AS there
WHERE
  here.number_of_rows <> there.number_of_rows
