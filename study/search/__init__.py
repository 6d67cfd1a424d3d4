"""Studies: searches over configurations, run by workers and kept in Parquet files."""
