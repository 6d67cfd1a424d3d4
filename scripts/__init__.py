"""The ``bitlif`` command: one module for each subcommand."""
