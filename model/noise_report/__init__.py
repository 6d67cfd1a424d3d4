"""The noise report: exact distribution, phases, LFSR streams and measured draws."""
