"""The backward sweep of a layer over a window (model twin: `bitlif.model.sweep`)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.network import NetworkConfig
from bitlif.model.gate_sizes import gate_sizes

from .adjoint_pass import AdjointPass, sweep_streams
from .core_signals import lfsr_counts
from .credit_pass import CreditBuffer, CreditPass, CreditSignature
from .current_rows import CurrentRows
from .derivative_memory import DerivativeMemory
from .fixed import shape_for, shape_of
from .host_port import row_layout
from .loadable import swept_update
from .spike_update import SpikeUpdate
from .window_memories import MarkMemory, StepMemory
from .window_update import WindowUpdate

Update = WindowUpdate | SpikeUpdate


class SweepEngine(wiring.Component):
    """Sweeps a learned layer from the last step of a window to the first, then updates its weights.

    In each step: the adjoints of all slots, the credit for the layer before if that is swept, and
    the gradient or the weights of the inputs that spiked.

    Parameters
    ----------
    config : bitlif.NetworkConfig
    number : int
        Of the layer.

    Members
    -------
    mark, mark_address, ended : In
        Input spikes of the first layer; see `MarkMemory`.
    inputs_push, inputs_row : In
        Input spikes of other layers: those of a slot of the layer before.
    push, before, spikes : In
        Only in hidden layers: P membranes before the noise and P spikes of a slot; lanes without a
        neuron are in ``absent``.
    absent : In(P)
    errors_push, errors : In
        Only in the last layer: P errors of a slot; 0 without a neuron.
    start, done : In(1), Out(1)
        Pulses: sweep the window; all steps are swept.
    start_update, update_done : In(1), Out(1)
        Pulses: update all weights, or show them to the signature if they are; done.
    restart : In(1)
        Pulse: set the LFSRs of sweep and update to their seeds.
    clear, cleared : In(1), Out(1)
        While ``clear`` is high, memories are set to zero; ``cleared`` is high in the last clock
        cycle of that.
    credit : In(CreditSignature)
        Only in hidden layers: from the next layer.
    before_credit : Out(CreditSignature)
        Only if the layer before is swept.
    rate, shift, weight_reading, weight_address, weight_row, update_address, update_place,
    update_data, update_enable, update_slot, weight_saturated, sign, sign_slot, sign_data
        See `WindowUpdate`.
    active : Out(P)
        Adjoint currents that are not zero, of a slot.
    saturated : Out(3 P)
        Saturation flags of credit, adjoint membrane and adjoint current.
    adjoints_valid, adjoints : Out
        P adjoint currents of a slot.
    gradient_taken, gradient_row : Out
        The P sums that enter the update at the end of a window, by slot and then by input; not with
        ``update = "spike"``.
    update_lfsr, sweep_lfsr : Out(array of states)
        Only with stochastic rounding.

    Latency: `bitlif.model.network_clocks` gives the clock cycles of a sweep. Throughput: that of
    its passes. Handshake: pulses. Reset: idle; the memories need ``clear``.
    """

    def __init__(self, config: NetworkConfig, number: int) -> None:
        self._config, self._number = config, number
        self._own = own = config.layers[number]
        self._swept = swept = config.derived_sweep(number)
        self._sizes = sizes = gate_sizes(own.config)
        self._hidden = bool(swept.constants.hidden)
        self._passes = number > 0 and number > config.learned_from
        lanes, steps = sizes.lanes, own.config.window.steps
        weight = data.ArrayLayout(shape_of(own.config.synapse.weight), sizes.synapses)
        current = shape_of(own.sweep.current)
        members: dict[str, Any] = {
            "start": In(1),
            "done": Out(1),
            "start_update": In(1),
            "update_done": Out(1),
            "restart": In(1),
            "clear": In(1),
            "cleared": Out(1),
            "rate": In(own.config.learning.rate_bits),
            "shift": In(range(len(swept_update(swept).shifts))),
            "weight_reading": Out(1),
            "weight_address": Out(range(sizes.inputs * sizes.rows)),
            "weight_row": In(weight),
            "update_address": Out(range(sizes.inputs * sizes.rows)),
            "update_place": Out(range(sizes.row_slots)),
            "update_data": Out(row_layout(own.config)),
            "update_enable": Out(1),
            "update_slot": Out(range(sizes.slots)),
            "weight_saturated": Out(lanes),
            "sign": Out(1),
            "sign_slot": Out(range(sizes.slots)),
            "sign_data": Out(row_layout(own.config)),
            "active": Out(lanes),
            "saturated": Out(3 * lanes),
            "adjoints_valid": Out(1),
            "adjoints": Out(data.ArrayLayout(current, lanes)),
        }
        if number:
            before = config.layers[number - 1].config.layer
            self._words, self._width = before.slots, before.lanes
            members |= {"inputs_push": In(1), "inputs_row": In(before.lanes)}
        else:
            self._marks = MarkMemory(sizes.inputs, steps)
            self._words, self._width = self._marks.words, self._marks.width
            members |= {"mark": In(1), "mark_address": In(range(sizes.inputs)), "ended": In(1)}
        if self._hidden:
            membrane = shape_of(own.config.membrane.format)
            members |= {
                "push": In(1),
                "before": In(data.ArrayLayout(membrane, lanes)),
                "spikes": In(lanes),
                "absent": In(lanes),
                "credit": In(CreditSignature(config, number)),
            }
        else:
            error = shape_of(own.config.error.format)
            members |= {"errors_push": In(1), "errors": In(data.ArrayLayout(error, lanes))}
        if self._passes:
            members["before_credit"] = Out(CreditSignature(config, number - 1))
        if not swept.constants.spike_update:
            sums = data.ArrayLayout(shape_for(swept_update(swept).gradient), lanes)
            members |= {"gradient_taken": Out(1), "gradient_row": Out(sums)}
        updates, sweeps = lfsr_counts(own.config)[1], sweep_streams(config, number)
        if updates:
            members["update_lfsr"] = Out(data.ArrayLayout(own.config.learning.lfsr.width, updates))
        if sweeps:
            members["sweep_lfsr"] = Out(data.ArrayLayout(own.sweep.lfsr.width, sweeps))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Build the passes around their memories, and sequence them."""
        m = Module()
        own, sizes = self._own, self._sizes
        steps = own.config.window.steps
        m.submodules.adjoint = adjoint = AdjointPass(self._config, self._number)
        kind = SpikeUpdate if self._swept.constants.spike_update else WindowUpdate
        m.submodules.update = update = kind(self._config, self._number, self._words, self._width)
        credit = CreditPass(self._config, self._number) if self._passes else None
        if credit is not None:
            m.submodules.credit_pass = credit
        # First rows of the step in the memories of the window.
        slot_base = _base(m, "slot_base", sizes.slots, steps)
        word_base = _base(m, "word_base", self._words, steps)
        before_base = _base(m, "before_base", self._words, steps)
        step, fresh = Signal(range(steps), name="step"), Signal(name="fresh")
        active, mine = Signal(name="active_step"), Signal(name="adjoint_turn")
        bases = ((slot_base, sizes.slots), (word_base, self._words), (before_base, self._words))
        with m.FSM(name="sweep"):
            with m.State("idle"):
                m.d.sync += [step.eq(steps - 1), fresh.eq(1)]
                m.d.sync += [base.eq((steps - 1) * count) for base, count in bases]
                with m.If(self.start):
                    m.next = "wait"
            with m.State("wait"), m.If(self._ready(m)):
                m.d.comb += adjoint.start.eq(1)
                m.d.sync += [active.eq(0), mine.eq(1)]
                m.next = "adjoint"
            with m.State("adjoint"):
                with m.If(adjoint.valid & self.active.any()):
                    m.d.sync += active.eq(1)
                with m.If(adjoint.done):
                    m.d.sync += mine.eq(0)
                    m.next = "update" if credit is None else "credit"
            if credit is not None:
                with m.State("credit"), m.If(~self.before_credit.full):
                    m.d.comb += credit.start.eq(active)
                    m.next = "credit pass"
                    with m.If(~active):
                        m.d.comb += self.before_credit.none.eq(1)
                        m.next = "update"
                with m.State("credit pass"), m.If(credit.before.handed):
                    m.next = "update"
            with m.State("update"):
                # Marks are cleared when they are read, so those of all steps are read.
                always = not self._number or update.always
                m.d.comb += update.start.eq(1 if always else active)
                m.next = "update pass"
                if not always:
                    with m.If(~active):
                        m.next = "next"
            with m.State("update pass"), m.If(update.done):
                m.next = "next"
            with m.State("next"):
                m.d.sync += [step.eq(step - 1), fresh.eq(0)]
                m.d.sync += [base.eq(base - count) for base, count in bases]
                m.next = "wait"
                with m.If(step == 0):
                    m.d.comb += self.done.eq(1)
                    m.next = "idle"
        m.d.comb += [
            adjoint.fresh.eq(fresh),
            adjoint.restart.eq(self.restart),
            update.active.eq(active),
            self.saturated.eq(adjoint.saturated),
            self.adjoints_valid.eq(adjoint.valid),
            self.adjoints.eq(adjoint.currents),
            self.active.eq(
                Cat(adjoint.valid & (adjoint.currents[lane] != 0) for lane in range(sizes.lanes))
            ),
        ]
        if hasattr(self, "sweep_lfsr"):
            m.d.comb += self.sweep_lfsr.eq(adjoint.lfsr)
        self._keep_inputs(m, update, word_base)
        if self._hidden:
            self._keep_derivatives(m, adjoint, slot_base, mine)
        else:
            m.submodules.errors_kept = kept = StepMemory(self.errors.shape(), sizes.slots * steps)
            m.d.comb += [
                kept.push.eq(self.errors_push),
                kept.row.eq(self.errors),
                kept.address.eq(slot_base + adjoint.slot),
                adjoint.errors.eq(kept.shown),
            ]
        self._keep_currents(m, adjoint, credit, update)
        self._update(m, credit, update)
        if credit is not None:
            self._hand_back(m, credit, before_base)
        return m

    def _ready(self, m: Module) -> Any:
        """Return whether a step can begin: the next layer has handed its credit back."""
        if not self._hidden:
            return 1
        m.submodules.credit_kept = self._buffer = CreditBuffer(self._config, self._number)
        return self._buffer.full

    def _hand_back(self, m: Module, credit: CreditPass, base: Signal) -> None:
        """Connect the credit pass to the layer before."""
        port = self.before_credit
        none = Signal(name="hands_none")
        m.d.comb += [
            credit.base.eq(base),
            credit.before.open.eq(port.open),
            credit.before.full.eq(port.full),
            port.address.eq(credit.before.address),
            port.write.eq(credit.before.write),
            port.slot.eq(credit.before.slot),
            port.total.eq(credit.before.total),
            none.eq(port.none),
            port.handed.eq(credit.before.handed | none),
        ]

    def _keep_inputs(self, m: Module, update: Update, base: Signal) -> None:
        """Add the memory of the input spikes."""
        if not self._number:
            m.submodules.marks = marks = self._marks
            m.d.comb += [
                marks.mark.eq(self.mark),
                marks.mark_address.eq(self.mark_address),
                marks.ended.eq(self.ended),
                marks.address.eq(base + update.place),
                marks.wipe.eq(update.looking),
                update.word.eq(marks.shown),
            ]
            return
        steps = self._own.config.window.steps
        layout = data.ArrayLayout(1, self._width)
        m.submodules.inputs_kept = kept = StepMemory(layout, self._words * steps)
        m.d.comb += [
            kept.push.eq(self.inputs_push),
            kept.row.as_value().eq(self.inputs_row),
            kept.address.eq(base + update.place),
            update.word.eq(kept.shown.as_value()),
        ]

    def _keep_derivatives(
        self, m: Module, adjoint: AdjointPass, base: Signal, mine: Signal
    ) -> None:
        """Connect the memory of spikes and surrogate derivatives, and the buffer of the credit."""
        m.submodules.derivatives = kept = DerivativeMemory(self._config, self._number)
        buffer, lanes = self._buffer, self._sizes.lanes
        m.d.comb += [
            kept.push.eq(self.push),
            kept.before.eq(self.before),
            kept.spikes.eq(self.spikes),
            kept.absent.eq(self.absent),
            kept.address.eq(Mux(mine, base + adjoint.slot, self.credit.address)),
            self.credit.open.eq(Cat(kept.shown.derivatives[lane] != 0 for lane in range(lanes))),
            self.credit.full.eq(buffer.full),
            buffer.write.eq(self.credit.write),
            buffer.slot.eq(self.credit.slot),
            buffer.total.eq(self.credit.total),
            buffer.handed.eq(self.credit.handed),
            buffer.given_none.eq(self.credit.none),
            buffer.taken.eq(adjoint.done),
            buffer.read_slot.eq(adjoint.slot),
            adjoint.totals.eq(buffer.totals),
            adjoint.none.eq(buffer.none),
            adjoint.spikes.eq(kept.shown.spikes),
            adjoint.derivatives.eq(kept.shown.derivatives),
        ]

    def _keep_currents(
        self,
        m: Module,
        adjoint: AdjointPass,
        credit: CreditPass | None,
        update: Update,
    ) -> None:
        """Connect the memory of the adjoint currents of a step."""
        m.submodules.currents = kept = CurrentRows(self._config, self._number)
        m.d.comb += [
            kept.push.eq(adjoint.valid),
            kept.currents.eq(adjoint.currents),
            kept.ended.eq(adjoint.done),
            kept.read_row.eq(update.row),
            update.currents.eq(kept.row),
        ]
        if credit is not None:
            with m.If(credit.reading):
                m.d.comb += kept.read_row.eq(credit.row)
            m.d.comb += credit.currents.eq(kept.row)

    def _update(self, m: Module, credit: CreditPass | None, update: Update) -> None:
        """Connect the update to the weights and to the sequence of the window."""
        cleared = Signal(name="cleared_update")
        with m.If(self.clear & update.cleared):
            m.d.sync += cleared.eq(1)
        with m.If(~self.clear):
            m.d.sync += cleared.eq(0)
        done: Any = update.cleared | cleared
        if not self._number:
            wiping = Signal(range(self._marks.depth + 1), name="wiping")
            wiped = wiping == self._marks.depth
            with m.If(~self.clear):
                m.d.sync += wiping.eq(0)
            with m.Elif(~wiped):
                m.d.sync += wiping.eq(wiping + 1)
            m.d.comb += [
                self._marks.clear.eq(self.clear & ~wiped),
                self._marks.clear_address.eq(wiping),
            ]
            done = done & wiped
        m.d.comb += [
            self.cleared.eq(done),
            update.clear.eq(self.clear & ~cleared),
            update.finish.eq(self.start_update),
            update.rate.eq(self.rate),
            update.shift.eq(self.shift),
            update.restart.eq(self.restart),
            update.weight_row.eq(self.weight_row),
            self.update_done.eq(update.finished),
            self.weight_reading.eq(update.weight_reading),
            self.weight_address.eq(update.weight_address),
        ]
        names: tuple[str, ...] = (
            "update_address", "update_place", "update_data", "update_enable", "update_slot",
            "weight_saturated", "sign", "sign_slot", "sign_data",
        )  # fmt: skip
        if hasattr(self, "gradient_row"):
            names = (*names, "gradient_taken", "gradient_row")
        m.d.comb += [getattr(self, name).eq(getattr(update, name)) for name in names]
        if credit is not None:
            with m.If(credit.reading):
                m.d.comb += [
                    self.weight_reading.eq(1),
                    self.weight_address.eq(credit.weight_address),
                ]
            m.d.comb += credit.weight_row.eq(self.weight_row)
        if hasattr(self, "update_lfsr"):
            m.d.comb += self.update_lfsr.eq(update.lfsr)


def _base(m: Module, name: str, rows: int, steps: int) -> Signal:
    """Return a register for the first of a step's rows in a memory of the window."""
    return Signal(range(rows * steps), name=name, init=rows * (steps - 1))
