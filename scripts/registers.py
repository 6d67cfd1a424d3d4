"""``bitlif registers``: the register map of a layer behind a bus."""

from __future__ import annotations

import argparse
from pathlib import Path

from bitlif.hdl.bus.register_files import FORMATS

from .console.configuration import load_layer
from .console.output_files import OutputFile
from .console.terminal import SubParsers, add_command, console, print_document


def add_parser(subparsers: SubParsers) -> None:
    """Add the parser of the command."""
    parser = add_command(
        subparsers,
        "registers",
        run,
        "write the register map of a layer behind a bus",
        """
        Write the register map as a document, a C header or a Python module. With a configuration,
        constants of its core are included: configuration hash, sizes, element widths.
        """,
        (
            "bitlif registers",
            "bitlif registers tiny --format c --out tiny.h",
            "bitlif registers digits --inference --format python > digits_registers.py",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="TOML file or ready-made name")
    parser.add_argument(
        "--format",
        choices=tuple(FORMATS),
        default="markdown",
        help="output format (default: markdown)",
    )
    parser.add_argument(
        "--inference", action="store_true", help="omit the registers of the learning hardware"
    )
    parser.add_argument("--out", metavar="FILE", help="file to write (default: standard output)")


def run(args: argparse.Namespace) -> int:
    """Write the register map."""
    config = load_layer(args.config) if args.config else None
    text = FORMATS[args.format](config, learning=not args.inference)
    if args.out:
        with OutputFile(Path(args.out), {"CONFIG": args.config}) as out:
            out.write_text(text)
        console().print(f"written to {args.out}")
    else:
        print_document(text)
    return 0
