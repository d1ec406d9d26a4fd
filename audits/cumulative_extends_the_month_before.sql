AUDIT (
  name cumulative_extends_the_month_before
);

/* A cumulative figure is that of the month before and what the month added; a contract's first month
   starts from nothing. */
SELECT
  this_month.job_contract_sk,
  this_month.month
FROM @this_model AS this_month
LEFT JOIN intermediate.turnover_by_contract_month AS last_month
  ON this_month.job_contract_sk = last_month.job_contract_sk
  AND last_month.month = (
    this_month.month - INTERVAL '1' MONTH
  )::DATE
WHERE
  this_month.cumulative_turnover <> COALESCE(last_month.cumulative_turnover, 0) + this_month.turnover
