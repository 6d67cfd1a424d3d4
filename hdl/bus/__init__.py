"""The layer core with standard buses: register map, AXI4-Lite and AXI4-Stream."""
