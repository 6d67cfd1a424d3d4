"""Monitors of the passes of a step: how many clock cycles each takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from bitlif.hdl import forward, layer
from bitlif.hdl.pipeline import present_lanes
from bitlif.model import clocks
from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes

from .protocol import ProtocolUnit
from .unit import used


class PassMonitor(Component, ABC):
    """Watches a pass, whose inputs are any that the other parts of the core can give it.

    Parameters
    ----------
    unit : Component
        The pass.

    Members
    -------
    the members of the pass that are no outputs
    assumed : Out(1)
        The inputs are as the other parts of the core make them.
    bad_time : Out(1)
        The pass is done, or ready, in another clock cycle than the formula says.
    """

    def __init__(self, unit: Any, **seen: Any) -> None:
        self.unit = unit
        self._names = [
            name
            for name, member in unit.signature.members.items()
            if not member.is_port or member.flow == In
        ]
        members = {name: unit.signature.members[name] for name in self._names}
        super().__init__({**members, **seen, "assumed": Out(1), "bad_time": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Build the pass, and when it is due."""
        m = Module()
        m.submodules.unit = unit = self.unit
        for name in self._names:
            own, inner = getattr(self, name), getattr(unit, name)
            if unit.signature.members[name].is_port:
                m.d.comb += inner.eq(own)
            else:
                connect(m, flipped(own), inner)
        self.watch(m, unit)
        return m

    @abstractmethod
    def watch(self, m: Module, unit: Any) -> None:
        """Add when the pass is due."""


def later(m: Module, pulse: Value, clocks: int, name: str) -> Value:
    """Return a pulse that comes some clock cycles after another one."""
    pending = Signal(clocks, name=name)
    m.d.sync += pending.eq((pending >> 1) | (pulse << (clocks - 1)))
    return pending[0]


def since(m: Module, pulse: Value, most: int, name: str) -> Signal:
    """Return the clock cycles since a pulse, at most `most`; `most` if there was none."""
    clocks = Signal(range(most + 1), init=most, name=name)
    m.d.sync += clocks.eq(Mux(pulse, 1, Mux(clocks >= most, most, clocks + 1)))
    return clocks


def age_of(m: Module, start: Value, end: Value | int, most: int, name: str) -> Signal:
    """Return the clock cycles since the start of a pass; 0 if none is in progress.

    A pass is in progress until its end, or for `most` clock cycles.
    """
    age = Signal(range(most + 2), name=name)
    m.d.sync += age.eq(Mux(start, 1, Mux(end | (age == 0) | (age == most + 1), 0, age + 1)))
    return age


def ones(word: Value) -> Value:
    """Return the number of ones of a word."""
    return sum((word[bit] for bit in range(len(word))), Value.cast(0))


class GatherMonitor(PassMonitor):
    """The sums of weights: an event every R clock cycles, and the end of the step."""

    def __init__(self, config: Config) -> None:
        self._rows = gate_sizes(config).rows
        self._late = max(1, clocks.SUMS + 1 - self._rows)
        super().__init__(used(forward, "EventGather")(config))

    def watch(self, m: Module, unit: Any) -> None:
        """Decide whether events are accepted, and the step is gathered, as soon as they can be."""
        events = unit.i_events
        taken, ended = events.valid & events.ready, Signal(name="step_ended")
        passed = since(m, taken & ~events.payload.last, self._rows + self._late, "since_event")
        with m.If(unit.take):
            m.d.sync += ended.eq(0)
        with m.If(taken):
            m.d.sync += ended.eq(events.payload.last)
        opens = unit.accept & (~ended | (unit.take & unit.following))
        ready = opens & (passed >= self._rows)
        gathered = ended & (passed == self._rows + self._late)
        m.d.comb += [
            self.assumed.eq(~unit.take | unit.gathered),
            self.bad_time.eq((events.ready != ready) | (unit.gathered != gathered)),
        ]


