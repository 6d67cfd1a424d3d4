"""The error of a refused access, for every bus; standard library only."""

from __future__ import annotations

from bitlif.hdl.bus.response import Response
from bitlif.model.errors import BitlifError


class AccessError(BitlifError):
    """A core has answered an access with an error; nothing has changed there.

    Parameters
    ----------
    write : bool
    offset : int
        Of a byte.
    response : int
        See `bitlif.hdl.bus.response.Response`.
    """

    def __init__(self, write: bool, offset: int, response: int) -> None:
        name, answer = _name(offset), Response(response).name.lower().replace("_", " ")
        where = f"{name} ({offset:#05x})" if name else f"{offset:#05x}"
        super().__init__(f"{'writing' if write else 'reading'} {where} was answered: {answer}")
        self.write, self.offset, self.response = write, offset, Response(response)


def _name(offset: int) -> str:
    """Return the register's name; empty where there is none, or no map to look it up in."""
    try:
        from bitlif.hdl.bus.registers import REGISTERS
    except ModuleNotFoundError:  # the map needs NumPy, a host with a link alone has none
        return ""
    return next((name for name, one in REGISTERS.items() if one.offset == offset), "")
