"""The error raised when a core refuses a register access. Needs only the standard library."""

from __future__ import annotations

from bitlif.hdl.bus.response import Response
from bitlif.model.errors import BitlifError


class AccessError(BitlifError):
    """A core refused a register access; its state is unchanged.

    Parameters
    ----------
    write : bool
        Whether the access was a write.
    offset : int
        Byte offset of the register.
    response : int
        One of `bitlif.hdl.bus.response.Response`.
    """

    def __init__(self, write: bool, offset: int, response: int) -> None:
        name, answer = _name(offset), Response(response).name.lower().replace("_", " ")
        where = f"{name} ({offset:#05x})" if name else f"{offset:#05x}"
        super().__init__(f"{'writing' if write else 'reading'} {where} was answered: {answer}")
        self.write, self.offset, self.response = write, offset, Response(response)


def _name(offset: int) -> str:
    """Return the register's name, or an empty string if it is unknown."""
    try:
        from bitlif.hdl.bus.registers import REGISTERS
    except ModuleNotFoundError:  # the register map needs NumPy, the link does not
        return ""
    return next((name for name, one in REGISTERS.items() if one.offset == offset), "")
