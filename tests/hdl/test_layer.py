"""The layer core: the clock cycles that the model assumes for its pipelines."""

from __future__ import annotations

import re

import pytest
from amaranth.back import rtlil

from bitlif.hdl.layer import LayerCore, pipeline_depths
from bitlif.model import clocks
from bitlif.model.config.config import Config


def test_depths_of_the_model_are_those_of_the_stages() -> None:
    depths = pipeline_depths()
    assert {name: getattr(clocks, name) for name in depths} == depths
    # No depth is left out. The other constants count states of the state machine.
    named = {name for name in vars(clocks) if name.endswith("_DEPTH")}
    assert named - {"SPIKE_DEPTH"} == set(depths)


@pytest.mark.parametrize("name", pipeline_depths())
def test_elaboration_fails_on_a_wrong_depth(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    depth = getattr(clocks, name)
    monkeypatch.setattr(clocks, name, depth + 1)
    with pytest.raises(AssertionError, match=re.escape(f"{name} must be {depth}")):
        rtlil.convert(LayerCore(Config.load("tiny")))
