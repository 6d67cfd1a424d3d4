"""Planted faults: each is found, in the layer and the pass in which it was planted."""

from __future__ import annotations

import pytest
from network_faults import LATE, PLACES, WINDOWS, first_difference

from bitlif.sim.compare.network_faults import NETWORK_FAULTS
from bitlif.sim.compare.patches import line_replaced


@pytest.mark.parametrize("update", ["window", "spike"])
def test_no_difference_without_a_fault(update: str) -> None:
    assert first_difference(update, WINDOWS) is None


@pytest.mark.parametrize("name", NETWORK_FAULTS)
def test_fault_is_found_where_it_is(name: str) -> None:
    fault, (update, *place) = NETWORK_FAULTS[name], PLACES[name]
    with line_replaced(fault.module, fault.line, fault.wrong):
        assert first_difference(update, WINDOWS if name in LATE else 1) == tuple(place)
