AUDIT (
  name scores_in_range
);

/* A satisfaction score is 0 to 10, in each entry that the CRM ever had of a person, not in the shown
   one alone. The dates of the entries say where to look; who they are of is nobody's business. */
SELECT
  satisfaction_score,
  updated_at
FROM @here
WHERE
  NOT satisfaction_score BETWEEN 0 AND 10
