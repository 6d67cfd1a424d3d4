"""One register access at a time: what stands between any bus and the registers."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .registers import ADDRESS_BITS, WORD_BITS, Response


class AccessSignature(wiring.Signature):
    """An access, from the bus's side.

    Members
    -------
    request : Out(1)
        An access waits; it and the other outputs hold until ``done``, and at least one clock
        without a request follows.
    write : Out(1)
    address : Out
        Of a byte.
    data, strobe : Out
        A word to write, and which of its bytes.
    done : In(1)
        The access ends with this clock.
    response, result : In
        With ``done``: how it went (`bitlif.hdl.bus.response.Response`), and the word that was read.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "request": Out(1),
                "write": Out(1),
                "address": Out(ADDRESS_BITS),
                "data": Out(WORD_BITS),
                "strobe": Out(WORD_BITS // 8),
                "done": In(1),
                "response": In(range(max(Response) + 1)),
                "result": In(WORD_BITS),
            }
        )
