"""Constants of docs/uart.md for gates and hosts; needs only the standard library."""

from __future__ import annotations

import enum

FLAG, ESCAPE, FLIP = 0x7E, 0x7D, 0x20
CRC_BYTES = 4
SHORTEST, LONGEST = 9, 512
"""Bytes of a frame, including the CRC; one block RAM of an iCE40 holds the longest."""

REQUEST_HEAD, ANSWER_HEAD = 5, 7
"""Bytes before the arguments of a command, and before the payload of an answer."""

STAY = 0x8000
"""Flag of an address: all words are read from or written to the same register."""


class Command(enum.IntEnum):
    """Command of a request."""

    OPEN = 0
    READ = 1
    WRITE = 2
    EVENTS = 3


class Status(enum.IntEnum):
    """Status of an answer; from 8 on: the request was not carried out."""

    DONE = 0
    STALLED = 1
    REFUSED = 2
    """The same number as AXI's SLVERR."""
    NO_REGISTER = 3
    FULL = 4
    OPENED = 5
    BAD_FRAME = 8
    OUT_OF_ORDER = 9
    UNKNOWN = 10
