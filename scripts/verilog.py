"""``bitlif verilog``: a layer or a network as one SystemVerilog file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bitlif.model.checks import check_initial_weights
from bitlif.model.config.network import NetworkConfig, load_any_config
from bitlif.model.errors import BitlifError
from bitlif.model.files.weight_file import load_weights

from .console.output_files import OutputFile
from .console.terminal import (
    SubParsers,
    add_command,
    console,
    print_document,
    progress_bars,
    require_gates,
)
from .support.learnable import warn_unless_learnable

if TYPE_CHECKING:
    from bitlif.hdl.export.convert import Progress


def add_parser(subparsers: SubParsers) -> None:
    """Add the parser of the command."""
    parser = add_command(
        subparsers,
        "verilog",
        run,
        "write a layer or a network in SystemVerilog",
        """
        Write the layer core of a configuration as one SystemVerilog file. Its header documents the
        ports. `bitlif verify` simulates the same text. It passes the lint of Verilator with -Wall;
        each waiver states its reason. With --bus axi, the core is accessed by AXI4-Lite registers
        (see `bitlif registers`) and AXI4-Stream events.

        The error table and the schedule are in the file. Initial weights are written beside it,
        for $readmemh: run your tool where it finds them, or define the macro named in the header.
        A host loads the weights of a network: --weights and --memories are for layers.
        """,
        (
            "bitlif verilog tiny --out tiny.sv --memories tiny-memories",
            "bitlif verilog digits --inference > digits.sv",
            "bitlif verilog digits --weights out/demo/weights.npz --out digits.sv",
            "bitlif verilog tiny --bus axi --out tiny_axi.sv",
            "bitlif verilog digits-96 --bus axi --out digits_96_axi.sv",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument("--out", metavar="FILE", help="file to write (default: standard output)")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="initial weights; needs --out or --memories (default: none, a host loads them)",
    )
    parser.add_argument(
        "--memories",
        metavar="DIR",
        help="write the contents of all memories as files for $readmemh, in this folder",
    )
    parser.add_argument("--inference", action="store_true", help="omit the learning hardware")
    parser.add_argument(
        "--bus", choices=("none", "axi"), default="none", help="bus interface (default: none)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the core, alone or with its bus interface."""
    config = load_any_config(args.config)
    require_gates()
    if not args.inference:
        warn_unless_learnable(config)
    if isinstance(config, NetworkConfig):
        return write_network(config, args)
    from bitlif.hdl.export.verilog import axi_verilog, core_name, core_verilog
    from bitlif.hdl.memories import memory_files, memory_names

    sizes, learning, name = config.layer, not args.inference, core_name(config)
    weights = np.zeros((sizes.inputs, sizes.neurons), np.int64)
    wanted: dict[str, Path] = {}
    if args.weights:
        if not args.out and not args.memories:
            raise BitlifError("--weights needs --out or --memories, where the weights are written")
        given = check_initial_weights(config, load_weights(args.weights, config))
        weights = np.asarray(given, np.int64)
        wanted["weights"] = Path(args.out or ".").with_name(f"{name}_weights.hex")
    if args.memories:
        names = memory_names(config, learning=learning)
        wanted = {own: Path(args.memories, f"{name}_{own}.hex") for own in names}
    convert = {"none": core_verilog, "axi": axi_verilog}[args.bus]
    inputs = {"CONFIG": args.config, "--weights": args.weights}
    what = "a file of --memories" if args.memories else "the file of weights beside --out"
    with ExitStack() as stack:
        # Every file is opened before the first is written.
        out = stack.enter_context(OutputFile(Path(args.out), inputs)) if args.out else None
        files = {
            own: stack.enter_context(
                OutputFile(path, inputs, parents=bool(args.memories), what=what)
            )
            for own, path in wanted.items()
        }
        with stages_shown() as progress:
            text = convert(
                config, learning=learning, progress=progress,
                weights_file=wanted["weights"].name if args.weights else None,
            )  # fmt: skip
            rows = memory_files(config, weights, learning=learning, names=tuple(files))
        for own, file in files.items():
            file.write_text(rows[own])
        write_text(text, out, args.out)
        if out is not None and args.weights:
            console().print(f"its weights are in {wanted['weights']}")
    return 0


@contextmanager
def stages_shown() -> Iterator[Progress]:
    """Show the stages of a conversion as a progress bar."""
    from bitlif.hdl.export.convert import STAGES

    with progress_bars() as bars:
        task = bars.add_task("", total=len(STAGES))
        yield lambda stage: bars.update(task, description=stage, completed=STAGES.index(stage))


def write_text(text: str, out: OutputFile | None, path: str | None) -> None:
    """Write the Verilog to its file, or to standard output."""
    if out is None:
        print_document(text)
        return
    out.write_text(text)
    console().print(f"written to {path}")


def write_network(config: NetworkConfig, args: argparse.Namespace) -> int:
    """Write a network, alone or with its bus interface; a host loads the weights."""
    from bitlif.hdl.export.network_verilog import network_axi_verilog, network_verilog

    for name, given in (("--weights", args.weights), ("--memories", args.memories)):
        if given:
            raise BitlifError(f"{name} must not be given with a network, whose host loads weights")
    convert = {"none": network_verilog, "axi": network_axi_verilog}[args.bus]
    with ExitStack() as stack:
        out = None
        if args.out:
            out = stack.enter_context(OutputFile(Path(args.out), {"CONFIG": args.config}))
        with stages_shown() as progress:
            text = convert(config, learning=not args.inference, progress=progress)
        write_text(text, out, args.out)
    return 0
