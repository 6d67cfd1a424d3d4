"""Clock of a board's core, and the serial line that is divided from it."""

from __future__ import annotations

from dataclasses import dataclass

from bitlif.hdl.pll import PllSettings, settings
from bitlif.hdl.uart.serial import LEAST_DIVISOR
from bitlif.model.errors import BitlifError

from .boards import Board

BAUD = 1_000_000
BAUD_ERROR = 0.01
"""Largest relative deviation of the baud rate: a frame of ten bits may slip by a tenth of a bit."""


@dataclass(frozen=True, slots=True)
class Line:
    """The serial line at a clock.

    Attributes
    ----------
    baud : int
        Requested rate.
    divisor : int
        Clock cycles per bit.
    actual : float
        Resulting rate.
    """

    baud: int
    divisor: int
    actual: float

    @property
    def error(self) -> float:
        """Return the relative deviation of the rate."""
        return self.actual / self.baud - 1


def line_at(mhz: float, baud: int) -> Line:
    """Return the line whose rate is closest to `baud` at a clock of `mhz`."""
    hertz = 1e6 * mhz
    divisor = max(1, round(hertz / baud))
    return Line(baud, divisor, hertz / divisor)


def _good(line: Line) -> bool:
    # The limit itself is accepted, whatever the rounding of floats.
    return abs(line.error) <= BAUD_ERROR + 1e-9 and line.divisor >= LEAST_DIVISOR


def clock_for(board: Board, wanted_mhz: float, baud: int, *, exactly: bool = False) -> PllSettings:
    """Return the highest clock of a board's PLL that is not above the wanted one.

    Parameters
    ----------
    board : Board
    wanted_mhz : float
    baud : int
        The clock must divide to this rate within `BAUD_ERROR`.
    exactly : bool
        Raise instead of choosing a lower clock for the sake of the line.

    Raises
    ------
    BitlifError
        If there is no such clock.
    """
    if not exactly:
        return settings(
            board.pll, board.reference, wanted_mhz, lambda mhz: _good(line_at(mhz, baud))
        )
    made = settings(board.pll, board.reference, wanted_mhz)
    line = line_at(made.mhz, baud)
    if not _good(line):
        raise BitlifError(
            f"baud must divide the clock, {made.mhz:.3f} MHz, to {BAUD_ERROR:.0%} and be at most "
            f"1/{LEAST_DIVISOR} of it, not {baud}: the nearest is {line.actual:.0f}"
        )
    return made
