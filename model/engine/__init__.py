"""The compiled engine: Numba, its cache on disk, and array loops."""
