"""Frames of the UART bridge, as docs/uart.md has them; standard library only."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from bitlif.hdl.uart.protocol import (
    ANSWER_HEAD,
    CRC_BYTES,
    ESCAPE,
    FLAG,
    FLIP,
    LONGEST,
    REQUEST_HEAD,
    SHORTEST,
)

MOST_ITEMS = LONGEST - CRC_BYTES - REQUEST_HEAD
"""Bytes of input items that one request takes."""

MOST_OUTPUT = LONGEST - CRC_BYTES - ANSWER_HEAD
"""Bytes of output items that one answer holds."""

MOST_WORDS = MOST_OUTPUT // 4
"""Words that one frame takes, read or written: answers have as long a head as writes."""


def enframe(body: bytes) -> bytes:
    """Return a body with its CRC, escaped, between two flags.

    >>> enframe(bytes.fromhex("7e00")).hex(" ")
    '7e 7d 5e 00 87 46 65 f0 7e'
    """
    frame = body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")
    for byte in (ESCAPE, FLAG):  # the escape first, or it would be escaped twice
        frame = frame.replace(bytes([byte]), bytes([ESCAPE, byte ^ FLIP]))
    return bytes([FLAG]) + frame + bytes([FLAG])


def body_of(frame: bytes) -> bytes | None:
    """Return the body of what stood between two flags; None if the frame is bad."""
    whole, escaped = bytearray(), False
    for byte in frame:
        if byte == ESCAPE and not escaped:
            escaped = True
        else:
            whole.append(byte ^ FLIP if escaped else byte)
            escaped = False
    if escaped or not SHORTEST <= len(whole) <= LONGEST:
        return None
    body, crc = bytes(whole[:-CRC_BYTES]), whole[-CRC_BYTES:]
    return body if zlib.crc32(body) == int.from_bytes(crc, "little") else None


class Deframer:
    """Finds the frames in a stream of bytes, in step again with the first flag after any noise."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._begun = False

    def feed(self, received: bytes) -> list[bytes | None]:
        """Return the bodies of frames that have now come to their ends, None for each bad one."""
        self._pending += received
        *frames, rest = self._pending.split(bytes([FLAG]))
        if frames and not self._begun:  # no flag before: noise, or the end of a frame
            self._begun = True
            del frames[0]
        # A frame without an end must not fill the memory; what is longer is bad anyhow.
        self._pending = rest[: 2 * LONGEST + 1]
        return [body_of(bytes(frame)) for frame in frames if frame]


def request(number: int, command: int, payload: bytes = b"") -> bytes:
    """Return the body of a request."""
    return number.to_bytes(4, "little") + bytes([command]) + payload


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `status` may be a number that is none of `Status`."""

    number: int
    status: int
    count: int
    payload: bytes

    @classmethod
    def parse(cls, body: bytes) -> Answer | None:
        """Return the answer that a body holds; None if it is too short to be one.

        >>> Answer.parse(bytes.fromhex("01000100 05 0000"))
        Answer(number=65537, status=5, count=0, payload=b'')
        """
        if len(body) < ANSWER_HEAD:
            return None
        count = int.from_bytes(body[5:ANSWER_HEAD], "little")
        return cls(int.from_bytes(body[:4], "little"), body[4], count, body[ANSWER_HEAD:])
