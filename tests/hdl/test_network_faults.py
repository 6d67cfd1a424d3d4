"""Planted faults: each is found, in the layer and the pass in which it was planted."""

from __future__ import annotations

import pytest
from network_faults import FAULTS, LATE, WINDOWS, first_difference, plant


@pytest.mark.parametrize("update", ["window", "spike"])
def test_no_difference_without_a_fault(update: str) -> None:
    assert first_difference(update, WINDOWS) is None


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found_where_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS[name]
    plant(monkeypatch, fault)
    windows = WINDOWS if name in LATE else 1
    assert first_difference(fault.update, windows) == (fault.layer, fault.part)
