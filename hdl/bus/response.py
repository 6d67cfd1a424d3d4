"""How a core answers an access; standard library only, for hosts that have nothing else."""

from __future__ import annotations

import enum


class Response(enum.IntEnum):
    """How an access is answered; the numbers are AXI's."""

    OKAY = 0
    SLAVE_ERROR = 2
    """Refused; nothing has changed."""
    DECODE_ERROR = 3
    """There is no such register; nothing has changed."""
