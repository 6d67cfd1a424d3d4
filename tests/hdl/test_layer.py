"""The layer core: the clock cycles that the model assumes for its pipelines."""

from __future__ import annotations

import re

import pytest
from amaranth.back import rtlil
from window_bench import differences

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


MIXED = {
    "three steps": {"layer__inputs": 3, "window__steps": 3, "window__trace": "carry"},
    "one step": {
        "layer__inputs": 2, "window__steps": 1, "window__state": "carry", "window__lfsr": "carry",
    },
    "teacher": {
        "layer__inputs": 3, "membrane__reset": "teacher", "window__steps": 2, "gates__products": 2,
    },
    "one of each": {
        "layer__inputs": 1, "layer__neurons": 1, "layer__lanes": 1, "window__steps": 2,
    },
    "a wide row, seven inputs": {
        "layer__inputs": 7, "layer__neurons": 3, "layer__lanes": 1, "window__steps": 1,
        "gates__synapses": 3,
    },
    "short groups, one port": {
        "layer__inputs": 5, "layer__neurons": 7, "layer__lanes": 1, "window__steps": 2,
        "gates__synapses": 3, "gates__products": 2, "gates__single_port": "all",
    },
}  # fmt: skip


@pytest.mark.parametrize("stalls", [(0.0, 0.0, 0.0), (0.6, 0.0, 0.0), (0.0, 0.4, 0.8)])
@pytest.mark.parametrize("name", MIXED)
def test_windows_may_learn_or_not(name: str, stalls: tuple[float, float, float]) -> None:
    config = Config.load("tiny").replace(**MIXED[name])
    learns = [True, False, True, True, False, False, True]
    assert differences(config, learns=learns, seed=3, stalls=stalls) == []
