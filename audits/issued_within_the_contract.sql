AUDIT (
  name issued_within_the_contract
);

/* Jump employs on the days of the contract only: an invoice outside of them is nobody's. */
SELECT
  invoices.reference,
  invoices.issue_date
FROM @this_model AS invoices
INNER JOIN intermediate.job_contracts AS contracts
  ON invoices.job_contract_sk = contracts.sk
WHERE
  invoices.issue_date < contracts.start_date
  OR invoices.issue_date > contracts.end_date
