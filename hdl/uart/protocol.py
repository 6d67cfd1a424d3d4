"""The numbers of docs/uart.md, for gates and host alike; standard library only."""

from __future__ import annotations

import enum

FLAG, ESCAPE, FLIP = 0x7E, 0x7D, 0x20
CRC_BYTES = 4
SHORTEST, LONGEST = 9, 512
"""Bytes of a frame, CRC included; one block RAM of an iCE40 holds the longest."""

REQUEST_HEAD, ANSWER_HEAD = 5, 7
"""Bytes before what a command takes, and before an answer's payload."""

STAY = 0x8000
"""Of an address: all words go to the same register."""


class Command(enum.IntEnum):
    """What a request asks for."""

    OPEN = 0
    READ = 1
    WRITE = 2
    EVENTS = 3


class Status(enum.IntEnum):
    """How it went; those from 8 on: the request was not carried out."""

    DONE = 0
    STALLED = 1
    REFUSED = 2
    """The number that buses have for it."""
    NO_REGISTER = 3
    FULL = 4
    OPENED = 5
    BAD_FRAME = 8
    OUT_OF_ORDER = 9
    UNKNOWN = 10
