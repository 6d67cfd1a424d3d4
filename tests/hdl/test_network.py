"""The core of a network: bit for bit and clock cycle for clock cycle the model."""

from __future__ import annotations

import pytest
from network_bench import differences
from networks import network_stimulus, random_networks, sweepable, with_random_gates

STALLS = [(0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (0.0, 0.5, 0.7)]


@pytest.mark.parametrize("number", range(12))
def test_network_that_runs_is_the_model(number: int) -> None:
    config = with_random_gates(random_networks(12)[number], number)
    events, weights, targets = network_stimulus(config, number)
    stalls = STALLS[number % 3]
    assert differences(config, weights, events, targets, stalls=stalls, seed=number) == []


@pytest.mark.parametrize("number", range(16))
def test_network_that_learns_is_the_model(number: int) -> None:
    config = sweepable(random_networks(16)[number], number)
    events, weights, targets = network_stimulus(config, number)
    stalls = STALLS[(number + number // 3) % 3]
    # A host that changes its mind waits until the network is idle, which takes clock cycles.
    learns = [True, not any(stalls) or number % 4 > 0, True]
    found = differences(config, weights, events, targets, learns=learns, stalls=stalls, seed=number)
    assert found == []
