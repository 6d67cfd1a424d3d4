"""The layer core: events in, spikes out, learning in between (model twin: `bitlif.model.layer`)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from bitlif.model import window
from bitlif.model.config import Config
from bitlif.model.derive import derive
from bitlif.model.signature import WIDTH

from .emitter import SpikeEmitter
from .fixed import shape_of
from .forward import ForwardEngine, event_layout
from .learning import LearningEngine
from .pipe import Pipe
from .signature import Signature
from .update import rate_shifts

COUNTER_BITS = 32
COUNTERS = tuple(name for name in window.COUNTERS if name != "synaptic_events")
"""Of `bitlif.model.window.COUNTERS`, those that the core counts; they stop at their last value."""


class LayerCore(wiring.Component):
    """A layer of M neurons on P lanes that runs and learns in windows, step by step.

    Parameters
    ----------
    config : bitlif.model.config.Config
    learning : bool
        False: inference only; nothing of the learning hardware is there.

    Members
    -------
    i_events : In(stream of event_layout(N))
        Input events in any order within a step; ``last`` ends the step.
    i_targets : In(stream of P raw targets)
        A transfer a slot and step, if the core learns or a teacher resets.
    o_events : Out(stream of event_layout(M))
        Spikes, lowest address first, then ``last``.
    learn : In(1)
        Whether to learn from the window; must hold from its first event to its end.
    idle : Out(1)
        No event of a window is under way: weights may be read and written.
    host_address, host_row, host_enable, host_data
        Weights while `idle`: address ``input * slots + slot``, row one clock after it, and a write
        enable for each lane.
    window_done : Out(1)
        A window ends with this clock.
    phase : Out
        Phase of the schedule.
    digest : Out(32)
        The signature of all windows so far.
    current_saturations ... : Out(32)
        See `COUNTERS`.

    Latency and throughput: `bitlif.model.clocks` gives the clocks of a step. Handshake: all streams
    may stall at any time; nothing is lost. Reset: clears memories but the weights, which takes
    N times slots clocks.
    """

    def __init__(self, config: Config, *, learning: bool = True) -> None:
        self._config = config
        self._learning = learning
        sizes = config.layer
        row = data.ArrayLayout(shape_of(config.synapse.weight), sizes.lanes)
        members = {
            "i_events": In(stream.Signature(event_layout(sizes.inputs))),
            "o_events": Out(stream.Signature(event_layout(sizes.neurons))),
            "idle": Out(1),
            "host_address": In(range(sizes.inputs * sizes.slots)),
            "host_row": Out(row),
            "host_enable": In(sizes.lanes),
            "host_data": In(row),
            "window_done": Out(1),
            "phase": Out(range(len(config.schedule))),
            "digest": Out(WIDTH),
        }
        if learning or config.membrane.reset == "teacher":
            target = config.error.target_bits + 1
            members["i_targets"] = In(stream.Signature(data.ArrayLayout(target, sizes.lanes)))
        if learning:
            members["learn"] = In(1)
        members |= {name: Out(COUNTER_BITS) for name in COUNTERS}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Connect the two engines, the emitter and the weights, and take turns."""
        m = Module()
        config, sizes = self._config, self._config.layer
        m.submodules.forward = forward = ForwardEngine(config, learning=self._learning)
        m.submodules.emitter = emitter = SpikeEmitter(sizes)
        m.submodules.signer = signer = Signature(sizes.lanes)
        learner = LearningEngine(config) if self._learning else None
        if learner is not None:
            m.submodules.learner = learner
        connect(m, flipped(self.i_events), forward.i_events)
        connect(m, emitter.o, flipped(self.o_events))
        if hasattr(self, "i_targets"):
            connect(m, flipped(self.i_targets), forward.i_targets)
            learns = self.learn if self._learning else 0
            m.d.comb += forward.take_targets.eq(learns if config.membrane.reset == "free" else 1)
        m.d.comb += [
            emitter.push.eq(forward.slot_valid),
            emitter.slot.eq(forward.slot),
            emitter.spikes.eq(forward.spikes),
            self.digest.eq(signer.value),
        ]
        self._take_turns(m, forward, emitter, learner)
        self._hold_weights(m, forward, learner)
        self._sign(m, forward, learner, signer)
        self._count(m, forward, learner)
        return m

    def _take_turns(
        self,
        m: Module,
        forward: ForwardEngine,
        emitter: SpikeEmitter,
        learner: LearningEngine | None,
    ) -> None:
        """Sequence events, neurons and traces, gradient, spikes, update, schedule."""
        config = self._config
        keeps, steps = config.window, config.window.steps
        step = Signal(range(steps))
        begun = Signal()
        state_fresh, trace_fresh = Signal(init=1), Signal(init=1)
        neurons_done, traces_done = Signal(), Signal()
        m.d.comb += forward.fresh.eq(state_fresh)
        close, sent = Signal(), Signal()
        with m.If(emitter.start):
            m.d.sync += sent.eq(0)
        with m.Elif(emitter.done):
            m.d.sync += sent.eq(1)
        with m.FSM(name="turn"):
            with m.State("clear"):
                m.d.comb += forward.clear.eq(1)
                cleared = forward.cleared
                if learner is not None:
                    m.d.comb += learner.clear.eq(1)
                    cleared = cleared & learner.cleared
                with m.If(cleared):
                    m.next = "events"
            with m.State("events"):
                m.d.comb += [forward.accept.eq(1), self.idle.eq((step == 0) & ~begun)]
                with m.If(self.i_events.valid):
                    m.d.sync += begun.eq(1)
                with m.If(forward.ended):
                    m.d.comb += forward.start.eq(1)
                    m.d.sync += neurons_done.eq(0)
                    if learner is not None:
                        m.d.comb += learner.start_traces.eq(self.learn)
                        m.d.sync += traces_done.eq(~self.learn)
                    m.next = "neurons"
            with m.State("neurons"):
                # Judged by registers: the last slot's errors are being kept in the clock of `done`.
                ready = neurons_done
                with m.If(forward.done):
                    m.d.sync += neurons_done.eq(1)
                if learner is not None:
                    with m.If(learner.traces_done):
                        m.d.sync += traces_done.eq(1)
                    ready = neurons_done & traces_done
                with m.If(ready):
                    m.d.sync += state_fresh.eq(0)
                    m.d.comb += emitter.start.eq(1)
                    if learner is None:
                        m.next = "spikes"
                    else:
                        with m.If(self.learn):
                            m.d.sync += trace_fresh.eq(0)
                            m.d.comb += learner.start_gradient.eq(1)
                            m.next = "gradient"
                        with m.Else():
                            m.next = "spikes"
            if learner is not None:
                with m.State("gradient"), m.If(learner.gradient_done):
                    m.next = "spikes"
            with m.State("spikes"), m.If(sent | emitter.done):
                with m.If(step == steps - 1):
                    m.d.sync += [step.eq(0), begun.eq(0)]
                    m.next = "close"
                    if learner is not None:
                        with m.If(self.learn):
                            m.d.comb += learner.start_update.eq(1)
                            m.next = "update"
                with m.Else():
                    m.d.sync += step.eq(step + 1)
                    m.next = "events"
            if learner is not None:
                with m.State("update"), m.If(learner.update_done):
                    m.next = "close"
            with m.State("close"):
                m.d.comb += [close.eq(1), self.window_done.eq(1)]
                m.d.sync += [
                    state_fresh.eq(keeps.state == "clear"),
                    trace_fresh.eq(trace_fresh | (keeps.trace == "clear")),
                ]
                # The schedule's memory answers a clock after its address has changed.
                m.next = "schedule"
            with m.State("schedule"):
                m.next = "settle"
            with m.State("settle"):
                m.next = "events"
        restart = close & (keeps.lfsr == "clear")
        m.d.comb += forward.restart.eq(restart)
        if learner is not None:
            m.d.comb += [
                learner.restart.eq(restart),
                learner.fresh.eq(trace_fresh),
                learner.mark.eq(forward.marked & self.learn),
                learner.mark_address.eq(forward.mark_address),
                learner.push.eq(forward.error_valid & self.learn),
                learner.slot.eq(forward.error_slot),
                learner.errors.eq(forward.errors),
            ]
        self._follow_schedule(m, forward, learner, close)

    def _follow_schedule(
        self, m: Module, forward: ForwardEngine, learner: LearningEngine | None, close: Signal
    ) -> None:
        """Keep the phase's constants on the engines' ports, and count its windows."""
        config = self._config
        phases = derive(config).phases
        shifts = rate_shifts(config)
        lengths = [phase.windows for phase in config.schedule]
        layout = data.StructLayout(
            {
                "noise_scale": config.noise.scale_bits,
                "reciprocal": config.error.reciprocal_bits,
                "rate": config.learning.rate_bits,
                "shift": range(len(shifts)),
                "windows": range(max(lengths) + 1),
            }
        )
        rows = [
            {
                "noise_scale": phase.noise_scale,
                "reciprocal": phase.reciprocal,
                "rate": phase.rate,
                "shift": shifts.index((phase.rate_left, phase.rate_bias, phase.rate_right)),
                "windows": length,
            }
            for phase, length in zip(phases, lengths, strict=True)
        ]
        m.submodules.schedule = schedule = Memory(shape=layout, depth=len(rows), init=rows)
        read = schedule.read_port()
        learned = Signal(range(max(lengths) + 1))
        m.d.comb += [read.addr.eq(self.phase), forward.noise_scale.eq(read.data.noise_scale)]
        if learner is None:
            return
        m.d.comb += [
            forward.reciprocal.eq(read.data.reciprocal),
            learner.rate.eq(read.data.rate),
            learner.shift.eq(read.data.shift),
        ]
        final = self.phase == len(rows) - 1
        with m.If(close & self.learn & ~final):
            m.d.sync += learned.eq(learned + 1)
            with m.If(learned + 1 == read.data.windows):
                m.d.sync += [learned.eq(0), self.phase.eq(self.phase + 1)]

    def _hold_weights(
        self, m: Module, forward: ForwardEngine, learner: LearningEngine | None
    ) -> None:
        """Share the weights' one read and one write port between host and engines."""
        sizes = self._config.layer
        m.submodules.weights = weights = Memory(
            shape=data.ArrayLayout(shape_of(self._config.synapse.weight), sizes.lanes),
            depth=sizes.inputs * sizes.slots,
            init=[],
        )
        read, write = weights.read_port(), weights.write_port(granularity=1)
        m.d.comb += [
            read.addr.eq(forward.weight_address),
            forward.weight_data.eq(read.data),
            self.host_row.eq(read.data),
        ]
        if learner is not None:
            updating = Signal()
            with m.If(learner.start_update):
                m.d.sync += updating.eq(1)
            with m.If(learner.update_done):
                m.d.sync += updating.eq(0)
            with m.If(updating):
                m.d.comb += read.addr.eq(learner.weight_address)
            with m.If(learner.update_enable):
                m.d.comb += [
                    write.addr.eq(learner.update_address),
                    write.data.eq(learner.update_data),
                    write.en.eq(~0),
                ]
            m.d.comb += learner.weight_data.eq(read.data)
        with m.If(self.idle):
            m.d.comb += read.addr.eq(self.host_address)
            with m.If(self.host_enable.any()):
                m.d.comb += [
                    write.addr.eq(self.host_address),
                    write.data.eq(self.host_data),
                    write.en.eq(self.host_enable),
                ]

    def _present(self, slot: Signal) -> list[object]:
        """Return for each lane whether there is a neuron in `slot`."""
        sizes = self._config.layer
        return [slot * sizes.lanes + lane < sizes.neurons for lane in range(sizes.lanes)]

    def _sign(
        self,
        m: Module,
        forward: ForwardEngine,
        learner: LearningEngine | None,
        signer: Signature,
    ) -> None:
        """Feed the signature with membranes and spikes, and with updated weights."""
        sizes = self._config.layer
        for lane, present in enumerate(self._present(forward.slot)):
            word = Signal(WIDTH, name=f"potential_{lane}")
            m.d.comb += word.eq(forward.before[lane])
            with m.If(forward.slot_valid & present):
                m.d.comb += [
                    signer.take[lane].eq(1),
                    signer.words[lane].eq(word ^ (forward.spikes[lane] << (WIDTH - 1))),
                ]
        if learner is None:
            return
        # The update walks slot by slot; a counter of its writes tells where it is.
        slot, place = Signal(range(sizes.slots)), Signal(range(sizes.inputs))
        with m.If(learner.update_enable):
            m.d.sync += place.eq(place + 1)
            with m.If(place == sizes.inputs - 1):
                m.d.sync += [place.eq(0), slot.eq(slot + 1)]
                with m.If(slot == sizes.slots - 1):
                    m.d.sync += slot.eq(0)
        for lane, present in enumerate(self._present(slot)):
            word = Signal(WIDTH, name=f"weight_{lane}")
            m.d.comb += word.eq(learner.update_data[lane])
            with m.If(learner.update_enable & present):
                m.d.comb += [signer.take[lane].eq(1), signer.words[lane].eq(word)]

    def _count(self, m: Module, forward: ForwardEngine, learner: LearningEngine | None) -> None:
        """Count saturations and active errors, a clock later, up to the last value."""
        pipe = Pipe(m)
        flags: dict[str, object] = {}
        present = self._present(forward.slot)
        saturated = [forward.saturated.word_select(lane, 3) for lane in range(len(present))]
        here = [exists & forward.slot_valid for exists in present]
        flags["current_saturations"] = Cat(
            *(s[0] & h for s, h in zip(saturated, here, strict=True))
        )
        flags["membrane_saturations"] = Cat(
            *(s[bit] & h for s, h in zip(saturated, here, strict=True) for bit in (1, 2))
        )
        if learner is not None:
            there = self._present(forward.error_slot)
            pushed = [exists & learner.push for exists in there]
            flags |= {
                "error_saturations": Cat(
                    *(s & p for s, p in zip(forward.error_saturated, pushed, strict=True))
                ),
                "synaptic_trace_saturations": learner.saturated[0] & learner.trace_written,
                "trace_saturations": learner.saturated[1] & learner.trace_written,
                "weight_saturations": learner.weight_saturated
                & learner.update_enable.replicate(len(there)),
                "active_errors": learner.active & learner.push.replicate(len(there)),
            }
        for name, bits in flags.items():
            counter = getattr(self, name)
            taken = pipe.register(bits, f"{name}_now")
            count = sum(taken[bit] for bit in range(len(taken)))
            total = Signal(COUNTER_BITS + 1, name=f"{name}_total")
            m.d.comb += total.eq(counter + count)
            with m.If(~total[-1]):
                m.d.sync += counter.eq(total)
            with m.Else():
                m.d.sync += counter.eq(~0)
