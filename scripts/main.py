"""The ``bitlif`` command: finds the subcommand, and turns a user's mistake into one sentence."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

import bitlif
from bitlif.model.errors import BitlifError

from .terminal import announce_compilation

SUBCOMMANDS = (
    "demo",
    "learn",
    "run",
    "noise",
    "teacher",
    "figures",
    "study",
    "report",
    "config",
    "bench",
    "verilog",
    "build",
    "estimate",
    "fit",
    "registers",
    "verify",
    "golden",
    "crosscheck",
    "selftest",
)
"""Modules beside this one; the ``add_parser(subparsers)`` of each sets ``run`` of its parser."""

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="bitlif",
        description=bitlif.__doc__,
        epilog="exit codes: 0 done, 1 a check failed, 2 the request was wrong, 130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"bitlif {bitlif.__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in SUBCOMMANDS:
        importlib.import_module(f"bitlif.scripts.{name}").add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (default: the process's own) and return its exit code."""
    args = build_parser().parse_args(arguments)
    announce_compilation()
    try:
        code = args.run(args)
        sys.stdout.flush()
    except BitlifError as error:
        print(f"bitlif {args.command}: {error}", file=sys.stderr)
        return EXIT_USAGE
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            # The reader of our output has gone; keep Python from complaining as it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_OK
        where = f" '{error.filename}'" if error.filename else ""
        print(f"bitlif {args.command}: {error.strerror or error}{where}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        print(f"bitlif {args.command}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    assert isinstance(code, int)
    return code
