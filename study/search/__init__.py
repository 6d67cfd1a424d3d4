"""Studies: searches over configurations, run by workers and stored in Parquet files."""
