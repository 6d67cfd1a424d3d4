"""Responses to register accesses; needs only the standard library, as hosts import it."""

from __future__ import annotations

import enum


class Response(enum.IntEnum):
    """Response to an access; the numbers are those of AXI."""

    OKAY = 0
    SLAVE_ERROR = 2
    """Refused; no register has changed."""
    DECODE_ERROR = 3
    """No register has this address; no register has changed."""
