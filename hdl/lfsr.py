"""Leap-forward LFSR (model twin: `bitlif.model.lfsr`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import xor

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.lfsr import Lfsr


class LeapLfsr(wiring.Component):
    """An LFSR that advances by `leap` positions of its bit stream in one clock cycle.

    Parameters
    ----------
    source : bitlif.model.lfsr.Lfsr
        Polynomial, and state after reset.
    leap : int
        Positions per ``advance``.
    reach : int
        Width of ``word``: the bits of one draw.

    Members
    -------
    advance : In(1)
        Advance at the next clock edge.
    restart : In(1)
        Return to the initial state; takes precedence over ``advance``.
    word : Out(reach)
        The draw at the current position; bit 0 is the next bit of the stream.
    state : Out(width)
        The state, for read-back.

    Latency: none; ``word`` is the output of a register. Throughput: one draw per clock cycle.
    Handshake: none. Reset: to the initial state.
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
        """Build the next state by applying the recurrence bit by bit."""
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
    """Add an LFSR per distinct source; return the words of the lanes and the states of the LFSRs.

    Lanes with equal sources share an LFSR.
    """
    made: dict[Lfsr, LeapLfsr] = {}
    for number, source in enumerate(dict.fromkeys(sources)):
        m.submodules[f"{name}_lfsr_{number}"] = made[source] = LeapLfsr(source, leap, reach)
        m.d.comb += [made[source].advance.eq(advance), made[source].restart.eq(restart)]
    return [made[source].word for source in sources], [lfsr.state for lfsr in made.values()]
