"""Proofs for all inputs: the gates against the model's own functions, by a solver."""
