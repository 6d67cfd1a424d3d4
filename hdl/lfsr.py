"""A leaping LFSR (model twin: `bitlif.model.lfsr`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import xor

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.lfsr import Lfsr


class LeapLfsr(wiring.Component):
    """A register on an LFSR's bit stream that moves `leap` positions a clock.

    Parameters
    ----------
    source : bitlif.model.lfsr.Lfsr
        Polynomial, and the state after reset.
    leap : int
        Positions that ``advance`` moves.
    reach : int
        Bits that ``word`` shows: those of one draw.

    Members
    -------
    advance : In(1)
        Move on with this clock's edge.
    restart : In(1)
        Go back to the first state; wins over ``advance``.
    word : Out(reach)
        The draw at the present position; bit 0 is the stream's next.
    state : Out(width)
        The state, for read-back.

    Latency: none, ``word`` is a register's output. Throughput: one draw a clock. Handshake: none.
    Reset: to the first state.
    """

    def __init__(self, source: Lfsr, leap: int, reach: int) -> None:
        self._source = source
        self._leap = leap
        super().__init__(
            {
                "advance": In(1),
                "restart": In(1),
                "word": Out(reach),
                "state": Out(source.width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the next state as a chain of the recurrence, sharing every bit on the way."""
        m = Module()
        source = self._source
        register = Signal(source.width, init=source.state)
        bits = list(register)
        while len(bits) < self._leap + source.width:
            n = len(bits) - source.width
            terms = [bits[n], *(bits[n + tap] for tap in source.taps[1:])]
            made = Signal(name=f"stream_{len(bits)}")
            m.d.comb += made.eq(reduce(xor, terms))
            bits.append(made)
        with m.If(self.restart):
            m.d.sync += register.eq(source.state)
        with m.Elif(self.advance):
            m.d.sync += register.eq(Cat(*bits[self._leap : self._leap + source.width]))
        m.d.comb += [self.word.eq(register), self.state.eq(register)]
        return m


def lane_words(
    m: Module,
    name: str,
    sources: Sequence[Lfsr],
    leap: int,
    reach: int,
    advance: Value,
    restart: Value,
) -> tuple[list[Signal], list[Signal]]:
    """Add an LFSR for each distinct source; return each lane's word, and each LFSR's state.

    Lanes may share one.
    """
    made: dict[Lfsr, LeapLfsr] = {}
    for number, source in enumerate(dict.fromkeys(sources)):
        m.submodules[f"{name}_lfsr_{number}"] = made[source] = LeapLfsr(source, leap, reach)
        m.d.comb += [made[source].advance.eq(advance), made[source].restart.eq(restart)]
    return [made[source].word for source in sources], [lfsr.state for lfsr in made.values()]
