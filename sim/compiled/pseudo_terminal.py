"""A simulated board behind a pseudo-terminal: to a program it is a serial port, noise included."""

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
"""Clocks that an idle board runs before the host is listened to again."""


@dataclass(slots=True)
class LineNoise:
    """What a bad line does, from a seed.

    Attributes
    ----------
    flip : float
        Chance of a bit, start and stop bits included, to come as the other one.
    drop, repeat : float
        Chance of a byte to be lost, and to come twice.
    seed : int
    """

    flip: float = 0.0
    drop: float = 0.0
    repeat: float = 0.0
    seed: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def to_board(self, data: bytes) -> NDArray[np.uint8]:
        """Return the levels that reach the board, a bit each."""
        levels = levels_of(self._lose(data))
        for place in self._places(len(levels)):
            levels[place] ^= 1
        return levels

    def to_host(self, data: bytes) -> bytes:
        """Return the bytes that reach the host; of theirs, only the eight bits can flip."""
        came = bytearray(self._lose(data))
        for place in self._places(8 * len(came)):
            came[place // 8] ^= 1 << place % 8
        return bytes(came)

    def _lose(self, data: bytes) -> bytes:
        if not (self.drop or self.repeat):
            return data
        came = bytearray()
        for byte in data:
            luck = self._random.random()
            came += bytes([byte]) * (0 if luck < self.drop else 2 if luck > 1 - self.repeat else 1)
        return bytes(came)

    def _places(self, count: int) -> list[int]:
        return [k for k in range(count) if self._random.random() < self.flip] if self.flip else []


class PseudoTerminal:
    """Runs a board in a thread of its own; a context manager.

    Parameters
    ----------
    board : SimulatedBoard
        Used by nobody else meanwhile.
    noise : LineNoise or None
    switch : callable or None
        Is given all that the host sends, and returns what of it goes on to the line: None cuts the
        line for good, as a pulled plug does.
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
        """What a program opens."""
        self._over = threading.Event()
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
        self._over.set()
        self._thread.join()
        for end in (self._ours, self._theirs):
            os.close(end)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._turn()
        except BaseException as failure:  # the thread's user is told, by __exit__
            self._failure = failure

    def _turn(self) -> None:
        """Carry what the host sent to the board, let time pass, carry back what comes."""
        data: bytes | None = b""
        if select.select([self._ours], [], [], 0)[0]:
            data = os.read(self._ours, 4096)
            if self._switch is not None:
                data = self._switch(data)
        if data is None:
            self._over.wait()
            return
        came = self._board.drive(self.noise.to_board(data), SLICE)
        came = self.noise.to_host(came)
        # A program that does not read must not keep this thread from its end.
        while came and not self._over.is_set():
            if select.select([], [self._ours], [], 0.05)[1]:
                with contextlib.suppress(BlockingIOError):
                    came = came[os.write(self._ours, came) :]
