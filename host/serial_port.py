"""A serial port for `bitlif.host.link`; pyserial is imported when one is opened."""

from __future__ import annotations

import errno
import os
from typing import Any

from bitlif.model.errors import BitlifError, require_int
from bitlif.model.extras import missing_extra
from bitlif.model.text import path_text

BAUD = 1_000_000
"""Of the bitstreams, unless they were built for another rate."""

FASTEST = 100_000_000
WAIT = 0.05
"""Seconds after which a read returns nothing."""

MOST_READ = 1 << 16
"""Bytes that a read returns at most."""

STUCK = 5.0
"""Seconds after which a write fails that nobody takes."""


class SerialPort:
    """A `bitlif.host.link.Port` over pyserial; errors are sentences that name the port."""

    def __init__(self, name: str, baud: int, handle: Any) -> None:
        self.name, self.baud, self._handle = name, baud, handle

    def read(self) -> bytes:
        """Return what has come, as soon as anything has; nothing after `WAIT` seconds."""
        try:
            received: bytes = self._handle.read(min(max(1, self._handle.in_waiting), MOST_READ))
        except OSError as error:
            raise self._gone(error) from error
        return received

    def write(self, sent: bytes) -> None:
        """Send bytes."""
        try:
            self._handle.write(sent)
        except OSError as error:
            raise self._gone(error) from error

    def close(self) -> None:
        """Give the port back."""
        self._handle.close()

    def _gone(self, error: OSError) -> BitlifError:
        return BitlifError(
            f"the serial port '{self.name}' must stay open while it is used, and did not "
            f"({_reason(error)}): look at its plug, and open it again"
        )


def open_serial(path: str, baud: int = BAUD) -> SerialPort:
    """Return the serial port at `path`: ``/dev/ttyUSB0``, ``COM3``.

    Parameters
    ----------
    path : str
    baud : int
        Bits a second.

    Raises
    ------
    BitlifError
        If pyserial is missing, or the port cannot be opened at this rate.
    """
    baud = require_int("baud rate", baud, 1, FASTEST)
    try:
        import serial
    except ModuleNotFoundError as error:
        raise missing_extra("a serial port needs pyserial", "serial", error) from error
    try:
        # Two programs at one port would take each other's answers.
        handle = serial.Serial(path, baud, timeout=WAIT, write_timeout=STUCK, exclusive=True)
    except (OSError, ValueError) as error:
        raise BitlifError(
            f"the serial port '{path_text(path)}' cannot be opened at {baud} baud: {_reason(error)}"
        ) from error
    return SerialPort(path, baud, handle)


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number in (errno.EAGAIN, errno.EBUSY):
        return "another program has it open"
    return os.strerror(number) if number else str(error)
