"""The gradient of a sweep: sums of adjoint currents (model twin: `bitlif.model.sweep_gradient`)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.network import NetworkConfig
from bitlif.model.gate_sizes import gate_sizes

from .bit_walk import BitWalk
from .fixed import shape_for, shape_of
from .pipeline import Pipe, pulse


class GradientPass(wiring.Component):
    """Adds the adjoint currents of one step to the gradient of every input that spiked in it.

    Parameters
    ----------
    config : bitlif.NetworkConfig
    number : int
        Of the layer.
    words, width : int
        Words of a step in the memory of the layer's input spikes, and their bits.

    Members
    -------
    start : In(1)
        Pulse: add those of a step.
    mute : In(1)
        No input counts as a spike; stable during the pass.
    place, word : Out, In
        Word of the step, one clock cycle later.
    looking : Out(1)
        ``word`` is looked at.
    row, currents : Out, In
        Row of the adjoint currents; its S currents 2 clock cycles after it.
    read_address, sums : Out, In
        Row of the gradient; its S sums 2 clock cycles after the address.
    write, write_address, written : Out
    done : Out(1)
        Pulse, in the clock cycle of the last write, if there is one.

    Latency: `latency` clock cycles from the read of a row to its write. Throughput: a clock cycle
    per word and per row of a spike. Handshake: pulses. Reset: idle.
    """

    latency = 3  # read of the row; its register; the sum

    def __init__(self, config: NetworkConfig, number: int, words: int, width: int) -> None:
        own = config.layers[number]
        self._sizes, self._width = gate_sizes(own.config), width
        sizes = self._sizes
        gradient = shape_for(config.derived_sweep(number).ranges["sweep gradient"])
        row = data.ArrayLayout(gradient, sizes.synapses)
        self._walk = BitWalk(words, width, sizes.rows)
        super().__init__(
            {
                "start": In(1),
                "mute": In(1),
                "place": Out(range(words + 1)),
                "word": In(width),
                "looking": Out(1),
                "row": Out(range(sizes.rows)),
                "currents": In(data.ArrayLayout(shape_of(own.sweep.current), sizes.synapses)),
                "read_address": Out(range(sizes.inputs * sizes.rows)),
                "sums": In(row),
                "write": Out(1),
                "write_address": Out(range(sizes.inputs * sizes.rows)),
                "written": Out(row),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the walk over the spikes, and the sums."""
        m = Module()
        pipe: Any = Pipe(m)
        m.submodules.walk = walk = self._walk
        sizes = self._sizes
        source = Signal(range(sizes.inputs), name="source")
        m.d.comb += [
            walk.start.eq(self.start),
            walk.word.eq(self.word & (~self.mute).replicate(self._width)),
            self.place.eq(walk.place),
            self.looking.eq(walk.looking),
            self.row.eq(walk.row),
            source.eq(walk.at * self._width + walk.lane),
            self.read_address.eq(walk.row * sizes.inputs + source),
        ]
        added = Signal(self.written.shape(), name="added", reset_less=True)
        for number in range(sizes.synapses):
            m.d.sync += added[number].eq(self.sums[number] + self.currents[number])
        m.d.comb += [
            self.write.eq(pulse(m, walk.valid, self.latency, "write")),
            self.write_address.eq(pipe.delay(self.read_address, self.latency, "written")),
            self.written.eq(added),
            self.done.eq(pulse(m, walk.done, self.latency, "done")),
        ]
        return m
