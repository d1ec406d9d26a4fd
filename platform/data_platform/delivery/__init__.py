"""What readers get: export files, the rows of queries, the DuckDB shell and SQLMesh's UI."""
