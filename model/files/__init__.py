"""File formats: events, targets, weights and saved states."""
