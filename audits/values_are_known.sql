AUDIT (
  name values_are_known
);

/* A column holds one of the values that are known, and nothing else; a null is none. */
SELECT
  @key_column AS of_another_value,
  @column AS found
FROM @this_model
WHERE
  NOT COALESCE(@column IN @is_in, FALSE)
