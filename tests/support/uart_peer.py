"""The UART's protocol once more, naively, from docs/uart.md: what the gates are held against."""

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
    """Return a body between its flags."""
    out = bytearray(b"\x7e")
    for byte in body + number_of(zlib.crc32(body), 4):
        out += bytes([0x7D, byte ^ 0x20]) if byte in (0x7D, 0x7E) else bytes([byte])
    return bytes(out + b"\x7e")


def answers(line: bytes) -> list[Answer]:
    """Return the answers in what a board has sent, all of which must be whole and good."""
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
    """Asks a simulated board, a request at a time, on a line without noise.

    `patience`: the clock cycles that an answer may take.
    """

    def __init__(self, board: SimulatedBoard, *, patience: int = 4000) -> None:
        self.board, self.patience = board, patience
        self.number = 0

    def drive(self, levels: NDArray[np.uint8], clocks: int = 400) -> list[Answer]:
        """Put levels on the line, then leave it idle until nothing comes any more.

        Returns what came; `clocks` are what the first byte of it may take.
        """
        line = self.board.drive(levels, clocks)
        while came := self.board.drive(np.ones(0, np.uint8), 400):
            line += came
        return answers(line)

    def send(self, body: bytes, clocks: int = 400) -> list[Answer]:
        """Send a frame; return what comes for it."""
        return self.drive(levels_of(framed(body)), clocks)

    def open(self) -> None:
        """Begin a session."""
        ((self.number, status, count, payload),) = self.send(request(12345, OPEN))
        assert (status, count, payload) == (OPENED, 0, b"")
        assert self.number % 65536 == 0

    def ask(self, command: int, rest: bytes = b"") -> Answer:
        """Return the answer to the next request."""
        self.number = (self.number + 1) % (1 << 32)
        (answer,) = self.send(request(self.number, command, rest), self.patience)
        assert answer[0] == self.number, (answer, self.number)
        return answer

    def read(self, offset: int, count: int = 1, *, stay: bool = False) -> list[int]:
        """Return words of registers."""
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


def spoilt(frame: bytes, others: list[bytes], rng: random.Random) -> NDArray[np.uint8]:
    """Return the levels of a frame with something wrong, a bit each: what kind, chance decides.

    Flipped bits anywhere (start and stop bits too), a byte lost or twice, bytes swapped, a frame
    cut short at either end, the head of one on the tail of another.
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
        # More than its flag: the one that closed the frame before would do for it.
        del data[: max(place, 2)]
    elif kind == 5:
        other_frame = rng.choice(others)
        data = data[:place] + other_frame[rng.randrange(len(other_frame)) :]
    levels = levels_of(bytes(data))
    if kind >= 6 or data == frame or rng.random() < 0.1:
        # One between the flags, or nothing of the frame itself might be wrong.
        levels[rng.randrange(10, max(11, len(levels) - 10))] ^= 1
        for _ in range(rng.choice((0, 0, 1, 2, 7, 30))):
            levels[rng.randrange(len(levels))] ^= 1
        if levels.tobytes() == levels_of(frame).tobytes():
            levels[15] ^= 1
    return levels
