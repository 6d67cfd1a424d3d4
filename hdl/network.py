"""The core of a network: layer cores in a row (model twin: `bitlif.model.network`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.signature import WIDTH

from .core_signals import COUNTER_BITS
from .gather import event_layout
from .host_port import HostSignature
from .layer import LayerCore

FORWARD_COUNTERS = ("current_saturations", "membrane_saturations")
"""Counters of each layer of a network that only runs."""


def network_members(config: NetworkConfig) -> dict[str, wiring.Member]:
    """Return the members of the signature of a core, in the order of its ports in Verilog."""
    first, last = config.layers[0].config, config.layers[-1].config
    members: dict[str, wiring.Member] = {
        "i_events": In(stream.Signature(event_layout(first.layer.inputs))),
        "o_events": Out(stream.Signature(event_layout(last.layer.neurons))),
        "idle": Out(1),
        "window_done": Out(1),
        "digest": Out(WIDTH),
    }
    if last.membrane.reset == "teacher":
        target = last.error.target_bits + 1
        members["i_targets"] = In(stream.Signature(data.ArrayLayout(target, last.layer.lanes)))
    for number, own in enumerate(config.layers):
        members[f"host_{number}"] = In(HostSignature(own.config, learning=False))
        members[f"digest_{number}"] = Out(WIDTH)
        members |= {f"{name}_{number}": Out(COUNTER_BITS) for name in FORWARD_COUNTERS}
    return members


class NetworkCore(wiring.Component):
    """Layer cores in a row, which run windows without learning.

    The spikes of a layer are streamed to the next one within the step. All layers work at the same
    time, each on a later step than the next one, also across the end of a window.

    Parameters
    ----------
    config : bitlif.NetworkConfig
    weights : sequence of (N, M) int, or None
        Initial raw weights of the layers (checked by the caller); zeros if None.

    Members
    -------
    i_events : In(stream of event_layout(N))
        Input events of the first layer, in any order within a step; ``last`` ends the step.
    i_targets : In(stream of P raw targets)
        One transfer per slot of the last layer and step; only if a teacher resets it.
    o_events : Out(stream of event_layout(M))
        Spikes of the last layer, lowest address first, then ``last``.
    idle : Out(1)
        No layer has a window in progress.
    window_done : Out(1)
        The last layer ends a window in this clock cycle.
    digest : Out(32)
        Signature of the network; stable while it is idle.
    host_0, host_1, ... : In(HostSignature)
        Host port of each layer; usable while the network is idle.
    digest_0 ... : Out(32)
        Signature of each layer.
    current_saturations_0, membrane_saturations_0 ... : Out(32)
        Counters of each layer.

    Latency: `bitlif.model.network_clocks` gives the clock cycles of a window. Throughput: one row
    of weights per layer and clock cycle. Handshake: all streams can stall at any time; nothing is
    lost. Reset: at any time; see `LayerCore`.
    """

    def __init__(
        self, config: NetworkConfig, *, weights: Sequence[NDArray[Any]] | None = None
    ) -> None:
        self._config = config
        given = [None] * len(config.layers) if weights is None else list(weights)
        self.layers = [
            LayerCore(own.config, learning=False, weights=initial)
            for own, initial in zip(config.layers, given, strict=True)
        ]
        super().__init__(network_members(config))

    def elaborate(self, platform: object) -> Module:
        """Connect the layers in a row, and each to its host port."""
        m = Module()
        digest: Value | None = None
        idle: Value | None = None
        for number, layer in enumerate(self.layers):
            m.submodules[f"layer_{number}"] = layer
            if number:
                connect(m, self.layers[number - 1].o_events, layer.i_events)
            connect(m, flipped(getattr(self, f"host_{number}")), layer.host)
            m.d.comb += getattr(self, f"digest_{number}").eq(layer.digest)
            m.d.comb += [
                getattr(self, f"{name}_{number}").eq(getattr(layer, name))
                for name in FORWARD_COUNTERS
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
        return m
