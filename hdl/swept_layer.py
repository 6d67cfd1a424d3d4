"""A layer of a network that learns: a layer core with a sweep in place of its traces."""

from __future__ import annotations

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.signature import WIDTH

from .core_signals import COUNTER_BITS, SWEPT_COUNTERS
from .counter import SaturatingCounter
from .credit_pass import CreditSignature
from .emitter import SpikeEmitter
from .forward import ForwardEngine
from .gather import event_layout
from .loadable import swept_rows
from .memories import weight_rows
from .network_port import SweptHostSignature, swept_phase_layout
from .observers import connect_signature, connect_swept_watch
from .pipeline import present_lanes
from .schedule import follow_schedule
from .signature import Signature
from .sweep_pass import SweepEngine
from .turns import Turns
from .weight_ports import hold_weights


class Signed(NamedTuple):
    """What the signature takes of the weights of a learned window."""

    update_enable: Signal
    update_slot: Signal
    update_data: Any


class Unswept:
    """Stands for the engine of a layer that is not learned, where a schedule needs one."""

    def __init__(self, config: NetworkConfig, number: int) -> None:
        own = config.layers[number].config
        self.rate = Signal(own.learning.rate_bits, name="rate_unused")
        self.shift = Signal(swept_phase_layout(config, number)["shift"].shape, name="shift_unused")


