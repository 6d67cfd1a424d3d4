"""The claims of the source as experiments, in the integer and the float model."""