class NeuronMonitor(PassMonitor):
    """The neurons of a step: their spikes, their errors, and when the next step may start."""

    def __init__(self, config: Config) -> None:
        self._slots = gate_sizes(config).slots
        super().__init__(used(layer, "ForwardEngine")(config, learning=True))

    def watch(self, m: Module, unit: Any) -> None:
        """Decide about passes that start while the one before is still in the pipelines."""
        slots = self._slots
        least = max(slots + 1, clocks.LEAST_LEARNING)
        times = slots + clocks.SPIKES, slots + clocks.ERRORS
        done, known = (later(m, unit.start, own, f"due_{own}") for own in times)
        free = since(m, unit.start, least, "since_start") == least
        m.d.comb += [
            self.assumed.eq(
                (~unit.start | unit.free) & unit.learn & ~unit.host
                & (~unit.take_targets | unit.i_targets.valid)
            ),
            self.bad_time.eq(
                (unit.done != done) | (unit.errors_done != known) | (unit.free != free)
            ),
        ]  # fmt: skip


class EmitterMonitor(PassMonitor):
    """The output events of a step: as many clock cycles as spikes, slots with spikes, and 3."""

    def __init__(self, config: Config) -> None:
        self._sizes = config.layer
        super().__init__(used(layer, "SpikeEmitter")(config.layer))

    def watch(self, m: Module, unit: Any) -> None:
        """Decide about steps that are complete while the one before is still sent."""
        sizes = self._sizes
        slot = Signal(range(sizes.slots), name="slot_due")
        most = sizes.slots * (sizes.lanes + 1) + clocks.SEND
        total = Signal(range(most + 1), name="total")
        first, second = Signal(range(most + 1), name="left"), Signal(range(most + 1), name="waits")
        real = Cat(
            unit.spikes[lane] & exists
            for lane, exists in enumerate(present_lanes(sizes, unit.slot))
        )
        whole = total + ones(real) + real.any()
        with m.If(unit.push):
            m.d.sync += [slot.eq(Mux(unit.start, 0, slot + 1)), total.eq(Mux(unit.start, 0, whole))]
        # Clock cycles that are left for the step that is sent, and those of the step that waits.
        done, taken = first == 1, Mux(unit.start, whole + clocks.SEND, 0)
        with m.If(done | (first == 0)):
            m.d.sync += [first.eq(Mux(second != 0, second, taken)), second.eq(0)]
            with m.If(second != 0):
                m.d.sync += second.eq(taken)
        with m.Else():
            m.d.sync += first.eq(first - 1)
            with m.If(unit.start):
                m.d.sync += second.eq(taken)
        m.d.comb += [
            self.assumed.eq(
                unit.o.ready
                & (~unit.push | ((unit.slot == slot) & ((second == 0) | done)))
                & (unit.start == (unit.push & (slot == sizes.slots - 1)))
            ),
            self.bad_time.eq(unit.done != done),
        ]


