"""The benchmarks of ``bitlif bench``."""
