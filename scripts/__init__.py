"""The commands that people type: one file for each subcommand of ``bitlif``."""
