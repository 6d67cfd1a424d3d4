"""Interface between a bus and the registers: one access at a time."""

from __future__ import annotations

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .registers import ADDRESS_BITS, WORD_BITS, Response


class AccessSignature(wiring.Signature):
    """A register access, from the side of the bus.

    Members
    -------
    request : Out(1)
        An access is requested. All outputs are stable until ``done``; ``request`` is then low for
        at least one clock cycle.
    write : Out(1)
    address : Out
        Byte address.
    data, strobe : Out
        The word to write, and its byte enables.
    done : In(1)
        Pulse: the access ends in this clock cycle.
    response, result : In
        With ``done``: a `bitlif.hdl.bus.response.Response`, and the word that was read.
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
