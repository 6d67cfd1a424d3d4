"""How the gates are run beside the model: one interface over every backend."""
