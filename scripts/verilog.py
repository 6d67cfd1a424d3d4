"""``bitlif verilog``: the layer core of a configuration as one SystemVerilog file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bitlif.model.config import Config

from .terminal import SubParsers, add_command, require_gates


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "verilog",
        run,
        "write the layer core in SystemVerilog",
        """
        Write the layer core of a configuration as one SystemVerilog file: ports explained in the
        header, memories with their contents. It is what `bitlif verify` runs.
        """,
        ("bitlif verilog tiny --out tiny.sv", "bitlif verilog digits --inference > digits.sv"),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument("--out", metavar="FILE", help="file to write (default: standard output)")
    parser.add_argument("--inference", action="store_true", help="without learning hardware")


def run(args: argparse.Namespace) -> int:
    """Write the core."""
    config = Config.load(args.config)
    require_gates()
    from bitlif.hdl.verilog import core_verilog

    text = core_verilog(config, learning=not args.inference)
    if args.out:
        Path(args.out).write_text(text, "utf-8")
        print(f"written to {args.out}")
    else:
        sys.stdout.write(text)
    return 0
