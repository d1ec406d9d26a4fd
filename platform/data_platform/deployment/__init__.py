"""How production's code changes: plan, diff, promote, rollback, review."""
