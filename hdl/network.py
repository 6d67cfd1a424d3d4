"""The core of a network: layer cores in a row (model twin: `bitlif.model.network`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.signature import WIDTH

from .core_signals import COUNTER_BITS, FORWARD_COUNTERS, SWEPT_COUNTERS
from .gather import event_layout
from .host_port import HostSignature
from .layer import LayerCore, core_members
from .network_port import SweptHostSignature
from .swept_layer import SweptLayer


def network_members(config: NetworkConfig, *, learning: bool) -> dict[str, wiring.Member]:
    """Return the members of the signature of a core, in the order of its ports in Verilog."""
    first, last = config.layers[0].config, config.layers[-1].config
    members: dict[str, wiring.Member] = {
        "i_events": In(stream.Signature(event_layout(first.layer.inputs))),
        "o_events": Out(stream.Signature(event_layout(last.layer.neurons))),
        "idle": Out(1),
        "window_done": Out(1),
        "digest": Out(WIDTH),
    }
    if learning or last.membrane.reset == "teacher":
        target = last.error.target_bits + 1
        members["i_targets"] = In(stream.Signature(data.ArrayLayout(target, last.layer.lanes)))
    if learning:
        members["learn"] = In(1)
    for number, own in enumerate(config.layers):
        host: wiring.Signature = HostSignature(own.config, learning=False)
        if learning:
            host = SweptHostSignature(config, number)
            members[f"phase_{number}"] = Out(range(max(2, len(own.config.schedule))))
        members[f"host_{number}"] = In(host)
        members[f"digest_{number}"] = Out(WIDTH)
        names = SWEPT_COUNTERS if learning else FORWARD_COUNTERS
        members |= {f"{name}_{number}": Out(COUNTER_BITS) for name in names}
    return members


def require_sweepable(config: NetworkConfig) -> None:
    """Check that the gates can learn a network.

    Raises
    ------
    BitlifError
        If they cannot; the message names the layer and the field.
    """
    for number, own in enumerate(config.layers):
        gates, name = own.config.gates, f"layer.{number}"
        if gates.single_port != "none":
            raise BitlifError(
                f"{name}.gates.single_port must be 'none' in a network that learns in gates, "
                f"not '{gates.single_port}'"
            )
        sizes = gate_sizes(own.config)
        if sizes.products != sizes.synapses:
            raise BitlifError(
                f"{name}.gates.products must be gates.synapses = {sizes.synapses} in a network "
                f"that learns in gates, not {sizes.products}"
            )


class NetworkCore(wiring.Component):
    """Layer cores in a row, which run and learn in windows.

    The spikes of a layer are streamed to the next one within the step. All layers work at the same
    time, each on a later step than the next one, also across the end of a window that is not
    learned. After the steps of a window that is learned, all layers are swept, from the last one,
    each step of a layer as soon as the next layer has handed back its credit. Then the weights of
    all layers are updated at once.

    Parameters
    ----------
    config : bitlif.NetworkConfig
    learning : bool
        False: inference only; the learning hardware is omitted.
    weights : sequence of (N, M) int, or None
        Initial raw weights of the layers (checked by the caller); zeros if None.

    Members
    -------
    i_events : In(stream of event_layout(N))
        Input events of the first layer, in any order within a step; ``last`` ends the step.
    i_targets : In(stream of P raw targets)
        One transfer per slot of the last layer and step; only if the core learns or a teacher
        resets it.
    o_events : Out(stream of event_layout(M))
        Spikes of the last layer, lowest address first, then ``last``.
    learn : In(1)
        Whether to learn from the window; may change only while the network is idle.
    idle : Out(1)
        No layer has a window in progress.
    window_done : Out(1)
        The last layer ends a window in this clock cycle.
    digest : Out(32)
        Signature of the network; stable while it is idle.
    host_0, host_1, ... : In(HostSignature, or SweptHostSignature if the core learns)
        Host port of each layer; usable while the network is idle.
    digest_0 ... : Out(32)
        Signature of each layer.
    phase_0 ... : Out
        Phase of each layer's schedule, if the core learns.
    current_saturations_0, membrane_saturations_0 ... : Out(32)
        Counters of each layer: `FORWARD_COUNTERS`, or `SWEPT_COUNTERS` if the core learns.

    Latency: `bitlif.model.network_clocks` gives the clock cycles of a window. Throughput: one row
    of weights per layer and clock cycle. Handshake: all streams can stall at any time; nothing is
    lost. Reset: at any time; see `LayerCore`.
    """

    def __init__(
        self,
        config: NetworkConfig,
        *,
        learning: bool = True,
        weights: Sequence[NDArray[Any]] | None = None,
    ) -> None:
        self._config, self._learning = config, learning
        if learning:
            require_sweepable(config)
        given = [None] * len(config.layers) if weights is None else list(weights)
        self.layers: list[Any] = [
            SweptLayer(config, number, weights=initial)
            if learning
            else LayerCore(own.config, learning=False, weights=initial)
            for number, (own, initial) in enumerate(zip(config.layers, given, strict=True))
        ]
        super().__init__(network_members(config, learning=learning))

    def elaborate(self, platform: object) -> Module:
        """Connect the layers in a row, and each to its host port."""
        m = Module()
        digest: Value | None = None
        idle: Value | None = None
        names = SWEPT_COUNTERS if self._learning else FORWARD_COUNTERS
        for number, layer in enumerate(self.layers):
            m.submodules[f"layer_{number}"] = layer
            if number:
                connect(m, self.layers[number - 1].o_events, layer.i_events)
            connect(m, flipped(getattr(self, f"host_{number}")), layer.host)
            m.d.comb += getattr(self, f"digest_{number}").eq(layer.digest)
            m.d.comb += [
                getattr(self, f"{name}_{number}").eq(getattr(layer, name)) for name in names
            ]
            turned = layer.digest.rotate_left(number % WIDTH)
            digest = turned if digest is None else digest ^ turned
            idle = layer.host.idle if idle is None else idle & layer.host.idle
        first, last = self.layers[0], self.layers[-1]
        connect(m, flipped(self.i_events), first.i_events)
        connect(m, last.o_events, flipped(self.o_events))
        if hasattr(self, "i_targets"):
            connect(m, flipped(self.i_targets), last.i_targets)
        m.d.comb += [
            self.idle.eq(idle),
            self.window_done.eq(last.window_done),
            self.digest.eq(digest),
        ]
        if self._learning:
            self._learn(m)
        return m

    def _learn(self, m: Module) -> None:
        """Start the sweeps when all layers have ended their steps, and then the updates."""
        learned = [layer for layer in self.layers if layer.learned]
        for number, layer in enumerate(self.layers):
            m.d.comb += [
                layer.learn.eq(self.learn),
                getattr(self, f"phase_{number}").eq(layer.phase),
            ]
            if number:
                before = self.layers[number - 1]
                m.d.comb += [
                    layer.inputs_push.eq(before.push),
                    layer.inputs_row.eq(before.spikes),
                ]
                if before.learned and layer.learned:
                    connect(m, layer.before_credit, before.credit)
        finished = _all_come(m, "finished", [layer.finished for layer in self.layers])
        swept = _all_come(m, "swept", [layer.swept for layer in learned])
        updated = _all_come(m, "updated", [layer.updated for layer in learned])
        m.d.comb += [layer.sweep.eq(finished) for layer in learned]
        m.d.comb += [layer.update.eq(swept) for layer in learned]
        m.d.comb += [layer.close.eq(updated) for layer in self.layers]


def any_members(config: Config | NetworkConfig, *, learning: bool) -> dict[str, wiring.Member]:
    """Return the members of the core of a layer or a network, in the order of its ports."""
    if isinstance(config, Config):
        return core_members(config, learning=learning)
    return network_members(config, learning=learning)


def any_core(
    config: Config | NetworkConfig, *, learning: bool = True, weights: Any = None
) -> LayerCore | NetworkCore:
    """Return the core of a layer or a network; parameters are those of its class."""
    if isinstance(config, Config):
        return LayerCore(config, learning=learning, weights=weights)
    return NetworkCore(config, learning=learning, weights=weights)


def _all_come(m: Module, name: str, pulses: list[Signal]) -> Signal:
    """Return a pulse one clock cycle after the last of some pulses has come, in any order."""
    came, all_there = Signal(len(pulses), name=f"{name}_layers"), Signal(name=f"all_{name}")
    m.d.comb += all_there.eq(came.all())
    with m.If(all_there):
        m.d.sync += came.eq(0)
    with m.Else():
        m.d.sync += came.eq(came | Cat(pulses))
    return all_there
