"""How many clock cycles the passes of a step and of a sweep take, and that a fault shows."""

from __future__ import annotations

from typing import Any

import pytest

from bitlif.hdl import (
    adjoint_pass,
    bit_walk,
    credit_pass,
    emitter,
    forward,
    gather,
    gradient_pass,
    learning,
    sign_pass,
    spike_update,
    update_pass,
)
from bitlif.model.config.config import Config
from bitlif.sim.compare.patches import line_replaced
from bitlif.sim.prove.clock_monitors import clock_units
from bitlif.sim.prove.proofs import proofs
from bitlif.sim.prove.protocol import ProtocolUnit
from bitlif.sim.prove.sweep_clock_monitors import small_sweep, sweep_clock_units


def refuted(units: list[ProtocolUnit], name: str = "") -> set[str]:
    """Return the units that are not proved, of all or of one name."""
    chosen = [own for own in units if name in ("", own.name)]
    assert chosen
    return {proof.unit for proof in proofs(chosen, 1200) if proof.result != "proved"}


FAULTS = [
    ("gather_clocks", gather, "if rows <= 2:", "if rows < 2:"),
    ("neuron_clocks", forward, "self.slot_valid & (here == slots - 1)", "self.slot_valid"),
    ("emitter_clocks", emitter, "with m.If(rest[: sizes.lanes] == 0):", "with m.If(1):"),
    ("product_clocks", learning, "pause.eq(between)", "pause.eq(after)"),
    ("adjoint_clocks_0", adjoint_pass, "kind == self.pace - 1", "kind == 0"),
    ("update_clocks_0", gradient_pass, 'walk.done, self.latency, "done"', 'walk.done, 2, "done"'),
    ("update_clocks_0", update_pass, "row_ends & (slot == slots - 1)", "row_ends & (slot == 0)"),
    ("update_clocks_1", spike_update, 'walk.done, self.latency, "done"', 'walk.done, 6, "done"'),
    ("update_clocks_1", sign_pass, "with m.If(last_slot):", "with m.If(slot == 0):"),
    ("credit_clocks_1", credit_pass, 'self.latency, "handed"', 'self.latency - 1, "handed"'),
    ("credit_clocks_1", bit_walk, "self.row == self._rows - 1", "self.row == 0"),
]
"""Units, and wrong lines of their modules."""


@pytest.mark.parametrize(("unit", "module", "line", "wrong"), FAULTS)
def test_fault_changes_the_clock_cycles(unit: str, module: Any, line: str, wrong: str) -> None:
    units = clock_units() if module in (gather, forward, emitter, learning) else sweep_clock_units()
    with line_replaced(module, line, wrong):
        assert refuted(units, unit) == {unit}


@pytest.mark.long
def test_two_longest_steps_take_their_clock_cycles() -> None:
    assert not refuted(clock_units(longest=True))


LAYERS = [
    {"layer__inputs": 3, "layer__neurons": 3},
    {"layer__inputs": 2, "layer__neurons": 3, "layer__lanes": 1},
    {"gates__synapses": 4, "gates__products": 4},
    {"gates__single_port": "all"},
]


@pytest.mark.long
@pytest.mark.parametrize("changes", LAYERS)
def test_step_takes_its_clock_cycles_in_other_sizes(changes: dict[str, Any]) -> None:
    assert not refuted(clock_units(Config.load("tiny").replace(**changes)))


NETWORKS = [
    {"layer__0__gates__synapses": 4, "layer__1__sweep__update": "window"},
    {"layer__0__neurons": 3, "layer__0__sweep__rounding": "toward_zero"},
]


@pytest.mark.long
@pytest.mark.parametrize("changes", NETWORKS)
def test_sweep_takes_its_clock_cycles_in_other_sizes(changes: dict[str, Any]) -> None:
    assert not refuted(sweep_clock_units(small_sweep().replace(**changes)))
