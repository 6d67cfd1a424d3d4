"""The layer core: the clock cycles that the model assumes for its pipelines."""

from __future__ import annotations

import re

import pytest
from amaranth.back import rtlil

from bitlif.hdl.layer import LayerCore, timings
from bitlif.model import clocks
from bitlif.model.config.config import Config


def test_timings_of_the_model_are_those_of_the_stages() -> None:
    found = timings()
    assert {name: getattr(clocks, name) for name in found} == found
    # None is left out. The others count states of state machines.
    named = {name for name, value in vars(clocks).items() if name.isupper() and name != "CLOSE"}
    assert named - {"SEND", "SETTLE", "STEADY"} == set(found)


@pytest.mark.parametrize("name", timings())
def test_elaboration_fails_on_a_wrong_timing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = getattr(clocks, name)
    monkeypatch.setattr(clocks, name, value + 1)
    with pytest.raises(AssertionError, match=re.escape(f"{name} must be {value}")):
        rtlil.convert(LayerCore(Config.load("tiny")))
