"""Gates compared with the models: golden vectors, crosschecks and planted faults."""
