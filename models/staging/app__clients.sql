MODEL (
  name staging.app__clients,
  kind VIEW,
  owner data,
  grain id,
  description 'One row per client entry, cleaned; a client may have been entered twice.',
  column_descriptions (
    id = 'Identifier of the entry.',
    name = 'Name of the client, without stray white space, the spelling kept.'
  ),
  audits (
    primary_key(key_columns := id),
    same_number_of_rows(other := sources.app__clients)
  )
);

SELECT
  id::TEXT AS id,
  @clean_name(name)::TEXT AS name
FROM sources.app__clients