class ProductMonitor(PassMonitor):
    """The passes over the inputs that compute traces and add the gradient of a step."""

    def __init__(self, config: Config) -> None:
        self._config, self._sizes = config, gate_sizes(config)
        super().__init__(used(layer, "LearningEngine")(config), begin=In(1))

    def watch(self, m: Module, unit: Any) -> None:
        """Decide about steps whose errors come while those of the step before are added."""
        sizes = self._sizes
        constants = clocks.step_constants(sizes, learn=True, learning_core=True)
        inputs, pace, between, after, adding, _, holds = constants[5:]
        pushing, slot = Signal(name="pushing"), Signal(range(sizes.slots), name="slot_due")
        some, wrong = Signal(name="some_error"), Signal(range(sizes.groups + 1), name="wrong")
        listed, untaught = Signal.like(wrong, name="listed"), Signal(name="untaught")
        waiting, step_runs = Signal(name="step_waits"), Signal(name="step_runs")
        count = Signal.like(wrong, name="groups_listed")
        last = slot == sizes.slots - 1
        with m.If(pushing):
            m.d.sync += [slot.eq(Mux(last, 0, slot + 1)), pushing.eq(~last)]
        with m.Elif(self.begin):
            m.d.sync += [pushing.eq(1), untaught.eq(1)]
        with m.If(unit.taught):
            m.d.sync += untaught.eq(0)
        active = (
            some
            | Cat(
                (unit.errors[lane] != 0) & exists
                for lane, exists in enumerate(present_lanes(self._config.layer, unit.slot))
            ).any()
        )
        full = last | ((slot % sizes.group_slots) == sizes.group_slots - 1)
        with m.If(pushing):
            m.d.sync += [some.eq(active & ~full), listed.eq(listed + (active & full))]
            with m.If(last):
                m.d.sync += [count.eq(listed + active), listed.eq(0)]
        # As `bitlif.model.clocks.step_times`, from the start of the passes.
        traced = 1 + pace * (inputs - 1)
        few, more = wrong < 2, traced + between + 1
        issued = Mux(few, traced + after, more + pace * ((wrong - 1) * inputs - 1))
        taught: Any = 0
        if holds:
            taught = Mux(wrong == 1, 1 + clocks.FUSED, more + pace * inputs * (wrong - 2))
        most = traced + between + 1 + pace * inputs * sizes.groups + clocks.FUSED + adding
        start = unit.started
        age = age_of(m, start, 0, most - 1, "age")
        with m.If(start):
            m.d.sync += wrong.eq(count)
        free = step_runs & (age == issued)
        ends = age == traced
        none = (count == 0) if holds else 1
        known = (start & none) | ((age == taught) & (age != 0) & (wrong != 0))
        done = later(m, ends & few, clocks.FUSED + adding, "due_few")
        done |= later(m, free & ~few, adding, "due_more")
        m.d.sync += [
            step_runs.eq(start | (step_runs & ~free)),
            waiting.eq((pushing & last) | (waiting & ~start)),
        ]
        m.d.comb += [
            self.assumed.eq(
                (~self.begin | (~pushing & ~untaught))
                & (unit.push == pushing) & (unit.slot == slot)
                & (unit.errors_done == (pushing & last))
                & ~unit.clear & ~unit.start_update & ~unit.restart
            ),
            self.bad_time.eq(
                (start != (waiting & (~step_runs | free)))
                | (unit.taught != known)
                | (unit.traced != ends)
                | (unit.done != done)
            ),
        ]  # fmt: skip


def clock_units(config: Config | None = None, *, longest: bool = False) -> list[ProtocolUnit]:
    """Return the passes of a step; by default those of `tiny`.

    The sizes are those of a configuration, and must be small: every clock cycle after a reset is
    followed.

    Parameters
    ----------
    config : Config or None
    longest : bool
        Whether two steps are followed that take longest, rather than one and a shortest one.
    """
    own = config or Config.load("tiny")
    sizes = gate_sizes(own)
    slots = sizes.slots
    sent = slots + slots * (sizes.lanes + 1) + clocks.SEND
    inputs, pace, between, after, adding = clocks.step_constants(
        sizes, learn=True, learning_core=True
    )[5:10]
    few = 1 + pace * (inputs - 1)
    most = few + max(after, between + pace * (sizes.groups - 1) * inputs)
    added = max(most, few + clocks.FUSED) + adding
    products = slots + 2 + most + (added if longest else few + clocks.FUSED + adding)
    neurons = slots + clocks.ERRORS + max(slots + 1, clocks.LEAST_LEARNING)
    return [
        ProtocolUnit(
            "gather_clocks", lambda: GatherMonitor(own), sizes.rows + clocks.SUMS + 2,
            same=(("unit.ending", "step_ended"),),
        ),
        ProtocolUnit("neuron_clocks", lambda: NeuronMonitor(own), neurons + 2, bounded=True),
        ProtocolUnit(
            "emitter_clocks", lambda: EmitterMonitor(own),
            sent + 2 + (sent if longest else clocks.SEND), bounded=True,
        ),
        ProtocolUnit("product_clocks", lambda: ProductMonitor(own), products, bounded=True),
    ]  # fmt: skip
