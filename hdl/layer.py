"""The layer core, which runs and learns (model twin: `bitlif.model.layer`)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped
from numpy.typing import NDArray

from bitlif.model import clocks
from bitlif.model.config.config import Config
from bitlif.model.signature import WIDTH

from .core_signals import COUNTER_BITS, COUNTERS
from .emitter import SpikeEmitter
from .forward import ForwardEngine, event_layout
from .host_port import HostSignature, phase_layout, row_layout
from .learning import LearningEngine
from .loadable import phase_rows
from .memories import weight_rows
from .observers import add_counters, connect_signature, connect_watch
from .pipeline import NO_READ_WRITE_COLLISION
from .signature import Signature


def core_members(config: Config, *, learning: bool) -> dict[str, wiring.Member]:
    """Return the members of the signature of a core, in the order of its ports in Verilog."""
    sizes = config.layer
    members = {
        "i_events": In(stream.Signature(event_layout(sizes.inputs))),
        "o_events": Out(stream.Signature(event_layout(sizes.neurons))),
        "host": In(HostSignature(config, learning=learning)),
        "step_done": Out(1),
        "window_done": Out(1),
        "phase": Out(range(max(2, len(config.schedule)))),
        "digest": Out(WIDTH),
    }
    if learning or config.membrane.reset == "teacher":
        target = config.error.target_bits + 1
        members["i_targets"] = In(stream.Signature(data.ArrayLayout(target, sizes.lanes)))
    if learning:
        members["learn"] = In(1)
    members |= {name: Out(COUNTER_BITS) for name in COUNTERS}
    return members


def pipeline_depths() -> dict[str, int]:
    """Return the depths that `bitlif.model.clocks` uses, computed from the pipeline stages.

    A depth is the latency of a pass, plus one clock cycle where its state machine waits for a
    registered done flag; the update includes the end of the window.
    """
    return {
        "NEURON_DEPTH": ForwardEngine.latency + 1,
        "ERROR_DEPTH": ForwardEngine.error_latency + 1,
        "TRACE_DEPTH": LearningEngine.trace_latency + 1,
        "GRADIENT_DEPTH": LearningEngine.gradient_latency,
        "UPDATE_DEPTH": LearningEngine.update_latency + clocks.CLOSE,
    }


class LayerCore(wiring.Component):
    """A layer of M neurons on P lanes that runs and learns in windows.

    Parameters
    ----------
    config : bitlif.Config
    learning : bool
        False: inference only; the learning hardware is omitted.
    weights : (N, M) int or None
        Initial raw weights (checked by the caller); zeros if None.

    Members
    -------
    i_events : In(stream of event_layout(N))
        Input events in any order within a step; ``last`` ends the step.
    i_targets : In(stream of P raw targets)
        One transfer per slot and step; only if the core learns or a teacher resets.
    o_events : Out(stream of event_layout(M))
        Spikes, lowest address first, then ``last``.
    learn : In(1)
        Whether to learn from the window; must be stable from its first event to its end.
    host : In(HostSignature)
        Weights, state, traces, error table, schedule and LFSRs, between windows.
    step_done : Out(1)
        A step ends in this clock cycle (the weight update follows the last step).
    window_done : Out(1)
        A window ends in this clock cycle.
    phase : Out
        Phase of the schedule.
    digest : Out(32)
        Signature of all windows since the reset.
    current_saturations ... : Out(32)
        One output per name in `COUNTERS`.

    Latency: `bitlif.model.clocks.step_clocks` gives the clock cycles of a step. Throughput: one row
    of P weights per clock cycle. Handshake: all streams can stall at any time; nothing is lost.
    Reset: at any time, also during a window, for one clock cycle or more. It clears everything
    except weights, error table and schedule; the core then needs N times slots clock cycles.
    Transfers during a reset are lost.
    """

    def __init__(
        self, config: Config, *, learning: bool = True, weights: NDArray[Any] | None = None
    ) -> None:
        self._config = config
        self._weights = [] if weights is None else weight_rows(config, weights)
        self._learning = learning
        super().__init__(core_members(config, learning=learning))

    def elaborate(self, platform: object) -> Module:
        """Connect the engines, the emitter, the weights and the host; sequence them."""
        for name, depth in pipeline_depths().items():
            assert getattr(clocks, name) == depth, f"{name} must be {depth}"
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
        self._serve_host(m, forward, learner)
        self._hold_weights(m, forward, learner)
        connect_signature(m, config.layer, forward, learner, signer)
        connect_watch(m, forward, learner, self.step_done, self.window_done)
        counters = add_counters(m, config.layer, forward, learner)
        m.d.comb += [getattr(self, name).eq(value) for name, value in counters.items()]
        return m

    def _take_turns(
        self,
        m: Module,
        forward: ForwardEngine,
        emitter: SpikeEmitter,
        learner: LearningEngine | None,
    ) -> None:
        """Build the state machine that runs the passes of steps and windows in order."""
        config = self._config
        keeps, steps = config.window, config.window.steps
        step = Signal(range(steps))
        begun = Signal()
        state_fresh, trace_fresh = Signal(init=1), Signal(init=1)
        neurons_done, traces_done = Signal(), Signal()
        m.d.comb += forward.fresh.eq(state_fresh)
        close, sent = Signal(), Signal()
        state_blank = Signal(init=1)
        m.d.comb += self.host.state_blank.eq(state_blank)
        if learner is not None:
            trace_blank = Signal(init=1)
            m.d.comb += self.host.trace_blank.eq(trace_blank)
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
                m.d.comb += [forward.accept.eq(1), self.host.idle.eq((step == 0) & ~begun)]
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
                # Uses registers: the errors of the last slot are stored in the cycle of `done`.
                ready = neurons_done
                with m.If(forward.done):
                    m.d.sync += neurons_done.eq(1)
                if learner is not None:
                    with m.If(learner.traces_done):
                        m.d.sync += traces_done.eq(1)
                    ready = neurons_done & traces_done
                with m.If(ready):
                    m.d.sync += [state_fresh.eq(0), state_blank.eq(0)]
                    m.d.comb += emitter.start.eq(1)
                    if learner is None:
                        m.next = "spikes"
                    else:
                        with m.If(self.learn):
                            m.d.sync += [trace_fresh.eq(0), trace_blank.eq(0)]
                            m.d.comb += learner.start_gradient.eq(1)
                            m.next = "gradient"
                        with m.Else():
                            if keeps.trace == "clear":
                                m.d.sync += trace_blank.eq(1)
                            m.next = "spikes"
            if learner is not None:
                with m.State("gradient"), m.If(learner.gradient_done):
                    m.next = "spikes"
            with m.State("spikes"), m.If(sent | emitter.done):
                m.d.comb += self.step_done.eq(1)
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
                # The memory of the schedule is read one clock cycle after its address.
                m.next = "schedule"
            with m.State("schedule"):
                m.next = "settle"
            with m.State("settle"):
                m.next = "events"
        # Restart with the first event, so that the host reads the final states between windows.
        restart = self.host.idle & self.i_events.valid & (keeps.lfsr == "clear")
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
        """Drive the constants of the phase, and count its windows."""
        config = self._config
        rows = phase_rows(config)
        m.submodules.schedule = schedule = Memory(
            shape=phase_layout(config),
            depth=len(rows),
            init=rows,
            attrs=NO_READ_WRITE_COLLISION | ({"ram_style": "block"} if len(rows) > 8 else {}),
        )
        read, write = schedule.read_port(), schedule.write_port()
        m.d.comb += [
            read.addr.eq(self.phase),
            forward.noise_scale.eq(read.data.noise_scale),
            self.host.schedule.eq(read.data),
            write.addr.eq(self.host.address),
            write.data.eq(self.host.schedule_data),
            write.en.eq(self.host.schedule_enable & self.host.idle),
        ]
        # The host is idle until the first event; the constants are needed only cycles later.
        with m.If(self.host.idle):
            m.d.comb += read.addr.eq(self.host.address)
        if learner is None:
            return
        m.d.comb += [
            forward.reciprocal.eq(read.data.reciprocal),
            learner.rate.eq(read.data.rate),
            learner.shift.eq(read.data.shift),
        ]
        final = self.phase == len(rows) - 1
        learned, windows = Signal.like(read.data.windows), Signal.like(read.data.windows)
        m.d.sync += windows.eq(read.data.windows)
        with m.If(close & self.learn & ~final):
            m.d.sync += learned.eq(learned + 1)
            with m.If(learned + 1 == windows):
                m.d.sync += [learned.eq(0), self.phase.eq(self.phase + 1)]

    def _hold_weights(
        self, m: Module, forward: ForwardEngine, learner: LearningEngine | None
    ) -> None:
        """Share the read port and the write port of the weights between host and engines."""
        sizes = self._config.layer
        m.submodules.weights = weights = Memory(
            shape=row_layout(self._config),
            depth=sizes.inputs * sizes.slots,
            init=self._weights,
            attrs=NO_READ_WRITE_COLLISION,
        )
        read, write = weights.read_port(), weights.write_port(granularity=1)
        m.d.comb += [
            read.addr.eq(forward.weight_address),
            forward.weight_data.eq(read.data),
            self.host.weights.eq(read.data),
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
        with m.If(self.host.idle):
            m.d.comb += [
                read.addr.eq(self.host.address),
                write.addr.eq(self.host.address),
                write.data.eq(self.host.weights_data),
                write.en.eq(self.host.weights_enable),
            ]

    def _serve_host(
        self, m: Module, forward: ForwardEngine, learner: LearningEngine | None
    ) -> None:
        """Connect the host's address and the rows of the engines at it."""
        host = self.host
        m.d.comb += [
            forward.host.eq(host.idle),
            forward.host_slot.eq(host.address),
            host.state.eq(forward.host_state),
            host.noise_lfsr.eq(forward.noise_lfsr),
        ]
        if learner is None:
            return
        m.d.comb += [
            forward.host_bin.eq(host.address),
            forward.host_entry_enable.eq(host.entry_enable & host.idle),
            forward.host_entry_data.eq(host.entry_data),
            host.entry.eq(forward.host_entry),
            learner.host_input.eq(host.address),
            host.trace.eq(learner.host_trace),
        ]
        if hasattr(learner, "update_lfsr"):
            m.d.comb += host.update_lfsr.eq(learner.update_lfsr)
