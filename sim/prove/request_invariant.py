"""What the registers of the UART's bridge hold at each point of a request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Cat, Const, Mux, Value

from bitlif.hdl.bus.registers import WORD_BITS
from bitlif.hdl.uart.event_exchange import STALL_TIMEOUT
from bitlif.hdl.uart.protocol import ANSWER_HEAD, CRC_BYTES, LONGEST
from bitlif.hdl.uart.protocol import REQUEST_HEAD as HEAD

ARGUMENTS = HEAD + 2
"""Bytes before the words of WRITE, and before the number of words of READ."""

WORD_BYTES = WORD_BITS // 8

(
    LISTEN, NUMBER, HEADER, COMMAND, COUNT_UP, ADDRESS, EVENTS, AMOUNT, GATHER, MORE, ACCESS, STORE,
    SPIKE, ITEM, TAKEN, PAYLOAD, END,
) = range(17)  # fmt: skip
"""Numbers of the states of the bridge."""

LENGTH = LONGEST.bit_length()

SEEN = {
    "state": 5, "place": LENGTH, "end": LENGTH, "index": 3, "number": 32, "status": 4,
    "count": LENGTH, "size": LENGTH, "refusal": 4, "word": 32, "command": 2, "settled": 1,
    "at_end": 1, "at_last": 1, "same": 1, "follows": 1, "carry": 1, "where": 12, "beyond": 1,
    "stay": 1, "left": 7, "held": 1, "ready": 1, "read": 8, "kept": 8, "byte": 1, "due": 1,
    "still": 16, "unanswered": 2, "item": 0,
}  # fmt: skip
"""Registers of the bridge that the monitor sees, and their bits; some depend on its sizes."""

NAMES = {
    "state": "request_state", "index": "_index", "refusal": "_objection", "word": "_word",
    "command": "_command", "read": "read__data", "kept": "answer", "byte": "byte$",
    "unanswered": "_unanswered", "item": "_item",
}  # fmt: skip
"""Their names, where these differ."""


class Invariant:
    """Collects what is wrong with the registers of the bridge.

    Parameters
    ----------
    monitor : bitlif.sim.prove.request_monitor.RequestMonitor
        Its members ``seen_...`` are the registers.
    request : SimpleNamespace
        The request that is due; see `RequestMonitor`.
    """

    def __init__(self, monitor: Any, request: SimpleNamespace) -> None:
        self._r = request
        names = [name for name in SEEN if hasattr(monitor, f"seen_{name}")]
        self._s = s = SimpleNamespace(**{own: getattr(monitor, f"seen_{own}") for own in names})
        if not hasattr(s, "item"):
            s.item = s.word
        if not hasattr(s, "byte"):
            s.byte = Const(0, 1)
        self._index: Value = s.index[:2]
        self._wrong: list[Value] = []

    def wrong(self) -> Value:
        """Return whether a register holds another value than the one that follows."""
        self._phases()
        self._numbers()
        self._words()
        self._items()
        self._answers()
        self._times()
        return Cat(self._wrong).any()

    def _at(self, *states: int) -> Value:
        found: Value = self._s.state == states[0]
        for own in states[1:]:
            found |= self._s.state == own
        return found

    def _holds(self, where: Value, *claims: Value) -> None:
        """Add that claims are true in some states."""
        self._wrong += [where & ~Value.cast(claim).any() for claim in claims]

    def _phases(self) -> None:
        """Add in which states a request is, with the byte that is read."""
        r, s, at, holds = self._r, self._s, self._at, self._holds
        always = Const(1, 1)
        working = at(*range(COUNT_UP, PAYLOAD))
        holds(
            always, s.state <= END, r.listening == at(LISTEN), r.sent_all == at(END),
            r.listening | r.busy | r.sent_all, s.ready == at(TAKEN),
            ~s.held | at(EVENTS, SPIKE, TAKEN),
        )  # fmt: skip
        holds(
            ~at(LISTEN),
            s.end == r.end,
            ~r.good | ((r.end >= HEAD) & (r.end <= LONGEST - CRC_BYTES)),
        )
        holds(working, r.executes, s.command == r.command[:2])
        holds(at(ADDRESS, AMOUNT, GATHER, MORE, ACCESS, STORE), r.reads | r.writes)
        holds(at(EVENTS, SPIKE, ITEM, TAKEN), r.events)
        holds(at(NUMBER, COMMAND), r.good)
        holds(at(HEADER, PAYLOAD, END), s.refusal == r.refusal)
        holds(at(NUMBER, COMMAND) | working, s.refusal == 0)
        holds(working | at(NUMBER, COMMAND), r.sent == 0, s.place <= r.end)
        holds(~at(LISTEN) & s.settled, s.at_end == (s.place == s.end), r.shown == r.byte)

    def _numbers(self) -> None:
        """Add the number, which rotates byte by byte."""
        r, s, at, holds = self._r, self._s, self._at, self._holds
        index = self._index
        counting, read = at(COUNT_UP), at(NUMBER, COMMAND)
        holds(at(NUMBER), s.place == s.index, ~s.index[2])
        holds(at(COMMAND), s.place == 4, s.index == 4)
        holds(read, s.number == _shifted(r.number, r.number, s.index))
        holds(read, s.same == _same_low(r.given, r.number, s.index))
        holds(read, s.follows == _same_low(r.given, r.following, s.index))
        ones = Const(-1, 32)
        holds(at(NUMBER), s.carry == _same_low(r.number, ones, s.index))
        holds(
            counting, s.place == HEAD, ~s.index[2],
            s.number == _shifted(r.number, r.new_number, index),
            s.carry == Mux(
                r.opens, (index != 3) | r.number[16:24].all(), _same_low(r.number, ones, index)
            ),
        )  # fmt: skip
        holds(at(LISTEN), s.number == r.number)
        rest = ~(at(LISTEN) | read | counting | at(HEADER))
        holds(rest, s.number == r.new_number)
        turned = Mux(s.index[2], 0, index)
        holds(at(HEADER), s.number == _shifted(r.new_number, r.new_number, turned))
        # The count and the size of the last answer are cleared in the first clock cycle of
        # COUNT_UP, those of the monitor as soon as the frame has arrived.
        stored = Mux(at(SPIKE, TAKEN) & (r.chosen >= r.size), r.spike_byte, r.kept)
        old = r.executes & (read | (counting & (index == 0))) & ~at(LISTEN)
        holds(~old, s.count == r.count)
        holds(~(old | at(STORE, SPIKE, TAKEN)), s.size == r.size)
        holds((read & r.executes) | counting, r.count == 0, r.size == 0, ~r.stopped)
        holds(~old & (r.chosen < s.size), s.kept == stored)

    def _words(self) -> None:
        """Add the address, the word and the rest of READ and WRITE."""
        r, s, at, holds = self._r, self._s, self._at, self._holds
        index = self._index
        holds(
            at(ADDRESS), s.index[1:] == 0, s.place == HEAD + s.index, r.count == 0, r.size == 0,
            (s.index == 0) | (s.where[:8] == r.base[:8]),
        )  # fmt: skip
        holds(at(AMOUNT), r.count == 0, r.size == 0, r.reads, s.place == ARGUMENTS, s.index == 0)
        placed = at(AMOUNT, GATHER, MORE, ACCESS, STORE)
        holds(placed, s.where == r.address, s.beyond == r.unmapped, s.stay == r.stays, ~r.stopped)
        holds(placed, (r.count == 0) | ~r.unmapped)
        holds(at(ADDRESS), ~r.stopped)
        counted = at(MORE, ACCESS, STORE) & r.reads
        holds(
            counted, r.size == WORD_BYTES * r.count, s.left == (r.total - r.count)[:7],
            r.count <= r.total, r.end > ARGUMENTS, r.size <= r.largest_read,
        )  # fmt: skip
        holds(at(MORE, STORE), r.reads)
        holds(at(MORE, ACCESS), s.index == 0)
        holds(at(ACCESS) & r.reads, r.count < r.total, r.size < r.largest_read)
        first = ARGUMENTS + WORD_BYTES * r.count
        holds(
            at(GATHER), r.writes, r.size == 0, ~s.index[2], s.place == first + index,
            *(
                (index != number) | (s.word[32 - 8 * number :] == r.word[: 8 * number])
                for number in range(1, WORD_BYTES)
            ),
        )  # fmt: skip
        holds(at(ACCESS) & r.writes, r.size == 0, s.place == first + 4, s.word == r.word)
        holds(
            at(STORE), ~s.index[2], s.word == r.result >> (index << 3),
            s.size + WORD_BYTES == r.size + index, r.count > 0, ~r.unmapped,
            (r.chosen[2:] + 1 != r.count) | (r.kept == r.result.word_select(r.chosen[:2], 8)),
        )  # fmt: skip

    def _items(self) -> None:
        """Add the items of EVENTS, and its output events."""
        r, s, at, holds = self._r, self._s, self._at, self._holds
        if hasattr(s, "due"):
            holds(Const(1, 1), s.due == r.due, r.due <= r.slots)
        holds(Const(1, 1), s.unanswered == r.unanswered)
        exchange = at(EVENTS, SPIKE, TAKEN)
        ended = (s.place == r.end) & ~r.whole
        holds(exchange & ~s.held, (s.place == r.place) | ended)
        holds(exchange & s.held, r.whole, s.place == r.place + r.item_bytes)
        holds(exchange | at(ITEM), r.place <= r.end, r.size <= r.largest)
        if r.out_bytes > 1:
            holds(exchange | at(ITEM), r.size % r.out_bytes == 0)
        for number in range(1, r.longest_item + 1):
            part = s.item[-8 * number :] == r.item[: 8 * number]
            holds(exchange & s.held & (r.item_bytes == number), part)
            holds(at(ITEM) & (s.byte == number), part)
        holds(at(ITEM), s.byte < r.item_bytes, s.place == r.place + s.byte)
        holds(at(ITEM) & (s.byte == 0), s.place != r.end)
        holds(at(SPIKE, TAKEN), r.spike_valid, r.size < r.largest)
        holds(at(SPIKE), s.size == r.size + s.byte, s.byte < r.out_bytes)
        holds(at(TAKEN), s.size == r.size + r.out_bytes)

    def _answers(self) -> None:
        """Add the answer: its bytes that are sent, and its status."""
        r, s, at, holds = self._r, self._s, self._at, self._holds
        early = at(HEADER) & (s.index <= 4) & r.executes
        holds(at(HEADER), s.index == r.sent, r.sent < ANSWER_HEAD, (r.sent == 0) | (s.place == 0))
        holds(early, r.right(s.status))
        unsent = early | (r.executes & (at(NUMBER, COMMAND) | at(*range(COUNT_UP, PAYLOAD))))
        holds(~unsent, s.status == r.status)
        holds(
            at(PAYLOAD), r.refusal == 0, s.place < r.size, r.sent == ANSWER_HEAD + s.place,
            ~s.settled | (s.at_last == (s.place + 1 == r.size)),
            ~s.settled | (s.place != r.chosen) | (s.read == r.kept),
        )  # fmt: skip
        holds(Const(1, 1), r.size <= LONGEST - ANSWER_HEAD)

    def _times(self) -> None:
        """Add for how long nothing has happened."""
        r, s, at, holds = self._r, self._s, self._at, self._holds
        ended = s.settled & (s.place == r.end)
        holds(at(EVENTS), s.still <= r.still, (s.still == 0) | s.held | ended)
        holds(~at(EVENTS), s.still == 0)
        start = at(NUMBER) & (s.index == 0)
        # The byte that is read changes, and is valid one clock cycle later.
        reading = ~(at(LISTEN, HEADER, PAYLOAD, END, SPIKE, TAKEN) | start)
        holds(reading & ~s.settled, r.moved)
        holds(at(COUNT_UP), s.settled == (self._index != 0))
        longest: Value = Const(0, 1)
        for states, clocks in (
            ((NUMBER, COMMAND, AMOUNT, PAYLOAD), Const(1)),
            ((COUNT_UP,), self._index - 1),
            ((STORE,), self._index),
            ((ADDRESS,), Const(3)),
            ((GATHER, MORE), Const(4)),
            ((ITEM,), Mux(s.byte == 0, 4, 0)),
            ((ACCESS,), Const(5)),
            ((HEADER,), Mux(r.executes & r.events, STALL_TIMEOUT + 5, 6)),
            ((EVENTS,), s.still + 3),
            ((SPIKE,), STALL_TIMEOUT + 3 + s.byte),
            # The number of the byte may have no bits, or be 0 again after the last one.
            ((TAKEN,), Const(STALL_TIMEOUT + 3 + r.out_bytes)),
        ):
            longest = Mux(at(*states), clocks, longest)
        holds(~reading | s.settled, r.idle <= longest)
        holds((start | at(PAYLOAD)) & ~s.settled, r.idle == 0)


def _same_low(one: Value, two: Value, count: Value) -> Value:
    """Return whether the lowest bytes of two words are equal, for any number of bytes."""
    found: Value = Const(1, 1)
    for number in range(len(one) // 8):
        found &= (count <= number) | (one.word_select(number, 8) == two.word_select(number, 8))
    return found


def _shifted(low: Value, high: Value, count: Value) -> Value:
    """Return two words side by side, shifted right by a number of bytes: the lower word."""
    found: Value = high
    for number in reversed(range(len(low) // 8)):
        found = Mux(count == number, Cat(low, high)[8 * number : 8 * number + len(low)], found)
    return found
