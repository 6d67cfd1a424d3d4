"""The model in gates: each file of `bitlif.model` that has hardware has a twin of the same name here."""
