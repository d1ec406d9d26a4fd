AUDIT (
  name starts_before_it_ends,
  defaults (
    key_column = sk
  )
);

/* A period ends on the day it starts, or later; an open one has no end. */
SELECT
  @key_column AS period_key,
  @start_column AS starts,
  @end_column AS ends
FROM @this_model
WHERE
  @end_column < @start_column
