AUDIT (
  name foreign_key,
  defaults (
    shown_column = @key_column
  )
);

/* Every row points to a row of the parent, and to one that is there.
   The parent has to be among what the model reads (its query or depends_on). */
SELECT
  child.@shown_column AS pointing_nowhere
FROM @this_model AS child
LEFT JOIN @parent AS parent
  ON child.@key_column = parent.@parent_column
WHERE
  parent.@parent_column IS NULL
