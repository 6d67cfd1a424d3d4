"""The top of a board for synthesis: its pins, clock and serial port around a core."""

from __future__ import annotations

import importlib
from typing import Any

from amaranth.build import Attrs, Subsignal
from amaranth.hdl import ClockDomain, Module
from amaranth.lib import io, wiring

from bitlif.hdl.pll import PllClock, PllSettings
from bitlif.model.extras import missing_extra

from .boards import Board


def platform_of(board: Board) -> Any:
    """Return a new platform of ``amaranth_boards``; a UART is added where it has none.

    Raises
    ------
    BitlifError
        If the package is missing.
    """
    module, name = board.platform
    full = module if "." in module else f"amaranth_boards.{module}"
    try:
        platform = getattr(importlib.import_module(full), name)()
        from amaranth_boards.resources import UARTResource
    except ImportError as error:
        raise missing_extra("boards need amaranth-boards", "boards", error) from error
    if board.header is not None:
        rx, tx = board.header
        attributes = Attrs(IO_TYPE="LVCMOS33")
        platform.add_resources([UARTResource(0, rx=rx, tx=tx, conn=("io", 0), attrs=attributes)])
    return platform


class BoardTop(wiring.Component):
    """A core and its serial port on a board, clocked from the board's oscillator.

    Parameters
    ----------
    board : Board
    made : PllSettings
    front : component with members ``rx`` and ``tx``

    No members: the pins are requested from the platform. Latency, throughput, handshake: those of
    `front`. Reset: until the PLL has locked.
    """

    def __init__(self, board: Board, made: PllSettings, front: Any) -> None:
        self._board, self._made, self._front = board, made, front
        super().__init__({})

    def elaborate(self, platform: Any) -> Module:
        """Request the pins and connect them."""
        m = Module()
        board = self._board
        m.domains.sync = ClockDomain()
        crystal = platform.request(board.clock, dir="-")
        m.submodules.clock = PllClock(self._made, crystal, pad=board.pad)
        # No automatic buffers: pins of modem signals stay unused.
        pins = [pin.name for pin in platform.lookup("uart", 0).ios if isinstance(pin, Subsignal)]
        line = platform.request("uart", 0, dir=dict.fromkeys(pins, "-"))
        m.submodules.rx = rx = io.Buffer("i", line.rx)
        m.submodules.tx = tx = io.Buffer("o", line.tx)
        m.submodules.front = self._front
        m.d.comb += [self._front.rx.eq(rx.i), tx.o.eq(self._front.tx)]
        return m


def prepare(board: Board, made: PllSettings, front: Any) -> tuple[str, str]:
    """Return the top of a board as RTLIL, module ``top``, and its pin constraints.

    Raises
    ------
    BitlifError
        If ``amaranth_boards`` is missing.
    """
    platform = platform_of(board)
    plan = platform.prepare(BoardTop(board, made, front), "top", emit_src=False)
    texts = [plan.files["top.il"], plan.files[f"top.{board.toolchain.constraints}"]]
    top, constraints = (own if isinstance(own, str) else own.decode() for own in texts)
    return top, constraints
