"""The configuration: its sections, TOML in and out, seeds and warnings."""
