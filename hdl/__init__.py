"""The model in gates: each file of `bitlif.model` that has hardware has its twin here."""
