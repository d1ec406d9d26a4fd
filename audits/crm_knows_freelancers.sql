AUDIT (
  name crm_knows_freelancers,
  blocking FALSE,
  defaults (
    least_share = 0.99
  )
);

/* The CRM knows at least this share of the freelancers; below it, scores speak for too few. A
   warning that names those it lacks by their keys. */
WITH matches AS (
  SELECT
    freelancers.sk,
    MAX(CASE WHEN customers.email IS NULL THEN 0 ELSE 1 END) AS is_known
  FROM @this_model AS freelancers
  LEFT JOIN staging.crm__customers AS customers
    ON freelancers.email = customers.email
    AND UPPER(freelancers.last_name) = UPPER(customers.last_name)
    AND UPPER(freelancers.first_name) = UPPER(customers.first_name)
  GROUP BY
    freelancers.sk
)
SELECT
  sk AS unknown_freelancer
FROM matches
WHERE
  is_known = 0 AND (
    SELECT
      AVG(is_known)
    FROM matches
  ) < @least_share
