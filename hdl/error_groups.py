"""Errors of a step in groups of L, for the products of the gradient."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes

from .fixed import shape_of
from .pipeline import NO_READ_WRITE_COLLISION, present_lanes


def group_place(config: Config, slot: int) -> int:
    """Return the place of a slot in its group.

    If groups are listed in a memory, the errors of a group pass through a shift register, so the
    slots of a short last group lie at its upper end.
    """
    sizes = gate_sizes(config)
    last = slot // sizes.group_slots == sizes.groups - 1
    short = 0 if sizes.keeps_errors else sizes.groups * sizes.group_slots - sizes.slots
    return slot % sizes.group_slots + short * last


class ErrorGroups(wiring.Component):
    """Collects the errors of the slots of a step in groups, and lists those with an active error.

    If the errors of a step are few, a shift register keeps all of them until the last listed group
    is read (`GateSizes.keeps_errors`). Otherwise a memory keeps the listed groups of two steps.

    Members
    -------
    push, slot, errors : In
        P errors of a slot; slots come in order.
    active : Out(lanes)
        Errors that are not zero, with ``push``; lanes without a neuron have none.
    count : Out
        Number of groups with an active error in the last complete step; it counts from the clock
        cycle after the last ``push`` on.
    take : In(1)
        Pulse: the groups of the last complete step are read from now on, the lowest first.
    group : Out
        The L errors of a listed group, and ``base``, the number of the group times the number of
        inputs; valid one clock cycle after ``next``.
    next : In(1)
        Pulse: the listed group is read in the next clock cycle, and then comes the next one.

    Latency: a group can be read 2 clock cycles after its last ``push``. Throughput: one slot per
    clock cycle. Handshake: none. The first ``push`` of a step must come after ``take`` of the step
    before it, and with a shift register after the last group of that step was read. Reset: no
    errors.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sizes = sizes = gate_sizes(config)
        error = shape_of(config.error.format)
        self._layout = data.StructLayout(
            {
                "base": range(sizes.inputs * sizes.groups),
                "errors": data.ArrayLayout(error, sizes.products),
            }
        )
        super().__init__(
            {
                "push": In(1),
                "slot": In(range(sizes.slots)),
                "errors": In(data.ArrayLayout(error, sizes.lanes)),
                "active": Out(sizes.lanes),
                "count": Out(range(sizes.groups + 1)),
                "take": In(1),
                "next": In(1),
                "group": Out(self._layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the shift register, and the list of groups."""
        m = Module()
        sizes, config = self._sizes, self._config
        for lane, exists in enumerate(present_lanes(config.layer, self.slot)):
            m.d.comb += self.active[lane].eq((self.errors[lane] != 0) & exists)
        bits = self.errors.as_value()
        length = sizes.slots if sizes.keeps_errors else sizes.group_slots
        shifted = Signal(len(bits) * length, name="shifted")
        with m.If(self.push):
            m.d.sync += shifted.eq(Cat(shifted, bits)[len(bits) :])
        place = Signal(range(sizes.group_slots), name="place")
        some, listed = Signal(name="some"), Signal(name="listed")
        ends, full = Signal(name="ends"), Signal(name="full")
        m.d.comb += [
            ends.eq(self.push & (self.slot == sizes.slots - 1)),
            full.eq(ends | (self.push & (place == sizes.group_slots - 1))),
            listed.eq(full & (some | self.active.any())),
        ]
        with m.If(self.push):
            m.d.sync += [place.eq(place + 1), some.eq(some | self.active.any())]
        with m.If(full):
            m.d.sync += [place.eq(0), some.eq(0)]
        counted = Signal(self.count.shape(), name="counted")
        with m.If(listed):
            m.d.sync += counted.eq(counted + 1)
        with m.If(ends):
            m.d.sync += [self.count.eq(counted + listed), counted.eq(0)]
        if sizes.keeps_errors:
            self._choose(m, shifted, full, listed, ends)
        else:
            self._list(m, shifted, full, listed, ends, counted)
        return m

    def _choose(
        self, m: Module, shifted: Signal, full: Signal, listed: Signal, ends: Signal
    ) -> None:
        """Read the listed groups from the shift register, which holds all errors of a step."""
        sizes = self._sizes
        if sizes.groups == 1:
            m.d.comb += self.group.errors.eq(shifted)
            return
        made, left = Signal(sizes.groups, name="made"), Signal(sizes.groups, name="left")
        complete, read = Signal(sizes.groups, name="complete"), Signal(name="read")
        with m.If(full):
            m.d.sync += made.eq(Cat(made, listed)[1:])
        # Each step fills the register of flags once more, so flags of steps before are gone.
        with m.If(ends):
            m.d.sync += complete.eq(Cat(made, listed)[1:])
        m.d.sync += read.eq(self.next)
        with m.If(read):
            m.d.sync += left.eq(left & (left - 1))
        with m.If(self.take):
            m.d.sync += left.eq(complete)
        width = len(shifted) // sizes.slots * sizes.group_slots
        for group in reversed(range(sizes.groups)):
            with m.If(left[group]):
                m.d.comb += [
                    self.group.base.eq(group * sizes.inputs),
                    self.group.errors.eq(shifted[group * width : (group + 1) * width]),
                ]

    def _list(
        self, m: Module, shifted: Signal, full: Signal, listed: Signal, ends: Signal,
        counted: Signal,
    ) -> None:  # fmt: skip
        """List the groups of two steps in a memory of two banks."""
        sizes = self._sizes
        high = (sizes.groups - 1).bit_length()
        m.submodules.kept = kept = Memory(
            shape=self._layout, depth=2 << high, init=[], attrs=NO_READ_WRITE_COLLISION
        )
        write = kept.write_port()
        read = kept.read_port()
        base = Signal(range(sizes.inputs * sizes.groups), name="base")
        filled, shown = Signal(name="filled_bank"), Signal(init=1, name="shown_bank")
        entry = Signal(high, name="entry")
        with m.If(full):
            # Groups come in order, so an adder replaces a multiplier.
            m.d.sync += base.eq(Mux(ends, 0, base + sizes.inputs))
        with m.If(ends):
            m.d.sync += filled.eq(~filled)
        with m.If(self.next):
            m.d.sync += entry.eq(entry + 1)
        with m.If(self.take):
            m.d.sync += [shown.eq(~shown), entry.eq(0)]
        # The shift register holds the group one clock cycle after its last errors.
        base_1 = Signal(base.shape(), name="base_1")
        m.d.sync += [
            write.en.eq(listed),
            write.addr.eq(counted[:high] | (filled << high)),
            base_1.eq(base),
        ]
        m.d.comb += [
            write.data.base.eq(base_1),
            write.data.errors.eq(shifted),
            read.addr.eq(entry | (shown << high)),
            self.group.eq(read.data),
        ]
