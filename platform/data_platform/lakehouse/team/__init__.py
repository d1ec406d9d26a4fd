"""A team on one lakehouse: DuckLake, its catalogue and SQLMesh's state in PostgreSQL."""
