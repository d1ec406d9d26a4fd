"""Bare DuckDB: the models' SQL one after the other, and their audits; a process of its own.

python bare.py DATABASE MODELS.json, where the database has the raw tables.
"""

import json
import sys
from pathlib import Path

import duckdb


def main() -> None:
    """Build every model, and count what breaks each audit's claim."""
    database, models = sys.argv[1:]
    with duckdb.connect(database) as connection:
        for model in json.loads(Path(models).read_text(encoding="utf-8")):
            schema, _, name = model["name"].partition(".")
            kind = "VIEW" if model["is_view"] else "TABLE"
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
            connection.execute(f'CREATE {kind} "{schema}"."{name}" AS {model["sql"]}')
            for audit in model["audits"]:
                connection.execute(f"SELECT COUNT(*) FROM ({audit['sql']})").fetchall()


if __name__ == "__main__":
    main()
