"""Cores whose weights and gradient are in memories with one port, against the model.

Hardware does not define what such a memory shows after a write, nor its rows at power-up. Here it
shows the opposite of the old row, and the core must still match the model.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from bitlif.hdl.export.verilog import core_verilog
from bitlif.model.config.config import Config
from bitlif.sim.backends.gates import GateCore

from agreement import run_both

READ = re.compile(r"    if \((\S+)\) begin\n      (\S+) <= (single_port ?\[.+\]);\n    end\n")
TINY = Config.load("tiny")


def garbage_after_writes(text: str) -> tuple[str, int]:
    """Return Verilog in which memories with one port show garbage after a write."""
    return READ.subn(r"    \2 <= \1 ? \3 : ~\3;\n", text)


WIDTHS: dict[str, dict[str, Any]] = {
    "as wide as the lanes": {},
    "two widths": {"layer__lanes": 1, "gates__synapses": 4, "gates__products": 2},
    "narrow rows": {"layer__lanes": 1, "layer__neurons": 7, "gates__products": 3},
    "one input": {"layer__inputs": 1, "layer__lanes": 1, "gates__synapses": 3},
    "one slot": {"layer__neurons": 2, "layer__lanes": 2},
}


@pytest.mark.parametrize("name", WIDTHS)
def test_learning_core_with_single_port_memories_matches_the_model(name: str) -> None:
    config = TINY.replace(gates__single_port="all", window__steps=6, **WIDTHS[name])
    text, count = garbage_after_writes(core_verilog(config))
    assert count == 2
    with GateCore(config, "rtl", verilog=text) as core:
        assert not core.weights().any()
        run_both(core, seed=3, windows=6)


@pytest.mark.parametrize("learning", [True, False])
def test_core_with_single_port_weights_matches_the_model(learning: bool) -> None:
    config = TINY.replace(gates__single_port="weights", window__steps=6)
    text, count = garbage_after_writes(core_verilog(config, learning=learning))
    assert count == 1
    with GateCore(config, "rtl", learning=learning, verilog=text) as core:
        run_both(core, seed=5, windows=6, learn=learning)


def test_garbage_in_used_rows_is_detected() -> None:
    config = TINY.replace(gates__single_port="all", window__steps=6)
    text, count = READ.subn(r"    \2 <= ~\3;\n", core_verilog(config))
    assert count == 2
    with GateCore(config, "rtl", verilog=text) as core, pytest.raises(AssertionError):
        run_both(core, seed=3, windows=2)
