"""Comparison of gates with the models: golden vectors, crosschecks and injected faults."""
