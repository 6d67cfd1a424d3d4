"""Weight updates during a sweep, spike by spike: ``update = "spike"``."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring

from bitlif.model.config.network import NetworkConfig
from bitlif.model.gate_sizes import gate_sizes

from .bit_walk import BitWalk
from .lfsr import lane_words
from .loadable import swept_update
from .pipeline import Pipe, pulse, select_part
from .sign_pass import SignPass
from .update import UpdatePipe
from .window_update import update_members


class SpikeUpdate(wiring.Component):
    """Updates the weights of every input that spikes in a step, slot by slot.

    A row of weights is read once, with its first slot, and kept: block RAM may not return a row of
    which another slot is written. After the sweep, all weights are read for the signature.

    Parameters are those of `update_members`.

    Members
    -------
    Those of `WindowUpdate`. ``active`` is ignored, as every spike takes its draws; ``clear`` needs
    one clock cycle, as there is no gradient.

    Latency: `latency` clock cycles from the read of P weights to their write. Throughput: P weights
    per clock cycle, and a clock cycle per word. Handshake: pulses. Reset: idle.
    """

    latency = 2 + UpdatePipe.latency  # read of weights and adjoint currents; their registers
    always = True

    def __init__(self, config: NetworkConfig, number: int, words: int, width: int) -> None:
        self._config, self._number, self._width = config, number, width
        sizes = gate_sizes(config.layers[number].config)
        self._walk = BitWalk(words, width, sizes.slots)
        super().__init__(update_members(config, number, words, width))

    def elaborate(self, platform: object) -> Module:
        """Build the walk over the spikes, the pipelines of the lanes, and the signature's walk."""
        m = Module()
        pipe = Pipe(m)
        config = self._config.layers[self._number].config
        sizes = gate_sizes(config)
        m.submodules.walk = walk = self._walk
        m.submodules.signing = signing = SignPass(config)
        source, row = Signal(range(sizes.inputs), name="source"), self.row
        part = Signal(range(sizes.row_slots), name="part")
        # The row and the place in it of the slot that the walk shows.
        with m.If(walk.valid):
            with m.If(part == sizes.row_slots - 1):
                m.d.sync += [part.eq(0), row.eq(row + 1)]
            with m.Else():
                m.d.sync += part.eq(part + 1)
            with m.If(walk.tail):
                m.d.sync += [part.eq(0), row.eq(0)]
        address = Signal.like(self.weight_address, name="address")
        m.d.comb += [
            walk.start.eq(self.start),
            walk.word.eq(self.word),
            self.place.eq(walk.place),
            self.looking.eq(walk.looking),
            source.eq(walk.at * self._width + walk.lane),
            address.eq(source * sizes.rows + row),
            self.weight_reading.eq(walk.valid | signing.reading),
            self.weight_address.eq(Mux(signing.reading, signing.weight_address, address)),
            signing.start.eq(self.finish),
            signing.weight_row.eq(self.weight_row),
            self.finished.eq(signing.done),
            self.sign.eq(signing.valid),
            self.sign_slot.eq(signing.slot),
            self.sign_data.eq(signing.weights),
            self.cleared.eq(1),
        ]
        first = pipe.delay(part == 0, 2, "first_part")
        kept = Signal(self.weight_row.shape(), name="kept_row", reset_less=True)
        with m.If(first):
            m.d.sync += kept.eq(self.weight_row)
        now = [Mux(first, given, held) for given, held in zip(self.weight_row, kept, strict=True)]
        shown = pipe.delay(part, 2, "part")
        weights = select_part(now, shown, sizes.lanes)
        currents = select_part(list(self.currents), shown, sizes.lanes)
        self._update(m, pipe, weights, currents, pulse(m, walk.valid, 2, "take"))
        m.d.comb += [
            self.update_enable.eq(pulse(m, walk.valid, self.latency, "write")),
            self.update_address.eq(pipe.delay(address, self.latency, "write_row")),
            self.update_place.eq(pipe.delay(part, self.latency, "write_part")),
            self.update_slot.eq(pipe.delay(walk.row, self.latency, "write_slot")),
            self.done.eq(pulse(m, walk.done, self.latency, "done")),
        ]
        return m

    def _update(
        self, m: Module, pipe: Pipe, weights: list[Any], currents: list[Any], draw: Value
    ) -> None:
        """Build the pipeline of each lane, and the LFSRs."""
        config = self._config.layers[self._number].config
        learning, lanes = config.learning, config.layer.lanes
        swept = swept_update(self._config.derived_sweep(self._number))
        words: list[Any] = []
        if hasattr(self, "lfsr"):
            words, states = lane_words(
                m, "update", learning.lfsr.streams(lanes), learning.leap, learning.random_bits,
                draw, self.restart,
            )  # fmt: skip
            m.d.comb += [own.eq(state) for own, state in zip(self.lfsr, states, strict=True)]
        for lane in range(lanes):
            m.submodules[f"update_{lane}"] = update = UpdatePipe(config, swept)
            m.d.comb += [
                update.weight.eq(weights[lane]),
                update.gradient.eq(currents[lane]),
                update.rate.eq(self.rate),
                update.shift.eq(self.shift),
                self.update_data[lane].eq(update.weight_next),
                self.weight_saturated[lane].eq(update.saturated),
            ]
            if words:
                m.d.comb += update.random.eq(words[lane])
