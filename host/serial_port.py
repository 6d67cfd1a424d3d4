"""Serial ports for `bitlif.host.link`. pyserial is imported when a port is opened."""

from __future__ import annotations

import errno
import os
from typing import Any

from bitlif.model.errors import BitlifError, require_int
from bitlif.model.extras import missing_extra
from bitlif.model.text import path_text

BAUD = 1_000_000
"""Default baud rate of the bitstreams."""

MAX_BAUD = 100_000_000
READ_TIMEOUT = 0.05
"""Seconds after which a read returns no bytes."""

MAX_READ = 1 << 16
"""Largest number of bytes returned by one read."""

WRITE_TIMEOUT = 5.0
"""Seconds after which a blocked write fails."""


class SerialPort:
    """A `bitlif.host.link.Port` that uses pyserial. Its errors name the port."""

    def __init__(self, name: str, baud: int, handle: Any) -> None:
        self.name, self.baud, self._handle = name, baud, handle

    def read(self) -> bytes:
        """Return the bytes received; wait up to `READ_TIMEOUT` seconds for the first."""
        try:
            received: bytes = self._handle.read(min(max(1, self._handle.in_waiting), MAX_READ))
        except OSError as error:
            raise self._port_error(error) from error
        return received

    def write(self, sent: bytes) -> None:
        """Send bytes."""
        try:
            self._handle.write(sent)
        except OSError as error:
            raise self._port_error(error) from error

    def close(self) -> None:
        """Close the port."""
        self._handle.close()

    def _port_error(self, error: OSError) -> BitlifError:
        return BitlifError(
            f"the serial port '{self.name}' failed while it was open ({_reason(error)}): check "
            "its cable and open it again"
        )


def open_serial(path: str, baud: int = BAUD) -> SerialPort:
    """Open the serial port at `path`.

    Parameters
    ----------
    path : str
        For example ``/dev/ttyUSB0`` or ``COM3``.
    baud : int
        Bits per second.

    Raises
    ------
    BitlifError
        If pyserial is missing, or the port cannot be opened at this baud rate.
    """
    baud = require_int("baud rate", baud, 1, MAX_BAUD)
    try:
        import serial
    except ModuleNotFoundError as error:
        raise missing_extra("a serial port needs pyserial", "serial", error) from error
    try:
        # Exclusive: two programs at one port would read each other's answers.
        handle = serial.Serial(
            path, baud, timeout=READ_TIMEOUT, write_timeout=WRITE_TIMEOUT, exclusive=True
        )
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
