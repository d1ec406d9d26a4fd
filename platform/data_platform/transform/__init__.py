"""Production is brought up to a load: what has to be computed again, and its computing."""
