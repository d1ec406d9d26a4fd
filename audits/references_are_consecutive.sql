AUDIT (
  name references_are_consecutive,
  blocking FALSE
);

/* DAT-01: invoice numbers have no gaps, the one before the first included. Over all of time. A warning: a
   cancelled draft leaves a gap behind, and nobody can invoice it after the fact. */
SELECT
  first_missing,
  '{count} gaps in the numbers of the invoices: cancelled drafts, or invoices that are missing; all of them: exports/reference_gaps.csv' AS warning
FROM @here
