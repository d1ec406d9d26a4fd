MODEL (
  name intermediate.clients,
  kind FULL,
  owner data,
  grain sk,
  description 'One row per client, however many entries the application has for it.',
  column_descriptions (
    sk = 'Surrogate key of the client: its name, compared upper-case.',
    name = 'The most frequent spelling, the smallest of those that are equally frequent.'
  ),
  audits (primary_key(key_columns := sk), no_look_alikes(name_columns := name))
);

WITH spellings AS (
  SELECT
    @client_key(name) AS sk,
    name,
    COUNT(*) AS entries
  FROM staging.app__clients
  GROUP BY
    name
), ranked AS (
  SELECT
    sk,
    name,
    ROW_NUMBER() OVER (PARTITION BY sk ORDER BY entries DESC, name) AS place
  FROM spellings
)
SELECT
  sk::UUID AS sk,
  name::TEXT AS name
FROM ranked
WHERE
  place = 1
