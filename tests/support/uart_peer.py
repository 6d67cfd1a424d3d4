"""A second, simple implementation of the UART protocol, written from docs/uart.md."""

from __future__ import annotations

import random
import zlib

import numpy as np
from numpy.typing import NDArray

from bitlif.sim.compiled.board_sim import SimulatedBoard, levels_of

OPEN, READ, WRITE, EVENTS = range(4)
DONE, STALLED, REFUSED, NO_REGISTER, FULL, OPENED = range(6)
BAD_FRAME, OUT_OF_ORDER, UNKNOWN = 8, 9, 10
STAY = 0x8000

Answer = tuple[int, int, int, bytes]
"""Number, status, count, payload."""


def number_of(value: int, size: int) -> bytes:
    return (value % (1 << 8 * size)).to_bytes(size, "little")


def request(number: int, command: int, rest: bytes = b"") -> bytes:
    """Return the body of a request."""
    return number_of(number, 4) + bytes([command]) + rest


def framed(body: bytes) -> bytes:
    """Return the frame of a body."""
    out = bytearray(b"\x7e")
    for byte in body + number_of(zlib.crc32(body), 4):
        out += bytes([0x7D, byte ^ 0x20]) if byte in (0x7D, 0x7E) else bytes([byte])
    return bytes(out + b"\x7e")


def answers(line: bytes) -> list[Answer]:
    """Return the answers that a board has sent; all must be complete and undamaged."""
    out = []
    assert not line or (line[0] == line[-1] == 0x7E), line.hex()
    for piece in line.split(b"\x7e"):
        if not piece:
            continue
        body, escaped = bytearray(), False
        for byte in piece:
            if byte == 0x7D:
                escaped = True
                continue
            body.append(byte ^ 0x20 if escaped else byte)
            escaped = False
        assert number_of(zlib.crc32(body[:-4]), 4) == bytes(body[-4:]), body.hex()
        number, count = int.from_bytes(body[:4], "little"), int.from_bytes(body[5:7], "little")
        out.append((number, body[4], count, bytes(body[7:-4])))
    return out


class Peer:
    """Sends requests to a simulated board on a line without noise.

    `patience` is the number of clock cycles that an answer may take.
    """

    def __init__(self, board: SimulatedBoard, *, patience: int = 4000) -> None:
        self.board, self.patience = board, patience
        self.number = 0

    def drive(self, levels: NDArray[np.uint8], clocks: int = 400) -> list[Answer]:
        """Put levels on the line, leave it idle until the board is silent, and return its answers.

        `clocks` is the number of clock cycles that the first byte may take.
        """
        line = self.board.drive(levels, clocks)
        while came := self.board.drive(np.ones(0, np.uint8), 400):
            line += came
        return answers(line)

    def send(self, body: bytes, clocks: int = 400) -> list[Answer]:
        """Send a frame and return the answers."""
        return self.drive(levels_of(framed(body)), clocks)

    def open(self) -> None:
        """Begin a session."""
        ((self.number, status, count, payload),) = self.send(request(12345, OPEN))
        assert (status, count, payload) == (OPENED, 0, b"")
        assert self.number % 65536 == 0

    def ask(self, command: int, rest: bytes = b"") -> Answer:
        """Send the next request and return its answer."""
        self.number = (self.number + 1) % (1 << 32)
        (answer,) = self.send(request(self.number, command, rest), self.patience)
        assert answer[0] == self.number, (answer, self.number)
        return answer

    def read(self, offset: int, count: int = 1, *, stay: bool = False) -> list[int]:
        """Read words from registers."""
        where = number_of(offset | (STAY if stay else 0), 2)
        _, status, done, payload = self.ask(READ, where + bytes([count]))
        assert (status, done, len(payload)) == (DONE, count, 4 * count)
        return np.frombuffer(payload, "<u4").tolist()

    def write(self, offset: int, words: list[int], *, stay: bool = False) -> None:
        """Write words to registers."""
        where = number_of(offset | (STAY if stay else 0), 2)
        rest = where + b"".join(number_of(word, 4) for word in words)
        _, status, done, payload = self.ask(WRITE, rest)
        assert (status, done, payload) == (DONE, len(words), b"")


def damaged_levels(frame: bytes, others: list[bytes], rng: random.Random) -> NDArray[np.uint8]:
    """Return the levels of a randomly damaged frame, one per bit.

    Inverted bits (start and stop bits included), a lost, duplicated or swapped byte, a frame
    truncated at either end, or the start of one frame with the end of another.
    """
    kind = rng.randrange(8)
    data = bytearray(frame)
    place = rng.randrange(2, len(data) - 1)
    if kind == 0:
        del data[place]
    elif kind == 1:
        data.insert(place, data[place])
    elif kind == 2:
        other = rng.randrange(1, len(data) - 1)
        data[place], data[other] = data[other], data[place]
    elif kind == 3:
        del data[place:]
    elif kind == 4:
        # Remove more than the flag, since the flag of the previous frame would replace it.
        del data[: max(place, 2)]
    elif kind == 5:
        other_frame = rng.choice(others)
        data = data[:place] + other_frame[rng.randrange(len(other_frame)) :]
    levels = levels_of(bytes(data))
    if kind >= 6 or data == frame or rng.random() < 0.1:
        # Invert a bit between the flags, so that the frame itself is damaged.
        levels[rng.randrange(10, max(11, len(levels) - 10))] ^= 1
        for _ in range(rng.choice((0, 0, 1, 2, 7, 30))):
            levels[rng.randrange(len(levels))] ^= 1
        if levels.tobytes() == levels_of(frame).tobytes():
            levels[15] ^= 1
    return levels
