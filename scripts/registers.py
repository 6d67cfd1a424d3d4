"""``bitlif registers``: the register map of a layer or a network behind a bus."""

from __future__ import annotations

import argparse
from pathlib import Path

from bitlif.hdl.bus.register_files import FORMATS
from bitlif.model.config.network import load_any_config
from bitlif.model.errors import BitlifError

from .console.output_files import OutputFile
from .console.terminal import SubParsers, add_command, console, print_document


def add_parser(subparsers: SubParsers) -> None:
    """Add the parser of the command."""
    parser = add_command(
        subparsers,
        "registers",
        run,
        "write the register map of a layer or a network behind a bus",
        """
        Write the register map as a document, a C header or a Python module. With a configuration,
        constants of its core are included: configuration hash, sizes, element widths.
        Networks have a map of their own, in which a register selects the layer.
        """,
        (
            "bitlif registers",
            "bitlif registers tiny --format c --out tiny.h",
            "bitlif registers digits --inference --format python > digits_registers.py",
            "bitlif registers digits-96 --format c --out digits-96.h",
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
    parser.add_argument(
        "--network", action="store_true", help="without CONFIG: the map of networks"
    )
    parser.add_argument("--out", metavar="FILE", help="file to write (default: standard output)")


def run(args: argparse.Namespace) -> int:
    """Write the register map."""
    if args.network and args.config:
        raise BitlifError("--network must not be given with CONFIG, which says what it is")
    config = load_any_config(args.config) if args.config else None
    text = FORMATS[args.format](config, learning=not args.inference, network=args.network)
    if args.out:
        with OutputFile(Path(args.out), {"CONFIG": args.config}) as out:
            out.write_text(text)
        console().print(f"written to {args.out}")
    else:
        print_document(text)
    return 0
