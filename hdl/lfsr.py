"""Leap-forward LFSR (model twin: `bitlif.model.lfsr`).

A leap is a linear map over GF(2): each bit of the next state is the XOR of some bits of the state,
whatever the distance. Pairs of bits that several rows of that matrix need are XORed once.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.model import polynomials
from bitlif.model.lfsr import Lfsr


def leap_rows(taps: tuple[int, ...], leap: int) -> list[int]:
    """Return the matrix of a leap: per bit of the next state, a mask of bits of the state."""
    polynomial = polynomials.as_integer(taps)
    return [polynomials.power_of_x(leap + bit, polynomial) for bit in range(taps[0])]


@functools.cache
def leap_terms(
    taps: tuple[int, ...], leap: int
) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, ...], ...]]:
    """Return a leap as XORs: pairs that are XORed first, and the terms of each bit.

    The pair that most rows have in common becomes a term of its own, until no two rows have a pair
    in common (Paar's algorithm). Of a dense matrix, this saves every fifth look-up table.

    Parameters
    ----------
    taps : tuple of int
    leap : int

    Returns
    -------
    pairs : tuple of (int, int)
        Pair k makes term ``width + k`` from two terms with lower numbers. Terms below the width are
        bits of the state.
    rows : tuple of tuple of int
        Terms of each bit of the next state; at least one.
    """
    width = taps[0]
    rows = np.array(
        [[row >> bit & 1 for bit in range(width)] for row in leap_rows(taps, leap)], np.int64
    )
    common = np.triu(rows.T @ rows, 1)
    pairs: list[tuple[int, int]] = []
    while True:
        first, second = divmod(int(common.argmax()), len(common))
        if common[first, second] < 2:
            break
        both = rows[:, first] & rows[:, second]
        rows[:, first] -= both
        rows[:, second] -= both
        pairs.append((first, second))
        rows = np.column_stack([rows, both])
        common = np.pad(common, (0, 1))
        for term in (first, second, len(common) - 1):
            shared = rows[:, term] @ rows
            common[:term, term], common[term, term + 1 :] = shared[:term], shared[term + 1 :]
    return tuple(pairs), tuple(tuple(np.flatnonzero(row).tolist()) for row in rows)


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
        """Build the next state from the bits of the state."""
        m = Module()
        source = self._source
        register = Signal(source.width, init=source.state)
        pairs, rows = leap_terms(source.taps, self._leap)
        terms: list[Value] = list(register)
        for first, second in pairs:
            term = Signal(name=f"term_{len(terms)}")
            m.d.comb += term.eq(terms[first] ^ terms[second])
            terms.append(term)
        following = Signal(source.width)
        m.d.comb += following.eq(Cat(_xor([terms[k] for k in row]) for row in rows))
        with m.If(self.restart):
            m.d.sync += register.eq(source.state)
        with m.Elif(self.advance):
            m.d.sync += register.eq(following)
        m.d.comb += [self.word.eq(register), self.state.eq(register)]
        return m


def _xor(terms: Sequence[Value]) -> Value:
    """Return the XOR of some bits, as a balanced tree."""
    level = list(terms)
    while len(level) > 1:
        pairs = [a ^ b for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[2 * len(pairs) :]
    return level[0]


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
