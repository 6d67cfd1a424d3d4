"""A simulated board: a core with its UART, compiled by Verilator and driven through its pins."""

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
from bitlif.model.config.network import NetworkConfig, any_text
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.logging import notify
from bitlif.model.storage.cache import cached, key_of

from .build import LIBRARY, compile_verilog, ingredients, require_tools
from .process import release_with

DRIVER = "line_driver.cc"
TOP = "bitlif_board"
MAX_BYTES = 1 << 16
"""Largest number of bytes that a board may send in one call."""

DIVISOR = 6
"""Clock cycles per bit of the simulated line: few, which makes the simulation fast."""


def levels_of(data: bytes) -> NDArray[np.uint8]:
    """Return the line levels of bytes, one per bit: start, eight data bits from bit 0, stop."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8)[:, None], axis=1, bitorder="little")
    frame = np.ones((len(data), 10), np.uint8)
    frame[:, 0] = 0
    frame[:, 1:9] = bits
    return frame.ravel()


def board_verilog(
    config: Config | NetworkConfig, *, divisor: int = DIVISOR, learning: bool = True
) -> str:
    """Return the SystemVerilog of a layer or a network with its UART, as module `TOP`."""
    top = UartTop(config, divisor=divisor, learning=learning)
    return fix_verilog(to_verilog(top, TOP))


def _library(config: Config | NetworkConfig, divisor: int, learning: bool) -> Path:
    require_tools()
    parts = {
        "board": any_text(config), "learning": str(learning), "divisor": str(divisor),
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
    """A simulated board with two pins, receive and transmit.

    Parameters
    ----------
    config : Config or NetworkConfig
    divisor : int
        Clock cycles per bit.
    learning : bool
        Whether the core has learning hardware.

    Raises
    ------
    BitlifError
        If a tool is missing or fails.
    """

    def __init__(
        self, config: Config | NetworkConfig, *, divisor: int = DIVISOR, learning: bool = True
    ) -> None:
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
        self._bytes = np.zeros(MAX_BYTES, np.uint8)

    def drive(self, levels: NDArray[Any], idle: int = 0) -> bytes:
        """Put levels on the line, one bit each, then leave it idle.

        Parameters
        ----------
        levels : (n,) array of 0 or 1
        idle : int
            Clock cycles that the line stays idle afterwards.

        Returns
        -------
        bytes
            What the board sent during that time.

        Raises
        ------
        BitlifError
            If the board sent a byte without a stop bit, or more than `MAX_BYTES` bytes.
        """
        levels = np.ascontiguousarray(levels, np.uint8)
        received = self._code.line_run(
            self._board, levels.ctypes.data, len(levels), idle, self._bytes.ctypes.data, MAX_BYTES
        )
        if not 0 <= received <= MAX_BYTES:
            raise BitlifError(
                f"the board must send whole bytes, at most {MAX_BYTES} per call, not {received}"
            )
        return self._bytes[:received].tobytes()

    def send(self, data: bytes, idle: int = 0) -> bytes:
        """Send bytes, leave the line idle for `idle` clock cycles, and return what was received."""
        return self.drive(levels_of(data), idle)

    def reset(self, clocks: int = 1) -> None:
        """Hold the reset for `clocks` clock cycles, with the line idle."""
        self._code.line_reset(self._board, clocks)

    @property
    def clocks(self) -> int:
        """Clock cycles since power-up."""
        return int(self._code.line_clocks(self._board))

    def close(self) -> None:
        """Release all resources. Idempotent."""
        self._finalizer()
