"""Errors of a step in groups of L, for the products of the gradient."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import GateSizes, gate_sizes

from .fixed import shape_of
from .pipeline import NO_READ_WRITE_COLLISION, present_lanes


def group_place(sizes: GateSizes, slot: int) -> int:
    """Return the place of a slot in its group.

    The errors of a group pass through a shift register, so the slots of a short last group lie at
    its upper end.
    """
    last = slot // sizes.group_slots == sizes.groups - 1
    return slot % sizes.group_slots + (sizes.groups * sizes.group_slots - sizes.slots) * last


class ErrorGroups(wiring.Component):
    """Collects the errors of the slots of a step into groups, and lists those with an active error.

    The groups of one step are collected while those of the step before are read.

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
        Pulse: the groups of the last complete step are read from now on, by ``entry``.
    entry : In
        Number of a listed group of the step that is read.
    group : Out
        One clock cycle later: the L errors of the group, and ``base``, the number of the group
        times the number of inputs. With a single group, of the last complete step.

    Latency: a group is listed 2 clock cycles after its last ``push``. Throughput: one slot per
    clock cycle. Handshake: none; the first ``push`` of a step must come after ``take`` of the step
    before the last, and with a single group after the errors of the last step were read. Reset: no
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
                "entry": In(range(sizes.groups)),
                "group": Out(self._layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the shift register, and the list of groups in two banks."""
        m = Module()
        sizes, config = self._sizes, self._config
        for lane, exists in enumerate(present_lanes(config.layer, self.slot)):
            m.d.comb += self.active[lane].eq((self.errors[lane] != 0) & exists)
        bits = self.errors.as_value()
        shifted = Signal(len(bits) * sizes.group_slots, name="shifted")
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
        counted = Signal.like(self.count, name="counted")
        with m.If(listed):
            m.d.sync += counted.eq(counted + 1)
        with m.If(ends):
            m.d.sync += [self.count.eq(counted + listed), counted.eq(0)]
        if sizes.groups == 1:
            m.d.comb += self.group.errors.eq(shifted)
            return m
        high = (sizes.groups - 1).bit_length()
        m.submodules.kept = kept = Memory(
            shape=self._layout, depth=2 << high, init=[], attrs=NO_READ_WRITE_COLLISION
        )
        write, read = kept.write_port(), kept.read_port()
        base = Signal(range(sizes.inputs * sizes.groups), name="base")
        filled, shown = Signal(name="filled_bank"), Signal(init=1, name="shown_bank")
        with m.If(full):
            # Groups come in order, so an adder replaces a multiplier.
            m.d.sync += base.eq(Mux(ends, 0, base + sizes.inputs))
        with m.If(ends):
            m.d.sync += filled.eq(~filled)
        with m.If(self.take):
            m.d.sync += shown.eq(~shown)
        # The shift register holds the group one clock cycle after its last errors.
        base_1 = Signal.like(base, name="base_1")
        m.d.sync += [
            write.en.eq(listed),
            write.addr.eq(counted[:high] | (filled << high)),
            base_1.eq(base),
        ]
        m.d.comb += [
            write.data.base.eq(base_1),
            write.data.errors.eq(shifted),
            read.addr.eq(self.entry | (shown << high)),
            self.group.eq(read.data),
        ]
        return m
