"""The gates: each unit of `bitlif.model` that has hardware has a twin of the same name here."""
