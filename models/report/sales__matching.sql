MODEL (
  name report.sales__matching,
  kind VIEW,
  owner sales,
  grain (side, match),
  description 'How many people the application and the CRM both know, and what the others look like.',
  column_descriptions (
    side = 'Whose people: freelancers, of the application, or crm.',
    match = 'What the other side has: both, other name at the address, other address of the name, nobody.',
    people = 'How many there are.',
    of_all = 'How many people the side has.',
    share = 'The former in percent of the latter; null where there is nobody.'
  ),
  audits (
    primary_key(key_columns := (side, match)),
    forall(criteria := (
      people <= of_all
    ))
  )
);

WITH counted AS (
  SELECT
    match,
    COUNT_IF(is_freelancer) AS freelancers,
    COUNT_IF(is_in_crm) AS entries
  FROM marts.sales__crm_matches
  GROUP BY
    match
), every AS (
  SELECT
    sides.side,
    matches.match,
    COALESCE(CASE WHEN sides.side = 'crm' THEN counted.entries ELSE counted.freelancers END, 0) AS people
  FROM (VALUES
    ('freelancers'),
    ('crm')) AS sides(side)
  CROSS JOIN (VALUES
    ('both'),
    ('other name'),
    ('other address'),
    ('nobody')) AS matches(match)
  LEFT JOIN counted
    ON matches.match = counted.match
), totals AS (
  SELECT
    side,
    match,
    people,
    SUM(people) OVER (PARTITION BY side) AS of_all
  FROM every
)
SELECT
  side::TEXT AS side,
  match::TEXT AS match,
  people::BIGINT AS people,
  of_all::BIGINT AS of_all,
  CASE WHEN of_all > 0 THEN ROUND(100 * people::DECIMAL(18, 4) / of_all, 1) END::DECIMAL(4, 1) AS share
FROM totals
