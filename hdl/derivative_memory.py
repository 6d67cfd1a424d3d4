"""Spikes and surrogate derivatives of a hidden layer in a window."""

from __future__ import annotations

from amaranth.hdl import Module, Mux
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.network import NetworkConfig

from .fixed import shape_of
from .pipeline import Pipe, pulse
from .surrogate import SurrogatePipe
from .window_memories import StepMemory


class DerivativeMemory(wiring.Component):
    """Computes the surrogate derivatives of the slots of a window, and keeps them with the spikes.

    Parameters
    ----------
    config : bitlif.NetworkConfig
    number : int
        Of the hidden layer.

    Members
    -------
    push, before, spikes, absent : In
        P membranes before the noise and P spikes of the next slot; lanes without a neuron.
    address, shown : In, Out
        ``spikes`` and ``derivatives`` of a slot of a step, one clock cycle later; both are 0 in
        lanes without a neuron.

    Latency: `latency` clock cycles from ``push`` to the memory. Throughput: one slot each clock
    cycle. Handshake: none; see `StepMemory`. Reset: the next slot is the first of a window.
    """

    latency = SurrogatePipe.latency

    def __init__(self, config: NetworkConfig, number: int) -> None:
        self._own = own = config.layers[number]
        self._constants = config.derived_sweep(number).constants.surrogate
        self._threshold = config.derived(number).constants.threshold
        sizes = own.config.layer
        self._depth = sizes.slots * own.config.window.steps
        self._membrane = shape_of(own.config.membrane.format)
        derivatives = data.ArrayLayout(own.sweep.surrogate.bits, sizes.lanes)
        self._layout = data.StructLayout({"spikes": sizes.lanes, "derivatives": derivatives})
        super().__init__(
            {
                "push": In(1),
                "before": In(data.ArrayLayout(self._membrane, sizes.lanes)),
                "spikes": In(sizes.lanes),
                "absent": In(sizes.lanes),
                "address": In(range(self._depth)),
                "shown": Out(self._layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the units of the lanes, and the memory."""
        m = Module()
        pipe = Pipe(m)
        m.submodules.kept = kept = StepMemory(self._layout, self._depth)
        absent = pipe.delay(self.absent, self.latency, "absent")
        m.d.comb += [
            kept.push.eq(pulse(m, self.push, self.latency, "push")),
            kept.row.spikes.eq(pipe.delay(self.spikes, self.latency, "spikes") & ~absent),
            kept.address.eq(self.address),
            self.shown.eq(kept.shown),
        ]
        bits = self._own.sweep.surrogate.bits
        for lane in range(self._own.config.layer.lanes):
            unit = SurrogatePipe(self._constants, self._threshold, self._membrane, bits)
            m.submodules[f"surrogate_{lane}"] = unit
            m.d.comb += [
                unit.membrane.eq(self.before[lane]),
                kept.row.derivatives[lane].eq(Mux(absent[lane], 0, unit.derivative)),
            ]
        return m
