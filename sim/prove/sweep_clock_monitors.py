"""Monitors of the passes of a sweep: how many clock cycles each takes."""

from __future__ import annotations

from typing import Any, NamedTuple

from amaranth.hdl import Module, Signal, Value
from amaranth.lib.wiring import In

from bitlif.hdl import sweep_pass
from bitlif.model.config.network import NetworkConfig
from bitlif.model.network_clocks import MARK_BITS, sweep_constants

from .clock_monitors import PassMonitor, age_of, ones
from .monitors import before
from .protocol import ProtocolUnit
from .unit import used

LOOK = 1
"""State in which a walk over bits looks at a word."""


def adjoint_clocks(config: NetworkConfig, number: int) -> int:
    """Return the clock cycles of the adjoints of a step, from the start of the pass."""
    return 1 + sweep_constants(config, number).adjoints


class Walk(NamedTuple):
    """A pass over the bits of some words.

    Attributes
    ----------
    words, width : int
        Words of the pass, and bits of each.
    taken, latency : int
        Clock cycles for each bit that is set, and from the last one to the end of the pass.
    """

    words: int
    width: int
    taken: int
    latency: int

    def clocks(self, bits: Any) -> Any:
        """Return the clock cycles of a pass in which some bits are set."""
        return self.words + bits * self.taken + self.latency

    @property
    def longest(self) -> int:
        """Clock cycles of a pass in which all bits are set."""
        return int(self.clocks(self.words * self.width))


def credit_walk(config: NetworkConfig, number: int) -> Walk:
    """Return the walk over the neurons of the layer before that have a surrogate derivative."""
    own, lanes = sweep_constants(config, number), config.layers[number - 1].config.layer.lanes
    return Walk(own.slots_before, lanes, own.rows, own.tree)


def update_walk(config: NetworkConfig, number: int) -> Walk:
    """Return the walk over the input spikes of a step: the gradient, or the update by spike."""
    own = sweep_constants(config, number)
    if number:
        width = config.layers[number - 1].config.layer.lanes
    else:
        width = min(config.layers[0].config.layer.inputs, MARK_BITS)
    return Walk(own.words, width, own.taken, own.latency)


class AdjointMonitor(PassMonitor):
    """The adjoints of a step: as many clock cycles for a slot as it has draws, and the filters."""

    def __init__(self, config: NetworkConfig, number: int) -> None:
        self._clocks = adjoint_clocks(config, number)
        super().__init__(used(sweep_pass, "AdjointPass")(config, number))

    def watch(self, m: Module, unit: Any) -> None:
        """Decide about passes one after another."""
        due = Signal(name="due")
        age = age_of(m, unit.start, due, self._clocks, "age")
        m.d.comb += [
            due.eq(age == self._clocks),
            self.assumed.eq(~unit.start | (age == 0)),
            self.bad_time.eq(unit.done != due),
        ]


def walked(m: Module, walk: Walk, start: Value, looks: Value, word: Value) -> tuple[Value, Value]:
    """Return whether a pass over bits is due, and its age."""
    due, looked = Signal(name="due"), Signal(range(walk.words + 1), name="looked")
    found = Signal(range(walk.words * walk.width + 1), name="found")
    age = age_of(m, start, due, walk.longest, "age")
    with m.If(start):
        m.d.sync += [looked.eq(0), found.eq(0)]
    with m.Elif(looks):
        m.d.sync += [looked.eq(looked + 1), found.eq(found + ones(word))]
    m.d.comb += due.eq((looked == walk.words) & (age == walk.clocks(found)))
    return due, age


class CreditMonitor(PassMonitor):
    """The credit for the layer before: the rows of its neurons with a surrogate derivative."""

    def __init__(self, config: NetworkConfig, number: int) -> None:
        self._walk = credit_walk(config, number)
        super().__init__(used(sweep_pass, "CreditPass")(config, number), seen_walk=In(2))

    def watch(self, m: Module, unit: Any) -> None:
        """Decide about passes one after another."""
        due, age = walked(m, self._walk, unit.start, self.seen_walk == LOOK, unit.before.open)
        m.d.comb += [
            self.assumed.eq(~unit.start | (age == 0)),
            self.bad_time.eq(unit.before.handed != due),
        ]


class SweptUpdateMonitor(PassMonitor):
    """The gradient or the update by spike of a step, and what follows the last step."""

    def __init__(self, config: NetworkConfig, number: int) -> None:
        own = sweep_constants(config, number)
        self._walk, self._finish, self._each = update_walk(config, number), own.finish, own.each
        kind = used(sweep_pass, "SpikeUpdate" if self._each else "WindowUpdate")
        super().__init__(kind(config, number, self._walk.words, self._walk.width))

    def watch(self, m: Module, unit: Any) -> None:
        """Decide about steps one after another, and the end of the window after them."""
        word = unit.word if self._each else unit.word & unit.active.replicate(len(unit.word))
        due, age = walked(m, self._walk, unit.start, unit.looking, word)
        finished = Signal(name="due_finished")
        left = age_of(m, unit.finish, finished, self._finish, "age_of_finish")
        stable = unit.active == before(m, unit.active, "active_before")
        m.d.comb += [
            finished.eq(left == self._finish),
            self.assumed.eq(
                (~(unit.start | unit.finish) | ((age == 0) & (left == 0)))
                & ~(unit.start & unit.finish) & (stable | (age == 0)) & ~unit.clear
            ),
            self.bad_time.eq((unit.done != due) | (unit.finished != finished)),
        ]  # fmt: skip


def small_sweep() -> NetworkConfig:
    """Return `yin-yang` with few hidden neurons, the last layer of which is updated by spike."""
    return NetworkConfig.load("yin-yang").replace(
        layer__0__neurons=4, layer__0__lanes=2, layer__1__sweep__update="spike"
    )


def sweep_clock_units(config: NetworkConfig | None = None) -> list[ProtocolUnit]:
    """Return the passes of a sweep; by default those of `small_sweep`.

    The sizes are those of a configuration, and must be small: every clock cycle after a reset is
    followed, for a pass that takes longest and a shortest one after it.
    """
    own = config or small_sweep()
    units = []
    for number in range(own.learned_from, len(own.layers)):
        update = update_walk(own, number)
        longest = max(update.longest, sweep_constants(own, number).finish)
        kinds: list[tuple[str, Any, int]] = [
            ("adjoint", AdjointMonitor, 2 * adjoint_clocks(own, number)),
            ("update", SweptUpdateMonitor, longest + update.clocks(0)),
        ]
        if number > own.learned_from:
            credit = credit_walk(own, number)
            kinds.append(("credit", CreditMonitor, credit.longest + credit.clocks(0)))
        for name, kind, depth in kinds:
            units.append(
                ProtocolUnit(
                    f"{name}_clocks_{number}",
                    lambda kind=kind, number=number: kind(own, number),
                    depth + 3, bounded=True, seen=(("unit.walk.walk_state", "seen_walk", ""),),
                )
            )  # fmt: skip
    return units
