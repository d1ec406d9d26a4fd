AUDIT (
  name payments_are_accounted_for
);

/* Every cent that has arrived by the as-of date is of an invoice or waits to be assigned, over all of
   time: a model that is computed by period names itself. */
WITH arrived AS (
  SELECT
    COALESCE(SUM(payments.amount), 0)::DECIMAL(38, 2) AS total
  FROM staging.billing__payments AS payments
  CROSS JOIN intermediate.as_of AS as_of
  WHERE
    payments.paid_on <= as_of.as_of_date
), assigned AS (
  SELECT
    COALESCE(SUM(paid), 0)::DECIMAL(38, 2) AS total
  FROM @here
), unassigned AS (
  SELECT
    COALESCE(SUM(payments.amount), 0)::DECIMAL(38, 2) AS total
  FROM intermediate.unassigned_payments AS payments
  CROSS JOIN intermediate.as_of AS as_of
  WHERE
    payments.paid_on <= as_of.as_of_date
)
SELECT
  arrived.total AS total_arrived,
  assigned.total AS total_assigned,
  unassigned.total AS total_unassigned
FROM arrived
CROSS JOIN assigned
CROSS JOIN unassigned
WHERE
  arrived.total <> assigned.total + unassigned.total
