"""A simulated board behind a pseudo-terminal, which programs open as a serial port."""

from __future__ import annotations

import contextlib
import os
import random
import select
import threading
import tty
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .board_sim import SimulatedBoard, levels_of

SLICE = 4096
"""Clock cycles that an idle board runs before input from the host is read again."""


@dataclass(slots=True)
class LineNoise:
    """Random errors of a serial line.

    Attributes
    ----------
    flip : float
        Probability that a bit is inverted, start and stop bits included.
    drop, repeat : float
        Probability that a byte is lost, and that it is duplicated.
    seed : int
        Seed of the random errors.
    """

    flip: float = 0.0
    drop: float = 0.0
    repeat: float = 0.0
    seed: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def to_board(self, data: bytes) -> NDArray[np.uint8]:
        """Return the levels that reach the board, one per bit."""
        levels = levels_of(self._lose(data))
        for place in self._places(len(levels)):
            levels[place] ^= 1
        return levels

    def to_host(self, data: bytes) -> bytes:
        """Return the bytes that reach the host. Only their data bits can be inverted."""
        received = bytearray(self._lose(data))
        for place in self._places(8 * len(received)):
            received[place // 8] ^= 1 << place % 8
        return bytes(received)

    def _lose(self, data: bytes) -> bytes:
        if not (self.drop or self.repeat):
            return data
        received = bytearray()
        for byte in data:
            draw = self._random.random()
            count = 0 if draw < self.drop else 2 if draw > 1 - self.repeat else 1
            received += bytes([byte]) * count
        return bytes(received)

    def _places(self, count: int) -> list[int]:
        return [k for k in range(count) if self._random.random() < self.flip] if self.flip else []


class PseudoTerminal:
    """Runs a board in a separate thread while the context is active.

    Parameters
    ----------
    board : SimulatedBoard
        Must not be used elsewhere at the same time.
    noise : LineNoise or None
        Errors of the line.
    switch : callable or None
        Called with the bytes that the host sends; returns the bytes passed on to the line, or None
        to disconnect it for good.
    """

    def __init__(
        self,
        board: SimulatedBoard,
        noise: LineNoise | None = None,
        switch: Callable[[bytes], bytes | None] | None = None,
    ) -> None:
        self._board, self._switch = board, switch
        self.noise = LineNoise() if noise is None else noise
        self._ours, self._theirs = os.openpty()
        for end in (self._ours, self._theirs):
            tty.setraw(end)
        os.set_blocking(self._ours, False)
        self.path = os.ttyname(self._theirs)
        """Path of the serial port for programs to open."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        for end in (self._ours, self._theirs):
            os.close(end)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._turn()
        except BaseException as failure:  # raised again by __exit__
            self._failure = failure

    def _turn(self) -> None:
        """Pass the host's bytes to the board, run it for a while, and pass its bytes back."""
        data: bytes | None = b""
        if select.select([self._ours], [], [], 0)[0]:
            data = os.read(self._ours, 4096)
            if self._switch is not None:
                data = self._switch(data)
        if data is None:
            self._ended.wait()
            return
        received = self._board.drive(self.noise.to_board(data), SLICE)
        received = self.noise.to_host(received)
        # A program that does not read must not keep this thread from ending.
        while received and not self._ended.is_set():
            if select.select([], [self._ours], [], 0.05)[1]:
                with contextlib.suppress(BlockingIOError):
                    received = received[os.write(self._ours, received) :]
