"""The backends of `bitlif.open`: one interface over models, simulated gates and boards."""
