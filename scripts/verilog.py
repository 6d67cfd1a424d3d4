"""``bitlif verilog``: the layer of a configuration as one SystemVerilog file."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bitlif.model.files.weight_file import load_weights

from .console.configuration import load_layer
from .console.output_files import OutputFile
from .console.terminal import SubParsers, add_command, console, print_document, require_gates


def add_parser(subparsers: SubParsers) -> None:
    """Add the parser of the command."""
    parser = add_command(
        subparsers,
        "verilog",
        run,
        "write the layer in SystemVerilog",
        """
        Write the layer core of a configuration as one SystemVerilog file. Its header documents the
        ports, and memories are initialised in the file. `bitlif verify` simulates the same text. It
        passes the lint of Verilator with -Wall; each waiver states its reason. With --bus axi,
        the core is accessed by AXI4-Lite registers (see `bitlif registers`) and AXI4-Stream events.
        """,
        (
            "bitlif verilog tiny --out tiny.sv --memories tiny-memories",
            "bitlif verilog digits --inference > digits.sv",
            "bitlif verilog digits --weights out/demo/weights.npz --out digits.sv",
            "bitlif verilog tiny --bus axi --out tiny_axi.sv",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument("--out", metavar="FILE", help="file to write (default: standard output)")
    parser.add_argument("--weights", metavar="FILE", help="initial weights (default: zeros)")
    parser.add_argument(
        "--memories",
        metavar="DIR",
        help="also write the contents of the memories as files for $readmemh",
    )
    parser.add_argument("--inference", action="store_true", help="omit the learning hardware")
    parser.add_argument(
        "--bus", choices=("none", "axi"), default="none", help="bus interface (default: none)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the core, alone or with its bus interface."""
    config = load_layer(args.config)
    require_gates()
    from bitlif.hdl.export.verilog import axi_verilog, core_name, core_verilog
    from bitlif.hdl.memories import memory_files

    sizes, learning = config.layer, not args.inference
    weights = np.zeros((sizes.inputs, sizes.neurons), np.int64)
    if args.weights:
        weights = np.asarray(load_weights(args.weights, config), np.int64)
    convert = {"none": core_verilog, "axi": axi_verilog}[args.bus]
    inputs = {"CONFIG": args.config, "--weights": args.weights}
    with ExitStack() as stack:
        # Every file is opened before the first is written.
        out = stack.enter_context(OutputFile(Path(args.out), inputs)) if args.out else None
        texts = memory_files(config, weights, learning=learning) if args.memories else {}
        files = {
            stack.enter_context(
                OutputFile(
                    Path(args.memories, f"{core_name(config)}_{name}.hex"), inputs,
                    parents=True, what="a file of --memories",
                )
            ): rows
            for name, rows in texts.items()
        }  # fmt: skip
        text = convert(config, learning=learning, weights=weights if args.weights else None)
        for file, rows in files.items():
            file.write_text(rows)
        if out is None:
            print_document(text)
        else:
            out.write_text(text)
            console().print(f"written to {args.out}")
    return 0
