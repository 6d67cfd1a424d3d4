"""Faults that can be injected into the gates of networks; see `bitlif.sim.compare.faults`.

Each is one wrong line of a unit of the sweep. While a network's Verilog is generated, the methods
and functions of that module are those of its changed source.
"""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from bitlif.hdl import (
    adjoint,
    adjoint_pass,
    bit_walk,
    credit,
    credit_pass,
    gradient_pass,
    spike_update,
    surrogate,
    sweep_pass,
    swept_layer,
    window_memories,
)
from bitlif.hdl.export.network_verilog import network_verilog
from bitlif.model.config.network import NetworkConfig

from .patches import line_replaced, require_fault

ANY, HIDDEN, WINDOW, SPIKE = "any", "hidden", "window", "spike"


class NetworkFault(NamedTuple):
    """A wrong line in a unit of the sweep."""

    module: ModuleType
    """of `bitlif.hdl`"""
    description: str
    part: str
    """pass of the layer in which it shows first: ``sweep`` or ``update``"""
    needs: str
    """learned layer without which it has no effect: any, a hidden one, or one with this update"""
    line: str
    wrong: str

    @property
    def unit(self) -> str:
        """Return the name of the module."""
        return self.module.__name__.rpartition(".")[2]

    def no_effect(self, network: NetworkConfig) -> str:
        """Return the reason why the fault has no effect in a network, or ""."""
        learned = network.layers[network.learned_from :]
        if self.needs == HIDDEN and len(learned) < 2:
            return "no hidden layer learns"
        if self.needs in (WINDOW, SPIKE) and all(o.sweep.update != self.needs for o in learned):
            return f"no layer learns with sweep.update = '{self.needs}'"
        return ""


NETWORK_FAULTS = {
    "sweep-order": NetworkFault(
        sweep_pass, "errors are read in the order of the steps", "sweep", ANY,
        "kept.address.eq(slot_base + adjoint.slot)",
        "kept.address.eq((steps - 1) * sizes.slots - slot_base + adjoint.slot)",
    ),
    "adjoint-sign": NetworkFault(
        adjoint, "the adjoint current is subtracted from the adjoint", "sweep", ANY,
        "kept + came", "kept - came",
    ),
    "adjoint-rounding": NetworkFault(
        adjoint, "the adjoint's random bits are inverted", "sweep", ANY,
        "random[: s.random_bits]", "~random[: s.random_bits]",
    ),
    "adjoint-stale": NetworkFault(
        sweep_pass, "a sweep begins with the adjoints of the one before", "sweep", ANY,
        "[step.eq(steps - 1), fresh.eq(1)]", "[step.eq(steps - 1)]",
    ),
    "reset-uncut": NetworkFault(
        adjoint_pass, "a reset of the membrane does not cut the adjoint", "sweep", HIDDEN,
        "cut = fresh | pipe.delay", "cut = fresh | 0 & pipe.delay",
    ),
    "surrogate-width": NetworkFault(
        surrogate, "the surrogate is open outside its window", "sweep", HIDDEN,
        "distance < s.width", "distance >= s.width",
    ),
    "surrogate-step": NetworkFault(
        sweep_pass, "surrogates are those of step 0", "sweep", HIDDEN,
        "Mux(mine, base + adjoint.slot", "Mux(mine, adjoint.slot",
    ),
    "credit-row": NetworkFault(
        credit_pass, "the credit of a neuron uses the weights of its neighbour", "sweep", HIDDEN,
        "neuron * sizes.rows + walk.row", "(neuron ^ 1) * sizes.rows + walk.row",
    ),
    "credit-kept": NetworkFault(
        credit, "the credit of a neuron includes that of the one before", "sweep", HIDDEN,
        "before = Mux(self.first, 0, self.total)", "before = self.total",
    ),
    "sweep-lfsr": NetworkFault(
        adjoint_pass, "the sweep draws from the LFSRs of the noise", "sweep", ANY,
        "sweep.lfsr.streams(lanes), sweep.leap",
        "self._own.config.noise.lfsr.streams(lanes), sweep.leap",
    ),
    "gradient-sign": NetworkFault(
        gradient_pass, "adjoint currents are subtracted from the gradient", "update", WINDOW,
        "self.sums[number] + self.currents[number]", "self.sums[number] - self.currents[number]",
    ),
    "marks-stale": NetworkFault(
        window_memories, "the marks of the window before are not cleared", "update", ANY,
        "with m.If(self.wipe):", "with m.If(self.wipe & 0):",
    ),
    "weights-stale": NetworkFault(
        spike_update, "an update uses an old weight", "update", SPIKE,
        "Mux(first, given, held)", "held",
    ),
    "draws-first": NetworkFault(
        spike_update, "only the first row of an input draws random bits", "update", SPIKE,
        'pulse(m, walk.valid, 2, "take")', 'pulse(m, walk.valid & (walk.row == 0), 2, "take")',
    ),
    "spikes-left": NetworkFault(
        bit_walk, "only the first spike of a step updates weights", "update", SPIKE,
        "rest.eq(left & (left - 1))", "rest.eq(0)",
    ),
    "spikes-inverted": NetworkFault(
        swept_layer, "a layer learns from the neurons before it that did not spike", "update", ANY,
        "self.spikes.eq(forward.spikes & present)", "self.spikes.eq(~forward.spikes & present)",
    ),
}  # fmt: skip
"""All faults by name."""


def faulty_network_verilog(name: str, network: NetworkConfig) -> str:
    """Return the Verilog of a learning network with a fault.

    Parameters
    ----------
    name : str
        A key of `NETWORK_FAULTS`.
    network : NetworkConfig

    Raises
    ------
    BitlifError
        If the fault is unknown, or has no effect in this network.
    """
    fault = require_fault(name, NETWORK_FAULTS, "faults of networks", network)
    with line_replaced(fault.module, fault.line, fault.wrong):
        return network_verilog(network)
