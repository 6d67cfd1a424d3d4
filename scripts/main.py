"""The ``bitlif`` command: finds the subcommand and reports errors of the user in one line."""

from __future__ import annotations

import importlib
import signal
import sys
import warnings
from collections.abc import Collection, Sequence
from typing import NoReturn

import bitlif
from bitlif.hdl.export.programs import guard_process
from bitlif.model.errors import BitlifError
from bitlif.model.text import path_text, shortened

from .console.parser import Parser
from .console.standard_streams import guarded_streams
from .console.terminal import announce_compilation, say, warnings_as_sentences

SUBCOMMANDS = {
    "new": "write a configuration file that explains its fields, scaled to own data",
    "demo": "learn handwritten digits in integers and in float, side by side",
    "learn": "train a layer or a network on own data or a task, and write its weights",
    "run": "run input spikes or own data through a layer or a network with given weights",
    "encode": "encode tables, images or time series as spikes",
    "import": "make a configuration and weights of a network in NIR",
    "quantize": "find the fewest bits with which a network in NIR keeps its accuracy",
    "export": "write a layer or a network as NIR, for other frameworks",
    "noise": "analyse a noise source: exact distribution, streams, measured draws",
    "teacher": "learn a hidden teacher's weights at several noise levels, with both rules",
    "figures": "measure and draw the claims of the poster, float and fixed point side by side",
    "study": "search the space of configurations: bits, noise sources, sizes",
    "report": "report the findings of a study: Pareto fronts, sensitivities, a recommendation",
    "config": "show, validate, list or compare configurations",
    "bench": "measure the engine's speed relative to this machine's limits",
    "verilog": "write a layer or a network in SystemVerilog",
    "build": "build a bitstream for a board",
    "estimate": "estimate a layer's or network's size and speed on a board",
    "fit": "find the largest layers or networks that fit a board",
    "registers": "write the register map of a layer or a network behind a bus",
    "verify": "simulate the core's Verilog and compare it with the model",
    "prove": "prove that the gates equal the model for all inputs",
    "golden": "write golden vectors: inputs and every value, as text",
    "crosscheck": "run the same windows on several backends and compare all values",
    "selftest": "run a board over its serial port and compare it with the model",
    "help": "show the help of a command",
}
"""Commands and their summaries: ``bitlif --help`` prints this table and imports no command.

Each command is a module in this folder. Its ``add_parser(subparsers)`` adds the parser and sets
the default ``run`` to the function that executes the command.
"""

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_TERMINATED = 0, 1, 2, 130, 143

MESSAGE = 1000
"""Most characters of an error message."""


def build_parser(commands: Collection[str] = tuple(SUBCOMMANDS)) -> Parser:
    """Return the parser of the whole command line.

    Parameters
    ----------
    commands : collection of str
        Commands whose options are needed. The others are listed with their summary only.
    """
    parser = Parser(
        prog="bitlif",
        description=bitlif.__doc__,
        epilog="`bitlif help COMMAND` shows options and examples of a command. Exit status: "
        "0 success, 1 a check failed, 2 an argument was wrong or an output could not be written, "
        "130 interrupted, 143 terminated. Files are written before results are printed, and a "
        "pipe that is closed by its reader is not an error.",
    )
    parser.add_argument("--version", action="version", version=f"bitlif {bitlif.__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in SUBCOMMANDS.items():
        if name in commands:
            importlib.import_module(f"bitlif.scripts.{name}").add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status.

    Parameters
    ----------
    arguments : sequence of str or None
        The arguments after ``bitlif``; None stands for those of the process.

    Raises
    ------
    SystemExit
        With the exit status, after printing a help, the version, or an error in the arguments.
    """
    if arguments is None:
        # The process serves this command only. From here on, no program that it or a library
        # starts is taken from the current directory.
        guard_process()
        signal.signal(signal.SIGTERM, _terminate)
        # Amaranth warns of gates that were not finished, which is no news after an error.
        warnings.filterwarnings("ignore", ".* created but never used")
    words = list(sys.argv[1:] if arguments is None else arguments)
    stopped = False
    with guarded_streams() as out:
        try:
            code = _run(words)
        except SystemExit as stop:
            code, stopped = int(stop.code or 0), True
        out.flush()
        # A reader that closes its pipe has read what it wanted.
        if out.error is not None and not isinstance(out.error, BrokenPipeError):
            reason = out.error.strerror or out.error
            say(f"bitlif: standard output cannot be written: {reason}")
            code = code or EXIT_USAGE
    if stopped:
        raise SystemExit(code)
    return code


class Terminated(KeyboardInterrupt):
    """The signal SIGTERM, which removes unfinished files as an interrupt does."""


def _terminate(number: int, frame: object) -> NoReturn:
    raise Terminated


def _run(words: list[str]) -> int:
    # The options before the command take no values.
    command = next((word for word in words if not word.startswith("-")), "")
    try:
        args = build_parser((command,)).parse_args(words)
        if command != "help":
            announce_compilation()
        with warnings_as_sentences(args.command):
            code = args.run(args)
    except BitlifError as error:
        return _refused(command, error)
    except OSError as error:
        where = f" '{path_text(error.filename)}'" if error.filename else ""
        return _refused(command, f"{error.strerror or error}{where}")
    except MemoryError:
        return _refused(command, "there is not enough memory")
    except Terminated:
        say(f"bitlif {command}: terminated")
        return EXIT_TERMINATED
    except KeyboardInterrupt:
        say(f"bitlif {command}: interrupted")
        return EXIT_INTERRUPTED
    assert isinstance(code, int)
    return code


def _refused(command: str, error: object) -> int:
    say(f"bitlif {command}: {shortened(str(error), MESSAGE)}")
    return EXIT_USAGE
