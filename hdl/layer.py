"""The layer core, which runs and learns (model twin: `bitlif.model.layer`)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from numpy.typing import NDArray

from bitlif.model import clocks
from bitlif.model.config.config import Config
from bitlif.model.signature import WIDTH

from .core_signals import COUNTER_BITS, COUNTERS
from .emitter import SpikeEmitter
from .forward import ForwardEngine
from .gather import SUM_LATENCY, event_layout
from .host_port import HostSignature, phase_layout
from .learning import LearningEngine
from .loadable import phase_rows
from .memories import weight_rows
from .observers import add_counters, connect_signature, connect_watch
from .schedule import follow_schedule
from .signature import Signature
from .turns import Turns
from .weight_ports import hold_weights


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


def timings() -> dict[str, int]:
    """Return the clock cycles that `bitlif.model.clocks` uses, from the pipeline stages."""
    return {
        "SPIKES": ForwardEngine.latency,
        "ERRORS": ForwardEngine.error_latency,
        "LEAST": ForwardEngine.least_clocks(learning=False),
        "LEAST_LEARNING": ForwardEngine.least_clocks(learning=True),
        "SUMS": SUM_LATENCY,
        "FUSED": LearningEngine.fused_gap,
        "TRACE_GAP": LearningEngine.pass_gap,
        "SINGLE_GAP": LearningEngine.single_gap,
        "PRODUCT": LearningEngine.gradient_latency,
        "UPDATE": LearningEngine.update_latency,
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
    of S weights per clock cycle. Handshake: all streams can stall at any time; nothing is lost.
    Reset: at any time, also during a window, for one clock cycle or more. It clears everything
    except weights, error table and schedule; the core then needs one clock cycle per row of the
    gradient. Transfers during a reset are lost.
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
        for name, value in timings().items():
            assert getattr(clocks, name) == value, f"{name} must be {value}"
        m = Module()
        config, sizes = self._config, self._config.layer
        m.submodules.forward = forward = ForwardEngine(config, learning=self._learning)
        m.submodules.emitter = emitter = SpikeEmitter(sizes)
        m.submodules.signer = signer = Signature(sizes.lanes)
        m.submodules.turns = turns = Turns(config, learning=self._learning)
        learner = LearningEngine(config) if self._learning else None
        if learner is not None:
            m.submodules.learner = learner
        connect(m, flipped(self.i_events), forward.i_events)
        connect(m, emitter.o, flipped(self.o_events))
        if hasattr(self, "i_targets"):
            connect(m, flipped(self.i_targets), forward.i_targets)
            learns = self.learn if self._learning else 0
            m.d.comb += forward.take_targets.eq(1 if config.membrane.reset == "teacher" else learns)
        m.d.comb += [
            emitter.push.eq(forward.slot_valid),
            emitter.slot.eq(forward.slot),
            emitter.spikes.eq(forward.spikes),
            emitter.start.eq(forward.done),
            self.digest.eq(signer.value),
        ]
        self._take_turns(m, turns, forward, emitter, learner)
        follow_schedule(
            m, self, phase_rows(config), phase_layout(config), forward, learner, turns.window_done
        )
        self._serve_host(m, forward, learner)
        hold_weights(m, config, self._weights, self.host, forward, learner)
        connect_signature(m, config.layer, forward, learner, signer)
        connect_watch(m, forward, learner, self.step_done, self.window_done)
        counters = add_counters(m, config.layer, forward, learner)
        m.d.comb += [getattr(self, name).eq(value) for name, value in counters.items()]
        return m

    def _take_turns(
        self,
        m: Module,
        turns: Turns,
        forward: ForwardEngine,
        emitter: SpikeEmitter,
        learner: LearningEngine | None,
    ) -> None:
        """Connect the passes to the state machine that starts them."""
        keeps = self._config.window
        state_fresh, state_blank = Signal(init=1, name="state_fresh"), Signal(init=1, name="blank")
        # Restart with the first event, so that the host reads the final states between windows.
        restart = turns.idle & self.i_events.valid & (keeps.lfsr == "clear")
        m.d.comb += [
            turns.event.eq(self.i_events.valid),
            turns.gathered.eq(forward.gathered),
            turns.free.eq(forward.free),
            turns.sent.eq(emitter.done),
            forward.accept.eq(turns.accept),
            forward.following.eq(turns.following),
            forward.start.eq(turns.start),
            forward.fresh.eq(state_fresh),
            forward.restart.eq(restart),
            self.host.idle.eq(turns.idle),
            self.host.state_blank.eq(state_blank),
            self.step_done.eq(turns.step_done),
            self.window_done.eq(turns.window_done),
        ]
        with m.If(forward.issued):
            m.d.sync += state_fresh.eq(0)
        with m.If(turns.window_done):
            m.d.sync += state_fresh.eq(keeps.state == "clear")
        with m.If(forward.done):
            m.d.sync += state_blank.eq(0)
        if learner is None:
            m.d.comb += turns.cleared.eq(1)
            return
        trace_fresh, trace_blank = Signal(init=1, name="trace_fresh"), Signal(init=1, name="unused")
        m.d.comb += [
            turns.learn.eq(self.learn),
            turns.cleared.eq(learner.cleared),
            turns.taught.eq(learner.taught),
            turns.learned.eq(learner.done),
            turns.updated.eq(learner.update_done),
            learner.clear.eq(turns.clear),
            learner.start_update.eq(turns.start_update),
            learner.restart.eq(restart),
            learner.fresh.eq(trace_fresh),
            learner.mark.eq(forward.marked & self.learn),
            learner.mark_address.eq(forward.mark_address),
            learner.gathered.eq(turns.start & self.learn),
            forward.learn.eq(self.learn),
            learner.push.eq(forward.error_valid),
            learner.slot.eq(forward.error_slot),
            learner.errors.eq(forward.errors),
            learner.errors_done.eq(forward.errors_done),
            self.host.trace_blank.eq(trace_blank),
        ]
        with m.If(learner.traced):
            m.d.sync += [trace_fresh.eq(0), trace_blank.eq(0)]
        with m.If(turns.window_done & (keeps.trace == "clear")):
            m.d.sync += trace_fresh.eq(1)
        with m.If(forward.done & ~self.learn & (keeps.trace == "clear")):
            m.d.sync += trace_blank.eq(1)

    def _serve_host(
        self, m: Module, forward: ForwardEngine, learner: LearningEngine | None
    ) -> None:
        """Connect the host's address and the rows of the engines at it."""
        host = self.host
        m.d.comb += [
            forward.host.eq(host.idle),
            forward.host_slot.eq(host.address),
            host.state.eq(forward.host_state),
        ]
        if hasattr(host, "noise_lfsr"):
            m.d.comb += host.noise_lfsr.eq(forward.noise_lfsr)
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
