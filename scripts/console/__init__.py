"""What the commands share at the terminal: parsers, progress, tables and output files."""
