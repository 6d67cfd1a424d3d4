"""A board without a board: the layer behind its UART, pins included, compiled by Verilator."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.export.convert import to_verilog
from bitlif.hdl.export.verilog_fixups import fix_verilog
from bitlif.hdl.uart.serial import LEAST_DIVISOR, MOST_DIVISOR
from bitlif.hdl.uart.uart_top import UartTop
from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.storage.cache import cached, key_of

from .build import LIBRARY, compile_verilog, ingredients, notify, require_tools
from .process import release_with

DRIVER = "line_driver.cc"
TOP = "bitlif_board"
ROOM = 1 << 16
"""Bytes that a board may send in one call."""

DIVISOR = 6
"""Clocks of a bit on the simulated line: few, so that simulated time goes by in bytes."""


def levels_of(data: bytes) -> NDArray[np.uint8]:
    """Return the line's levels, a bit each: start bit, eight bits lowest first, stop bit."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8)[:, None], axis=1, bitorder="little")
    frame = np.ones((len(data), 10), np.uint8)
    frame[:, 0] = 0
    frame[:, 1:9] = bits
    return frame.ravel()


def board_verilog(config: Config, *, divisor: int = DIVISOR, learning: bool = True) -> str:
    """Return the layer behind a UART as SystemVerilog, module `TOP`; the core is written out."""
    top = UartTop(config, divisor=divisor, learning=learning)
    return fix_verilog(to_verilog(top, TOP))


def _library(config: Config, divisor: int, learning: bool) -> Path:
    require_tools()
    parts = {
        "board": dump_config(config), "learning": str(learning), "divisor": str(divisor),
        "source": Path(__file__).read_text("utf-8"), **ingredients(),
    }  # fmt: skip

    def make(folder: Path) -> None:
        notify(f"compiling {config.name} behind a UART (once, seconds) ...")
        text = board_verilog(config, divisor=divisor, learning=learning)
        (folder / "board.sv").write_text(text, "utf-8")
        (folder / "line.h").write_text(f"#define DIVISOR {divisor}\n", "utf-8")
        compile_verilog(folder, ["board.sv"], TOP, DRIVER, "-O2")

    return cached(key_of(parts), LIBRARY, make)


class SimulatedBoard:
    """A board's two pins.

    Parameters
    ----------
    config : Config
    divisor : int
        Clocks of a bit.
    learning : bool
        Whether there is learning hardware.

    Raises
    ------
    BitlifError
        If a tool is missing or fails.
    """

    def __init__(self, config: Config, *, divisor: int = DIVISOR, learning: bool = True) -> None:
        divisor = require_int("divisor", divisor, LEAST_DIVISOR, MOST_DIVISOR)
        self._code = code = ctypes.CDLL(str(_library(config, divisor, learning)))
        code.line_open.restype = ctypes.c_void_p
        code.line_run.restype = code.line_clocks.restype = ctypes.c_int64
        code.line_close.argtypes = code.line_clocks.argtypes = [ctypes.c_void_p]
        code.line_reset.argtypes = [ctypes.c_void_p, ctypes.c_int64]
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        code.line_run.argtypes = [pointer, pointer, number, number, pointer, number]
        self._board = code.line_open()
        self._finalizer = release_with(self, code.line_close, self._board)
        self._bytes = np.zeros(ROOM, np.uint8)

    def drive(self, levels: NDArray[Any], idle: int = 0) -> bytes:
        """Put levels on the line, a bit each, then leave it idle for so many clocks.

        Returns
        -------
        bytes
            What the board sent meanwhile.

        Raises
        ------
        BitlifError
            If the board sent a byte without a stop bit, or more than `ROOM` bytes.
        """
        levels = np.ascontiguousarray(levels, np.uint8)
        came = self._code.line_run(
            self._board, levels.ctypes.data, len(levels), idle, self._bytes.ctypes.data, ROOM
        )
        if not 0 <= came <= ROOM:
            raise BitlifError(f"the board must send whole bytes, at most {ROOM} a call, not {came}")
        return self._bytes[:came].tobytes()

    def send(self, data: bytes, idle: int = 0) -> bytes:
        """Send bytes, then leave the line idle for so many clocks; return what came meanwhile."""
        return self.drive(levels_of(data), idle)

    def reset(self, clocks: int = 1) -> None:
        """Hold the reset for so many clock cycles, with the line idle."""
        self._code.line_reset(self._board, clocks)

    @property
    def clocks(self) -> int:
        """Clocks since power-up."""
        return int(self._code.line_clocks(self._board))

    def close(self) -> None:
        """Give it back."""
        self._finalizer()
