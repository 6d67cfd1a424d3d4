"""Shared by the commands: parsers, tables, progress bars, messages and output files."""
