"""Faults that can be injected into the gates of networks; see `bitlif.sim.compare.faults`.

Each is one wrong line of a unit that only networks have. While a network's Verilog is generated,
or while one of its layers is, the methods and functions of that module are those of its changed
source.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

from amaranth.hdl import Fragment

from bitlif.hdl import (
    adjoint,
    adjoint_pass,
    bit_walk,
    credit,
    credit_pass,
    current_rows,
    derivative_memory,
    gradient_pass,
    sign_pass,
    spike_update,
    surrogate,
    sweep_pass,
    swept_layer,
    window_memories,
    window_update,
)
from bitlif.hdl import network as connections
from bitlif.hdl.export.network_verilog import network_verilog
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.sweep_sections import UPDATES
from bitlif.model.text import quoted, shortened

from .patches import line_replaced, patched, require_fault


class Need(NamedTuple):
    """What a layer must have so that a fault in it has an effect."""

    missing: str
    """why a network has no such layer"""
    met: Callable[[NetworkConfig, int], bool]
    """whether a layer of a network has it, by its number"""


def _learned(network: NetworkConfig, number: int) -> bool:
    return number >= network.learned_from


def _hidden(network: NetworkConfig, number: int) -> bool:
    return number < len(network.layers) - 1


def _last(network: NetworkConfig, number: int) -> bool:
    return not _hidden(network, number)


def _first(network: NetworkConfig, number: int) -> bool:
    return number == 0


def _feeds(network: NetworkConfig, number: int) -> bool:
    return _hidden(network, number) and number + 1 >= network.learned_from


def _window(network: NetworkConfig, number: int) -> bool:
    return network.layers[number].sweep.update == "window"


def _spike(network: NetworkConfig, number: int) -> bool:
    return not _window(network, number)


def _stochastic(network: NetworkConfig, number: int) -> bool:
    return network.layers[number].sweep.rounding == "stochastic"


def _toward_zero(network: NetworkConfig, number: int) -> bool:
    return network.layers[number].sweep.rounding == "toward_zero"


def _absent(network: NetworkConfig, number: int) -> bool:
    own = network.layers[number].config.layer
    return own.neurons % own.lanes > 0


def _several_rows(network: NetworkConfig, number: int) -> bool:
    return gate_sizes(network.layers[number].config).rows > 1


def _short_row(network: NetworkConfig, number: int) -> bool:
    sizes = gate_sizes(network.layers[number].config)
    return sizes.slots % sizes.row_slots > 0


def _draws(network: NetworkConfig, number: int) -> bool:
    return number > 0 and network.layers[number].config.noise.drawn


def _all(missing: str, *met: Callable[[NetworkConfig, int], bool]) -> Need:
    return Need(missing, lambda network, number: all(own(network, number) for own in met))


NO_HIDDEN = "no hidden layer learns"
BY_WINDOW, BY_SPIKE = (f"no layer learns with sweep.update = '{own}'" for own in UPDATES)
ROUNDS = "no layer learns with sweep.rounding = "

ANY = Need("no layer learns", _learned)
HIDDEN = _all(NO_HIDDEN, _learned, _hidden)
PASSES = Need(NO_HIDDEN, lambda network, number: number > network.learned_from)
FIRST = _all("the first layer does not learn", _learned, _first)
LAST = Need("no layer learns", _last)
WINDOW = _all(BY_WINDOW, _learned, _window)
SPIKE = _all(BY_SPIKE, _learned, _spike)
MUTED = _all(f"{BY_WINDOW} from the input events", _learned, _first, _window)
SIGNED = _all(f"{BY_SPIKE} and several rows of weights", _learned, _spike, _several_rows)
SHORT = _all("all layers that learn fill their rows of weights", _learned, _short_row)
ABSENT = _all("no hidden layer learns and has lanes without neuron", _learned, _hidden, _absent)
ABSENT_LAST = _all("the last layer has no lanes without neuron", _last, _absent)
FEEDS = _all("only the first layer learns", _feeds)
FEEDS_ABSENT = _all("no layer before one that learns has lanes without neuron", _feeds, _absent)
STOCHASTIC = _all(f"{ROUNDS}'stochastic'", _learned, _stochastic)
TOWARD_ZERO = _all(f"{ROUNDS}'toward_zero'", _learned, _toward_zero)
NOISY = _all("no layer after the first has noise", _draws)


class NetworkFault(NamedTuple):
    """A wrong line in a unit of the sweep."""

    module: ModuleType
    """of `bitlif.hdl`"""
    description: str
    part: str
    """what is wrong first: the steps of a layer (``forward``), its adjoint currents (``sweep``),
    its weights (``update``), or its ``counters``, ``clocks`` or ``signature``"""
    need: Need
    line: str
    wrong: str
    shown: int = 0
    """-1 or 1 if the layer before or after it is wrong first: the one that gets its results"""

    @property
    def unit(self) -> str:
        """Return the name of the module."""
        return self.module.__name__.rpartition(".")[2]

    def layers(self, network: NetworkConfig) -> list[int]:
        """Return the numbers of the layers in which it has an effect."""
        # What connects the layers is in none of them.
        if self.module is connections:
            return []
        return [number for number in range(len(network.layers)) if self.need.met(network, number)]

    def no_effect(self, network: NetworkConfig) -> str:
        """Return the reason why the fault has no effect in a network, or ""."""
        return "" if self.module is connections or self.layers(network) else self.need.missing


NETWORK_FAULTS = {
    "sweep-order": NetworkFault(
        sweep_pass, "errors are read in the order of the steps", "sweep", LAST,
        "kept.address.eq(slot_base + adjoint.slot)",
        "kept.address.eq((steps - 1) * sizes.slots - slot_base + adjoint.slot)",
    ),
    "adjoint-sign": NetworkFault(
        adjoint, "the adjoint current is subtracted from the adjoint", "sweep", ANY,
        "kept + came", "kept - came",
    ),
    "adjoint-rounding": NetworkFault(
        adjoint, "the adjoint's random bits are inverted", "sweep", STOCHASTIC,
        "random[: s.random_bits]", "~random[: s.random_bits]",
    ),
    "adjoint-floor": NetworkFault(
        adjoint, "adjoints are rounded down, not toward zero", "sweep", TOWARD_ZERO,
        "Mux(value < 0, up, 0)", "Mux(value < 0, 0, 0)",
    ),
    "adjoint-stale": NetworkFault(
        sweep_pass, "a sweep begins with the adjoints of the one before", "sweep", ANY,
        "[step.eq(steps - 1), fresh.eq(1)]", "[step.eq(steps - 1)]",
    ),
    "active-stale": NetworkFault(
        sweep_pass, "a step without an adjoint current counts as one with it", "clocks", ANY,
        "m.d.sync += [active.eq(0), mine.eq(1)]", "m.d.sync += [mine.eq(1)]",
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
    "surrogate-absent": NetworkFault(
        derivative_memory, "lanes without neuron ask for credit", "clocks", ABSENT,
        "Mux(absent[lane], 0, unit.derivative)", "unit.derivative", 1,
    ),
    "credit-row": NetworkFault(
        credit_pass, "the credit of odd neurons uses weights of even ones", "sweep", PASSES,
        "neuron * sizes.rows + walk.row", "(neuron >> 1 << 1) * sizes.rows + walk.row", -1,
    ),
    "credit-kept": NetworkFault(
        credit, "the credit of a neuron includes that of the one before", "sweep", PASSES,
        "before = Mux(self.first, 0, self.total)", "before = self.total", -1,
    ),
    "credit-stale": NetworkFault(
        adjoint_pass, "the credit of the step before is used if there is none", "sweep", HIDDEN,
        "Mux(self.none, 0, self.totals[lane])", "self.totals[lane]",
    ),
    "credit-overrun": NetworkFault(
        sweep_pass, "credit is overwritten before it is used", "sweep", PASSES,
        "m.If(~self.before_credit.full)", "m.If(1)", -1,
    ),
    "rows-open": NetworkFault(
        current_rows, "a step begins in the row in which the one before ended", "update", SHORT,
        "with m.If(self.ended):", "with m.If(self.ended & 0):",
    ),
    "sweep-lfsr": NetworkFault(
        adjoint_pass, "the sweep draws from the LFSRs of the noise", "sweep", STOCHASTIC,
        "sweep.lfsr.streams(lanes), sweep.leap",
        "self._own.config.noise.lfsr.streams(lanes), sweep.leap",
    ),
    "gradient-sign": NetworkFault(
        gradient_pass, "adjoint currents are subtracted from the gradient", "update", WINDOW,
        "self.sums[number] + self.currents[number]", "self.sums[number] - self.currents[number]",
    ),
    "gradient-kept": NetworkFault(
        window_update, "the gradient of the window before is kept", "update", WINDOW,
        "[memory.write.eq(1), memory.write_address.eq(update.clear_address)]",
        "[memory.write.eq(0), memory.write_address.eq(update.clear_address)]",
    ),
    "mute-never": NetworkFault(
        window_update, "spikes take time in steps without an adjoint current", "clocks", MUTED,
        "gradient.mute.eq(~self.active)", "gradient.mute.eq(0)",
    ),
    "marks-stale": NetworkFault(
        window_memories, "the marks of the window before are not cleared", "update", FIRST,
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
    "sign-row": NetworkFault(
        sign_pass, "the signature takes the weights of the first row only", "signature", SIGNED,
        "row.eq(row + ends)", "row.eq(row)",
    ),
    "spikes-inverted": NetworkFault(
        swept_layer, "a layer learns from the neurons before it that did not spike", "update",
        FEEDS,
        "self.spikes.eq(forward.spikes & present)", "self.spikes.eq(~forward.spikes & present)", 1,
    ),
    "spikes-absent": NetworkFault(
        swept_layer, "spikes of lanes without neuron reach the next layer", "clocks", FEEDS_ABSENT,
        "self.spikes.eq(forward.spikes & present)", "self.spikes.eq(forward.spikes)", 1,
    ),
    "error-absent": NetworkFault(
        swept_layer, "lanes without neuron have an error", "sweep", ABSENT_LAST,
        "    with m.If(exists):", "    with m.If(1):",
    ),
    "flags-lost": NetworkFault(
        swept_layer, "saturations of the weights are not counted", "counters", ANY,
        "engine.weight_saturated[lane] & updated[lane]", "0 & updated[lane]",
    ),
    "errors-lost": NetworkFault(
        swept_layer, "saturations of the errors are not counted", "counters", LAST,
        "forward.error_saturated[lane] & there[lane]", "0 & there[lane]",
    ),
    "noise-shared": NetworkFault(
        swept_layer, "all layers draw their noise from the same LFSRs", "forward", NOISY,
        "forward = ForwardEngine(config, learning=self._last)",
        "forward = ForwardEngine(config.replace(noise__lfsr__seed=self._network.layers[0]"
        ".config.noise.lfsr.seed), learning=self._last)",
    ),
    "sweeps-shared": NetworkFault(
        adjoint_pass, "the sweeps of all layers draw from the same LFSRs", "sweep", STOCHASTIC,
        "sweep.lfsr.streams(lanes), sweep.leap",
        "type(sweep.lfsr)(width=sweep.lfsr.width).streams(lanes), sweep.leap",
    ),
    "sweeps-early": NetworkFault(
        connections, "the sweeps start when the first layer has ended its steps", "sweep", ANY,
        "[layer.finished for layer in self.layers]", "[self.layers[0].finished]",
    ),
    "close-early": NetworkFault(
        connections, "a window ends when it is swept, before its updates", "update", ANY,
        "layer.close.eq(updated)", "layer.close.eq(swept)",
    ),
    "digest-unturned": NetworkFault(
        connections, "the signatures of the layers are not rotated", "signature", ANY,
        "layer.digest.rotate_left(number % WIDTH)", "layer.digest",
    ),
}  # fmt: skip
"""All faults by name."""


@contextlib.contextmanager
def fault_planted(inject: str, network: NetworkConfig) -> Iterator[None]:
    """Plant a fault, for a while, in the units of all layers or of one.

    Parameters
    ----------
    inject : str
        A key of `NETWORK_FAULTS`, with ``@`` and the number of a layer for that layer alone.
    network : NetworkConfig
        The network whose core is generated meanwhile.

    Raises
    ------
    BitlifError
        If the fault is unknown, or has no effect in this network or layer.
    """
    name, at, number = inject.partition("@")
    fault = require_fault(name, NETWORK_FAULTS, "faults of networks", network)
    if not at:
        with line_replaced(fault.module, fault.line, fault.wrong):
            yield
        return
    fits = [str(own) for own in fault.layers(network)]
    if not fits:
        raise BitlifError(f"fault {name} connects the layers: --inject {name} takes no @LAYER")
    if number not in fits:
        raise BitlifError(
            f"LAYER in --inject {name}@LAYER must be {' or '.join(fits)}, where the fault has an "
            f"effect in {shortened(network.name)}, not {quoted(number)}"
        )

    class FaultyLayer(swept_layer.SweptLayer):
        def elaborate(self, platform: object) -> Any:
            if str(self._number) != number:
                return super().elaborate(platform)
            # All units of the layer are elaborated here, while the line is wrong.
            with line_replaced(fault.module, fault.line, fault.wrong):
                return Fragment.get(super().elaborate(platform), platform)

    with patched(connections, "SweptLayer", FaultyLayer):
        yield


def faulty_network_verilog(inject: str, network: NetworkConfig) -> str:
    """Return the Verilog of a learning network with a fault; see `fault_planted`."""
    with fault_planted(inject, network):
        return network_verilog(network)
