"""From the applications to Parquet files, and from those to the raw tables of the lakehouse."""
