"""Frames of the UART bridge (docs/uart.md). Needs only the standard library."""

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

MAX_ITEM_BYTES = LONGEST - CRC_BYTES - REQUEST_HEAD
"""Largest number of bytes of input items in one request."""

MAX_OUTPUT_BYTES = LONGEST - CRC_BYTES - ANSWER_HEAD
"""Largest number of bytes of output items in one answer."""

MAX_WORDS = MAX_OUTPUT_BYTES // 4
"""Largest number of words read or written by one frame.

The limit is the same for both, since an answer has as long a header as a write request.
"""


def encode_frame(body: bytes) -> bytes:
    """Return the frame of a body: body and CRC, escaped, between two flags.

    >>> encode_frame(bytes.fromhex("7e00")).hex(" ")
    '7e 7d 5e 00 87 46 65 f0 7e'
    """
    frame = body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")
    for byte in (ESCAPE, FLAG):  # the escape character first, or it would be escaped twice
        frame = frame.replace(bytes([byte]), bytes([ESCAPE, byte ^ FLIP]))
    return bytes([FLAG]) + frame + bytes([FLAG])


def decode_frame(frame: bytes) -> bytes | None:
    """Return the body of a frame, given what was between two flags; None if it is damaged."""
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
    """Finds frames in a stream of bytes. After noise it resynchronises at the first flag."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._begun = False

    def feed(self, received: bytes) -> list[bytes | None]:
        """Add received bytes; return the bodies of completed frames, None for each damaged one."""
        self._pending += received
        *frames, rest = self._pending.split(bytes([FLAG]))
        if frames and not self._begun:  # no flag seen before: noise, or the rest of a frame
            self._begun = True
            del frames[0]
        # A frame without an end must not fill the memory. A longer frame is invalid anyway.
        self._pending = rest[: 2 * LONGEST + 1]
        return [decode_frame(bytes(frame)) for frame in frames if frame]


def request(number: int, command: int, payload: bytes = b"") -> bytes:
    """Return the body of a request."""
    return number.to_bytes(4, "little") + bytes([command]) + payload


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the bridge.

    Attributes
    ----------
    number : int
        Sequence number.
    status : int
        A damaged or newer bridge may send a value that is not in `Status`.
    count : int
        Meaning depends on the command, see docs/uart.md.
    payload : bytes
    """

    number: int
    status: int
    count: int
    payload: bytes

    @classmethod
    def parse(cls, body: bytes) -> Answer | None:
        """Return the answer in a body, or None if the body is too short.

        >>> Answer.parse(bytes.fromhex("01000100 05 0000"))
        Answer(number=65537, status=5, count=0, payload=b'')
        """
        if len(body) < ANSWER_HEAD:
            return None
        count = int.from_bytes(body[5:ANSWER_HEAD], "little")
        return cls(int.from_bytes(body[:4], "little"), body[4], count, body[ANSWER_HEAD:])
