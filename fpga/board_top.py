"""A core's front on a board, for synthesis: pins and clock by Amaranth's description of boards."""

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
    """Return a new platform of ``amaranth_boards``, with a UART in any case.

    Raises
    ------
    BitlifError
        If the package is missing.
    """
    module, name = board.platform
    try:
        platform = getattr(importlib.import_module(f"amaranth_boards.{module}"), name)()
        from amaranth_boards.resources import UARTResource
    except ImportError as error:
        raise missing_extra("boards need amaranth-boards", "boards", error) from error
    if board.header is not None:
        rx, tx = board.header
        attributes = Attrs(IO_TYPE="LVCMOS33")
        platform.add_resources([UARTResource(0, rx=rx, tx=tx, conn=("io", 0), attrs=attributes)])
    return platform


class BoardTop(wiring.Component):
    """A front on a board: its clock from the board's crystal, its line on the board's UART.

    Parameters
    ----------
    board : Board
    made : PllSettings
    front : component with members ``rx`` and ``tx``

    It has no members: its pins are the platform's. Latency, throughput, handshake: the front's.
    Reset: until the clock is steady.
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
        # None of its pins gets a buffer by itself: those of modem signals stay unused.
        pins = [pin.name for pin in platform.lookup("uart", 0).ios if isinstance(pin, Subsignal)]
        line = platform.request("uart", 0, dir=dict.fromkeys(pins, "-"))
        m.submodules.rx = rx = io.Buffer("i", line.rx)
        m.submodules.tx = tx = io.Buffer("o", line.tx)
        m.submodules.front = self._front
        m.d.comb += [self._front.rx.eq(rx.i), tx.o.eq(self._front.tx)]
        return m


def prepare(board: Board, made: PllSettings, front: Any) -> tuple[str, str]:
    """Return the top of a board in RTLIL, module ``top``, and its pins' constraints.

    Raises
    ------
    BitlifError
        If ``amaranth_boards`` is missing.
    """
    platform = platform_of(board)
    plan = platform.prepare(BoardTop(board, made, front), "top", emit_src=False)
    texts = [plan.files["top.il"], plan.files[f"top.{board.route.constraints}"]]
    top, constraints = (own if isinstance(own, str) else own.decode() for own in texts)
    return top, constraints
