"""Counters and signatures of networks."""

from __future__ import annotations

import numpy as np

from bitlif.model.counters import COUNTERS
from bitlif.model.sweep import SWEEP_COUNTERS
from bitlif.sim.backends.network_result import NETWORK_COUNTERS, network_signature


def test_networks_count_all_but_traces() -> None:
    assert set(COUNTERS) - set(NETWORK_COUNTERS) == {
        "synaptic_trace_saturations", "trace_saturations",
    }  # fmt: skip
    assert set(SWEEP_COUNTERS) <= set(NETWORK_COUNTERS)


def test_signatures_of_arrays_are_those_of_their_items() -> None:
    random = np.random.default_rng(0)
    layers = [random.integers(0, 1 << 32, (2, 3)) for _ in range(4)]
    whole = network_signature(layers)
    for place in np.ndindex(2, 3):
        assert whole[place] == network_signature([int(own[place]) for own in layers])
