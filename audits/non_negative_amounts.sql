AUDIT (
  name non_negative_amounts
);

/* Nobody invoices less than nothing. */
SELECT
  reference
FROM @this_model
WHERE
  amount < 0