class SweptLayer(wiring.Component):
    """A layer of a network that learns, whose windows end when all layers are swept.

    Parameters
    ----------
    config : bitlif.NetworkConfig
    number : int
        Of the layer.
    weights : (N, M) int or None
        Initial raw weights (checked by the caller); zeros if None.

    Members
    -------
    i_events, i_targets, o_events, learn, step_done, window_done, phase, digest
        As in `LayerCore`; i_targets only in the last layer.
    host : In(SweptHostSignature)
    inputs_push, inputs_row : In
        Spikes of a slot of the layer before; not in the first layer.
    push, spikes : Out
        Spikes of a slot, for the next layer; 0 without a neuron.
    finished : Out(1)
        Pulse: all steps of a learned window are done.
    sweep, swept : In(1), Out(1)
        Pulses: sweep the window; only in layers that are learned.
    update, updated : In(1), Out(1)
        Pulses: update the weights.
    close : In(1)
        Pulse: end the window.
    credit, before_credit
        See `SweepEngine`.
    current_saturations ... : Out(32)
        One output per name in `SWEPT_COUNTERS`.

    Latency: see `bitlif.model.network_clocks`. Throughput: one row of S weights per clock cycle.
    Handshake: all streams can stall at any time; nothing is lost. Reset: as `LayerCore`.
    """

    def __init__(
        self, config: NetworkConfig, number: int, *, weights: NDArray[Any] | None = None
    ) -> None:
        self._network, self._number = config, number
        own = config.layers[number].config
        self._config = own
        self._weights = [] if weights is None else weight_rows(own, weights)
        self.learned = number >= config.learned_from
        self._last = number == len(config.layers) - 1
        self._passes = number > config.learned_from
        sizes = own.layer
        members: dict[str, Any] = {
            "i_events": In(stream.Signature(event_layout(sizes.inputs))),
            "o_events": Out(stream.Signature(event_layout(sizes.neurons))),
            "host": In(SweptHostSignature(config, number)),
            "learn": In(1),
            "step_done": Out(1),
            "window_done": Out(1),
            "phase": Out(range(max(2, len(own.schedule)))),
            "digest": Out(WIDTH),
            "push": Out(1),
            "spikes": Out(sizes.lanes),
            "finished": Out(1),
            "close": In(1),
        }
        if self._last:
            target = own.error.target_bits + 1
            members["i_targets"] = In(stream.Signature(data.ArrayLayout(target, sizes.lanes)))
        if number:
            before = config.layers[number - 1].config.layer
            members |= {"inputs_push": In(1), "inputs_row": In(before.lanes)}
        if self.learned:
            members |= {"sweep": In(1), "swept": Out(1), "update": In(1), "updated": Out(1)}
            if not self._last:
                members["credit"] = In(CreditSignature(config, number))
            if self._passes:
                members["before_credit"] = Out(CreditSignature(config, number - 1))
        members |= {name: Out(COUNTER_BITS) for name in SWEPT_COUNTERS}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Connect the engines, the emitter, the weights and the host; sequence them."""
        m = Module()
        config, sizes = self._config, self._config.layer
        forward = ForwardEngine(config, learning=self._last)
        m.submodules.forward = self.forward = forward
        m.submodules.emitter = emitter = SpikeEmitter(sizes)
        m.submodules.signer = signer = Signature(sizes.lanes)
        m.submodules.turns = turns = Turns(config, learning=True)
        engine = SweepEngine(self._network, self._number) if self.learned else None
        if engine is not None:
            m.submodules.sweep = self.engine = engine
        connect(m, flipped(self.i_events), forward.i_events)
        connect(m, emitter.o, flipped(self.o_events))
        if self._last:
            connect(m, flipped(self.i_targets), forward.i_targets)
            free = config.membrane.reset != "teacher"
            m.d.comb += [
                forward.take_targets.eq(self.learn if free else 1),
                forward.learn.eq(self.learn),
            ]
        present = Cat(present_lanes(sizes, forward.slot))
        m.d.comb += [
            emitter.push.eq(forward.slot_valid),
            emitter.slot.eq(forward.slot),
            emitter.spikes.eq(forward.spikes),
            emitter.start.eq(forward.done),
            self.digest.eq(signer.value),
            self.push.eq(forward.slot_valid & self.learn),
            self.spikes.eq(forward.spikes & present),
        ]
        self._take_turns(m, turns, forward, emitter, engine)
        follow_schedule(
            m, self, swept_rows(config, self._network.derived_sweep(self._number)),
            swept_phase_layout(self._network, self._number), forward,
            engine or Unswept(self._network, self._number), turns.window_done,
        )  # fmt: skip
        hold_weights(m, config, self._weights, self.host, forward, engine)
        signed = None
        if engine is not None:
            signed = Signed(engine.sign, engine.sign_slot, engine.sign_data)
        connect_signature(m, sizes, forward, signed, signer)
        self._serve_host(m, forward, engine)
        if engine is not None:
            self._record(m, turns, forward, engine, present)
        self._count(m, forward, engine)
        connect_swept_watch(m, forward, engine, self.step_done, self.window_done)
        return m

    def _take_turns(
        self, m: Module, turns: Turns, forward: Any, emitter: Any, engine: SweepEngine | None
    ) -> None:
        """Connect the passes to the state machine that starts them."""
        keeps = self._config.window
        state_fresh = Signal(init=1, name="state_fresh")
        state_blank = Signal(init=1, name="blank")
        restart = turns.idle & self.i_events.valid & (keeps.lfsr == "clear")
        done = forward.errors_done if self._last else forward.done & self.learn
        m.d.comb += [
            turns.learn.eq(self.learn),
            turns.event.eq(self.i_events.valid),
            turns.gathered.eq(forward.gathered),
            turns.free.eq(forward.free),
            turns.sent.eq(emitter.done),
            # No step waits for the learning of another: that follows the window.
            turns.taught.eq(1),
            turns.learned.eq(done),
            turns.updated.eq(self.close),
            turns.cleared.eq(1 if engine is None else engine.cleared),
            forward.accept.eq(turns.accept),
            forward.following.eq(turns.following),
            forward.start.eq(turns.start),
            forward.fresh.eq(state_fresh),
            forward.restart.eq(restart),
            self.host.idle.eq(turns.idle),
            self.host.state_blank.eq(state_blank),
            self.step_done.eq(turns.step_done),
            self.window_done.eq(turns.window_done),
            self.finished.eq(turns.start_update),
        ]
        with m.If(forward.issued):
            m.d.sync += state_fresh.eq(0)
        with m.If(turns.window_done):
            m.d.sync += state_fresh.eq(keeps.state == "clear")
        with m.If(forward.done):
            m.d.sync += state_blank.eq(0)
        if engine is not None:
            m.d.comb += [
                engine.clear.eq(turns.clear),
                engine.restart.eq(restart),
                engine.start.eq(self.sweep),
                engine.start_update.eq(self.update),
                self.swept.eq(engine.done),
                self.updated.eq(engine.update_done),
            ]

    def _record(
        self, m: Module, turns: Turns, forward: Any, engine: SweepEngine, present: Any
    ) -> None:
        """Give the engine what the steps of a learned window leave."""
        lanes = self._config.layer.lanes
        if self._number:
            m.d.comb += [
                engine.inputs_push.eq(self.inputs_push),
                engine.inputs_row.eq(self.inputs_row),
            ]
        else:
            m.d.comb += [
                engine.mark.eq(forward.marked & self.learn),
                engine.mark_address.eq(forward.mark_address),
                engine.ended.eq(turns.start & self.learn),
            ]
        if self._last:
            m.d.comb += engine.errors_push.eq(forward.error_valid)
            for lane, exists in enumerate(present_lanes(self._config.layer, forward.error_slot)):
                with m.If(exists):
                    m.d.comb += engine.errors[lane].eq(forward.errors[lane])
        else:
            connect(m, flipped(self.credit), engine.credit)
            m.d.comb += [
                engine.push.eq(self.push),
                engine.spikes.eq(forward.spikes),
                engine.absent.eq(~present),
            ]
            m.d.comb += [engine.before[lane].eq(forward.before[lane]) for lane in range(lanes)]
        if self._passes:
            connect(m, engine.before_credit, flipped(self.before_credit))

    def _serve_host(self, m: Module, forward: Any, engine: SweepEngine | None) -> None:
        """Connect the host's address and the rows of the engines at it."""
        host = self.host
        m.d.comb += [
            forward.host.eq(host.idle),
            forward.host_slot.eq(host.address),
            host.state.eq(forward.host_state),
        ]
        if hasattr(host, "noise_lfsr"):
            m.d.comb += host.noise_lfsr.eq(forward.noise_lfsr)
        if self._last:
            m.d.comb += [
                forward.host_bin.eq(host.address),
                forward.host_entry_enable.eq(host.entry_enable & host.idle),
                forward.host_entry_data.eq(host.entry_data),
                host.entry.eq(forward.host_entry),
            ]
        if engine is not None:
            if hasattr(host, "update_lfsr"):
                m.d.comb += host.update_lfsr.eq(engine.update_lfsr)
            if hasattr(host, "sweep_lfsr"):
                m.d.comb += host.sweep_lfsr.eq(engine.sweep_lfsr)

    def _count(self, m: Module, forward: Any, engine: SweepEngine | None) -> None:
        """Add the counters that something increments; the others stay zero."""
        sizes = self._config.layer
        lanes = range(sizes.lanes)
        here = [own & forward.slot_valid for own in present_lanes(sizes, forward.slot)]
        flags = [forward.saturated.word_select(lane, 3) for lane in lanes]
        counted: dict[str, Any] = {
            "current_saturations": Cat(flags[lane][0] & here[lane] for lane in lanes),
            "membrane_saturations": Cat(
                flags[lane][bit] & here[lane] for lane in lanes for bit in (1, 2)
            ),
        }
        if self._last:
            there = [own & forward.error_valid for own in present_lanes(sizes, forward.error_slot)]
            counted |= {
                "error_saturations": Cat(
                    forward.error_saturated[lane] & there[lane] for lane in lanes
                ),
                "active_errors": Cat((forward.errors[lane] != 0) & there[lane] for lane in lanes),
            }
        if engine is not None:
            updated = [
                own & engine.update_enable for own in present_lanes(sizes, engine.update_slot)
            ]
            swept = ("credit", "adjoint_membrane", "adjoint_current")
            counted |= {
                f"{name}_saturations": engine.saturated.word_select(place, sizes.lanes)
                for place, name in enumerate(swept)
            }
            counted |= {
                "active_adjoints": engine.active,
                "weight_saturations": Cat(
                    engine.weight_saturated[lane] & updated[lane] for lane in lanes
                ),
            }
        for name, bits in counted.items():
            counter = SaturatingCounter(len(bits), COUNTER_BITS)
            m.submodules[f"counter_{name}"] = counter
            m.d.comb += [counter.flags.eq(bits), getattr(self, name).eq(counter.value)]
