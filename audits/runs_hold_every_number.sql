AUDIT (
  name runs_hold_every_number
);

/* The runs of a month hold as many numbers as the invoices of the month have: none is in two runs, or
   in none. Of a month whose first day is not in the window there are no runs. */
WITH held AS (
  SELECT
    issue_month,
    SUM(last_number - first_number + 1) AS numbers
  FROM @this_model
  GROUP BY
    issue_month
), written AS (
  SELECT
    DATE_TRUNC('MONTH', issue_date)::DATE AS issue_month,
    COUNT(DISTINCT @reference_number(reference)) AS numbers
  FROM intermediate.invoices
  WHERE
    @is_numbered(reference)
    AND issue_date BETWEEN @start_ds::DATE AND LAST_DAY(@end_ds::DATE)
    AND DATE_TRUNC('MONTH', issue_date)::DATE BETWEEN @start_ds::DATE AND @end_ds::DATE
  GROUP BY
    DATE_TRUNC('MONTH', issue_date)::DATE
)
SELECT
  COALESCE(held.issue_month, written.issue_month) AS issue_month,
  held.numbers AS numbers_here,
  written.numbers AS numbers_there
FROM held
FULL JOIN written
  ON held.issue_month = written.issue_month
WHERE
  COALESCE(held.numbers, 0) <> COALESCE(written.numbers, 0)
