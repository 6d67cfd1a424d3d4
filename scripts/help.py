"""``bitlif help``: the help of a command."""

from __future__ import annotations

import argparse

from .console.terminal import SubParsers, add_command


def add_parser(subparsers: SubParsers) -> None:
    """Add the parser of the command."""
    parser = add_command(
        subparsers,
        "help",
        run,
        "show the help of a command",
        "Show the help of a command, or the list of commands. It is what --help prints.",
        ("bitlif help", "bitlif help learn", "bitlif help config show"),
    )
    parser.add_argument(
        "words", metavar="COMMAND", nargs="*", help="a command, and its subcommand if it has any"
    )


def run(args: argparse.Namespace) -> int:
    """Print the help."""
    from .main import build_parser

    build_parser(args.words[:1]).parse_args([*args.words, "--help"])
    return 0
