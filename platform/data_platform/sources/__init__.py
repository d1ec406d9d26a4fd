"""The company's applications and their contract: where data comes from."""
