AUDIT (
  name crm_knows_freelancers,
  blocking FALSE,
  defaults (
    least_share = 0.99
  )
);

/* The CRM knows at least this share of the freelancers; below it, scores speak for too few. A
   warning that names those it lacks by their keys. */
WITH unknown AS (
  SELECT
    freelancers.sk
  FROM @this_model AS freelancers
  WHERE
    NOT EXISTS(
      SELECT
        1
      FROM intermediate.customers AS entries
      WHERE
        freelancers.sk = entries.sk
    )
)
SELECT
  sk AS unknown_freelancer,
  '{count} of {total} freelancers ({share}) are not in the CRM: nobody knows how satisfied they are' AS warning
FROM unknown
WHERE
  (
    SELECT
      COUNT(*)
    FROM unknown
  ) > (
    1 - @least_share
  ) * (
    SELECT
      COUNT(*)
    FROM @this_model
  )
