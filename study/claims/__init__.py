"""The claims of the poster as experiments, in the integer and the float model."""
