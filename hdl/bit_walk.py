"""A walk over the bits that are set in some words, for the passes of a sweep."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class BitWalk(wiring.Component):
    """Reads words, and shows each bit that is set, lowest first, for some clock cycles.

    Parameters
    ----------
    words, width : int
        Number of words, and bits of a word.
    rows : int
        Clock cycles for which a bit is shown, one for each row.

    Members
    -------
    start : In(1)
        Pulse: walk over all words.
    place : Out
        Word that is read; ``word`` is wanted one clock cycle later.
    word : In(width)
    looking : Out(1)
        ``word`` is looked at.
    valid, at, lane, row : Out
        A bit that is set: its word, its bit, and the row.
    tail : Out(1)
        The last row of a bit.
    done : Out(1)
        Pulse, in the last clock cycle of the walk.

    Latency: the first word is looked at one clock cycle after ``start``. Throughput: a clock cycle
    per word, and one per row of a bit that is set. Handshake: pulses. Reset: idle.
    """

    def __init__(self, words: int, width: int, rows: int) -> None:
        self._words, self._rows = words, rows
        super().__init__(
            {
                "start": In(1),
                "place": Out(range(words + 1)),
                "word": In(width),
                "looking": Out(1),
                "valid": Out(1),
                "at": Out(range(words)),
                "lane": Out(range(width)),
                "row": Out(range(rows)),
                "tail": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the state machine."""
        m = Module()
        width = len(self.word)
        following = Signal(range(self._words + 1), name="following")
        left = Signal(width, name="left")
        rest = Signal(width, name="rest")
        final = Signal(name="final")
        m.d.comb += [
            self.place.eq(following),
            rest.eq(left & (left - 1)),
            final.eq(following == self._words),
        ]
        for bit in reversed(range(width)):
            with m.If(left[bit]):
                m.d.comb += self.lane.eq(bit)
        with m.FSM(name="walk"):
            with m.State("idle"), m.If(self.start):
                m.next = "look"
            with m.State("look"):
                m.d.comb += [self.looking.eq(1), self.place.eq(following + 1)]
                m.d.sync += [
                    left.eq(self.word), following.eq(following + 1), self.at.eq(following),
                ]  # fmt: skip
                with m.If(self.word.any()):
                    m.next = "show"
                with m.Elif(following == self._words - 1):
                    m.d.comb += self.done.eq(1)
                    m.d.sync += following.eq(0)
                    m.next = "idle"
            with m.State("show"):
                m.d.comb += [self.valid.eq(1), self.tail.eq(self.row == self._rows - 1)]
                m.d.sync += self.row.eq(self.row + 1)
                with m.If(self.tail):
                    m.d.sync += [self.row.eq(0), left.eq(rest)]
                    with m.If(~rest.any()):
                        m.next = "look"
                        with m.If(final):
                            m.d.comb += self.done.eq(1)
                            m.d.sync += following.eq(0)
                            m.next = "idle"
        return m
