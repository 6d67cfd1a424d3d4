"""Parts of rows, pulses and registers against lists."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from unit_clock import drive, simulate

from bitlif.hdl.pipeline import Pipe, present_lanes, pulse, select_part
from bitlif.model.config.config import Config


class Selection(wiring.Component):
    """A part of a row of constants ``10, 11, 12...``"""

    def __init__(self, parts: int, width: int) -> None:
        self.parts, self.width = parts, width
        super().__init__({"place": In(range(parts)), "chosen": Out(16 * width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        row = [Signal(16, init=10 + n, name=f"v{n}") for n in range(self.parts * self.width)]
        for number, value in enumerate(select_part(row, self.place, self.width)):
            m.d.comb += self.chosen.word_select(number, 16).eq(value)
        return m


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 5, 6, 7, 8, 13])
@pytest.mark.parametrize("width", [1, 3])
def test_every_place_of_a_row_is_selected(parts: int, width: int) -> None:
    seen = drive(Selection(parts, width), [{"place": at} for at in range(parts)], "chosen")
    for place, (value,) in enumerate(seen):
        chosen = [value >> 16 * lane & 0xFFFF for lane in range(width)]
        assert chosen == [10 + place * width + lane for lane in range(width)]


class Delays(wiring.Component):
    """A flag and a value, some clock cycles later."""

    def __init__(self, cycles: int) -> None:
        self.cycles = cycles
        super().__init__({"flag": In(1), "value": In(8), "later": Out(1), "old": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.later.eq(pulse(m, self.flag, self.cycles, "later")),
            self.old.eq(Pipe(m).delay(self.value, self.cycles, "old")),
        ]
        return m


@pytest.mark.parametrize("cycles", [0, 1, 4])
def test_pulses_and_values_arrive_later(cycles: int) -> None:
    source = random.Random(cycles)
    rows = [{"flag": source.getrandbits(1), "value": source.getrandbits(8)} for _ in range(60)]
    seen = drive(Delays(cycles), rows, "later", "old")
    sent = [(row["flag"], row["value"]) for row in rows]
    assert seen == [(0, 0)] * cycles + sent[: len(sent) - cycles]


def test_reset_clears_pulses_on_their_way() -> None:
    unit, reset = Delays(3), Signal(name="reset")
    later: list[int] = []

    async def bench(ctx: Any) -> None:
        for clock in range(10):
            ctx.set(unit.flag, clock in (0, 1, 2, 4))
            ctx.set(reset, clock == 3)
            later.append(ctx.get(unit.later))
            await ctx.tick()

    simulate(ResetInserter(reset)(unit), bench)
    # Registers without a reset keep their values; those of the pulses do not.
    assert later == [0, 0, 0, 1, 0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize(("neurons", "lanes"), [(1, 1), (4, 2), (7, 3), (2, 2)])
def test_only_the_last_slot_lacks_neurons(neurons: int, lanes: int) -> None:
    sizes = Config.load("tiny").replace(layer__neurons=neurons, layer__lanes=lanes).layer

    class Present(wiring.Component):
        def elaborate(self, platform: object) -> Module:
            m = Module()
            for lane, exists in enumerate(present_lanes(sizes, self.slot)):
                m.d.comb += self.present[lane].eq(exists)
            return m

    unit = Present({"slot": In(range(sizes.slots)), "present": Out(lanes)})
    seen = drive(unit, [{"slot": slot} for slot in range(sizes.slots)], "present")
    for slot, (bits,) in enumerate(seen):
        expected = [slot * lanes + lane < neurons for lane in range(lanes)]
        assert [bool(bits >> lane & 1) for lane in range(lanes)] == expected
