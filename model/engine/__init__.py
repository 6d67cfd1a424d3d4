"""The compiled engine: compilation by Numba, the cache of compiled code, and array loops."""
