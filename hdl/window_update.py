"""Gradient and weight update of a layer that a sweep teaches, with ``update = "window"``."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.network import NetworkConfig
from bitlif.model.gate_sizes import gate_sizes

from .core_signals import lfsr_counts
from .fixed import shape_for, shape_of
from .gradient_pass import GradientPass
from .host_port import row_layout
from .loadable import swept_update
from .pipeline import Pipe
from .row_memory import sum_memory
from .update_pass import UpdatePass


def update_members(
    config: NetworkConfig, number: int, words: int, width: int
) -> dict[str, wiring.Member]:
    """Return the members that `WindowUpdate` and `SpikeUpdate` have in common.

    Parameters
    ----------
    config : NetworkConfig
    number : int
        Of the layer.
    words, width : int
        Words of a step in the memory of the layer's input spikes, and their bits.
    """
    own = config.layers[number]
    sizes = gate_sizes(own.config)
    shifts = swept_update(config.derived_sweep(number)).shifts
    weight = data.ArrayLayout(shape_of(own.config.synapse.weight), sizes.synapses)
    members: dict[str, Any] = {
        "start": In(1),
        "active": In(1),
        "place": Out(range(words + 1)),
        "word": In(width),
        "looking": Out(1),
        "row": Out(range(sizes.rows)),
        "currents": In(data.ArrayLayout(shape_of(own.sweep.current), sizes.synapses)),
        "done": Out(1),
        "finish": In(1),
        "finished": Out(1),
        "rate": In(own.config.learning.rate_bits),
        "shift": In(range(len(shifts))),
        "restart": In(1),
        "clear": In(1),
        "cleared": Out(1),
        "weight_reading": Out(1),
        "weight_address": Out(range(sizes.inputs * sizes.rows)),
        "weight_row": In(weight),
        "update_address": Out(range(sizes.inputs * sizes.rows)),
        "update_place": Out(range(sizes.row_slots)),
        "update_data": Out(row_layout(own.config)),
        "update_enable": Out(1),
        "update_slot": Out(range(sizes.slots)),
        "weight_saturated": Out(sizes.lanes),
        "sign": Out(1),
        "sign_slot": Out(range(sizes.slots)),
        "sign_data": Out(row_layout(own.config)),
    }
    states = lfsr_counts(own.config)[1]
    if states:
        members["lfsr"] = Out(data.ArrayLayout(own.config.learning.lfsr.width, states))
    return members


class WindowUpdate(wiring.Component):
    """Adds up the gradient during the sweep, and updates all weights after it.

    Parameters are those of `update_members`.

    Members
    -------
    start, done : In(1), Out(1)
        Pulses: a step of the sweep; it is done.
    active : In(1)
        Whether an adjoint current of the step is not zero; stable meanwhile.
    place, word, looking : Out, In, Out
        Words of the step's input spikes; see `BitWalk`.
    row, currents : Out, In
        Row of the adjoint currents; its S currents 2 clock cycles after it.
    finish, finished : In(1), Out(1)
        Pulses: the window is swept; its weights are final.
    rate, shift, restart
        See `UpdatePass`.
    clear, cleared : In(1), Out(1)
        While ``clear`` is high, the gradient is set to zero; ``cleared`` is high in the last clock
        cycle of that.
    weight_reading, weight_address, weight_row : Out, Out, In
        Row of the weights; its S weights 2 clock cycles after the address.
    update_address, update_place, update_data, update_enable, update_slot : Out
        Write port of the weights, and the slot of the layer that is written.
    weight_saturated : Out(P)
        Saturation flags of the weights, with ``update_enable``.
    sign, sign_slot, sign_data : Out
        P final weights of a slot, slot by slot and input by input, for the signature.
    gradient_taken, gradient_row : Out
        The P sums that enter the update, by slot and then by input.
    lfsr : Out(array of states)
        Only with stochastic rounding.

    Latency: see `GradientPass` and `UpdatePass`. Throughput: a row per clock cycle, or P weights.
    Handshake: pulses. Reset: idle; the gradient needs ``clear``.
    """

    always = False
    """Whether steps without an adjoint current need ``start``, too."""

    def __init__(self, config: NetworkConfig, number: int, words: int, width: int) -> None:
        self._config, self._number = config, number
        self._gradient = GradientPass(config, number, words, width)
        own, swept = config.layers[number].config, swept_update(config.derived_sweep(number))
        sums = data.ArrayLayout(shape_for(swept.gradient), own.layer.lanes)
        shown = {"gradient_taken": Out(1), "gradient_row": Out(sums)}
        super().__init__(update_members(config, number, words, width) | shown)

    def elaborate(self, platform: object) -> Module:
        """Connect both passes to the memory of the gradient."""
        m = Module()
        own, pipe = self._config.layers[self._number].config, Pipe(m)
        sizes, swept = gate_sizes(own), swept_update(self._config.derived_sweep(self._number))
        m.submodules.gradient = gradient = self._gradient
        m.submodules.sums = memory = sum_memory(own, swept.gradient)
        m.submodules.update = update = UpdatePass(own, swept)
        wiping = Signal(range(sizes.inputs * sizes.rows), name="wiping")
        m.d.comb += self.cleared.eq(wiping == sizes.inputs * sizes.rows - 1)
        with m.If(self.clear):
            m.d.sync += wiping.eq(wiping + ~self.cleared)
        with m.Else():
            m.d.sync += wiping.eq(0)
        m.d.comb += [
            memory.read_address.eq(gradient.read_address),
            memory.write.eq(gradient.write),
            memory.write_address.eq(gradient.write_address),
        ]
        with m.If(gradient.write):
            m.d.comb += memory.written.eq(gradient.written)
        with m.If(update.reading):
            m.d.comb += memory.read_address.eq(update.gradient_address)
        with m.If(update.clear):
            m.d.comb += [memory.write.eq(1), memory.write_address.eq(update.clear_address)]
        with m.If(self.clear):
            m.d.comb += [memory.write.eq(1), memory.write_address.eq(wiping)]
        sums = pipe.register(memory.row, "sums_row")
        m.d.comb += [
            gradient.start.eq(self.start),
            gradient.mute.eq(~self.active),
            gradient.word.eq(self.word),
            gradient.currents.eq(self.currents),
            gradient.sums.eq(sums),
            self.place.eq(gradient.place),
            self.looking.eq(gradient.looking),
            self.row.eq(gradient.row),
            self.done.eq(gradient.done),
            update.start.eq(self.finish),
            update.rate.eq(self.rate),
            update.shift.eq(self.shift),
            update.restart.eq(self.restart),
            update.weight_row.eq(self.weight_row),
            update.sum_row.eq(sums),
            self.finished.eq(update.done),
            self.weight_reading.eq(update.reading),
            self.weight_address.eq(update.weight_address),
            self.update_address.eq(update.write_address),
            self.update_place.eq(update.write_place),
            self.update_data.eq(update.written),
            self.update_enable.eq(update.write),
            self.update_slot.eq(update.slot),
            self.weight_saturated.eq(update.saturated),
            self.gradient_taken.eq(update.taken),
            self.gradient_row.eq(update.taken_gradient),
            self.sign.eq(update.write),
            self.sign_slot.eq(update.slot),
            self.sign_data.eq(update.written),
        ]
        if hasattr(self, "lfsr"):
            m.d.comb += self.lfsr.eq(update.lfsr)
        return m
