AUDIT (
  name foreign_key
);

/* Every value of a column exists in its parent: nothing points to what is not there.
   The parent has to be among what the model reads (its query or depends_on). */
SELECT
  child.@key_column AS missing_key
FROM @this_model AS child
LEFT JOIN @parent AS parent
  ON child.@key_column = parent.@parent_column
WHERE
  NOT child.@key_column IS NULL AND parent.@parent_column IS NULL
