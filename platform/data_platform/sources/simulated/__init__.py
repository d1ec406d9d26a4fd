"""The applications of a simulated company, drawn from a seed."""
