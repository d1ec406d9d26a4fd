AUDIT (
  name no_look_alikes,
  blocking FALSE
);

/* No two keys belong to names that a person would take for one: they differ in characters that nobody
   sees, or in an apostrophe or a dash. A warning: one of the two was most likely mistyped. */
SELECT
  sk AS looks_like_another,
  '{count} of {total} names ({share}) look like another: they differ in invisible characters, apostrophes or dashes' AS warning
FROM (
  SELECT
    sk,
    COUNT(*) OVER (PARTITION BY @seen_names(@name_columns)) AS number_of_keys
  FROM @this_model
) AS seen
WHERE
  number_of_keys > 1
