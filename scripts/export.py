"""``bitlif export``: a network with its weights as a NIR file and a sidecar."""

from __future__ import annotations

import argparse
from pathlib import Path

from bitlif.model.config.network import any_hash, load_any_config
from bitlif.model.errors import BitlifError
from bitlif.model.files.weight_file import load_any_weights
from bitlif.model.text import path_text

from .console.output_files import OutputFile
from .console.terminal import SubParsers, add_command, add_json, console, print_json

TRAINED = "bitlif learn tiny --out tiny-run --epochs 1"


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "export",
        run,
        "write a layer or a network as NIR, for other frameworks",
        """
        Writes the real values of a layer or a network and its weights as a NIR file, which other
        frameworks of spiking networks read, and beside it a sidecar, FILE.bitlif.json, with the
        whole configuration. `bitlif import` reads such a pair back to the bit. docs/nir.md in the
        sources describes both.
        """,
        (
            f"{TRAINED} && bitlif export tiny --weights tiny-run/weights.npz -o tiny.nir",
            "bitlif export tiny --weights tiny-run/weights.npz -o slow.nir --dt 0.01 --json",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument("--weights", metavar="FILE", required=True, help="weights (.npz)")
    parser.add_argument("-o", "--out", metavar="FILE.nir", required=True, help="file to write")
    parser.add_argument(
        "--dt", type=float, default=1e-3, metavar="S", help="seconds per step (default: 0.001)"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write both files and report it."""
    path = Path(args.out)
    if path.suffix != ".nir":
        raise BitlifError(f"--out must end in .nir, not '{path_text(path)}'")
    from bitlif.trained.nir_export import nir_content, sidecar_content, sidecar_path

    config = load_any_config(args.config)
    inputs = {"CONFIG": args.config, "--weights": args.weights}
    with OutputFile(path, inputs) as made, OutputFile(sidecar_path(path), inputs) as beside:
        weights = load_any_weights(args.weights, config)
        content = nir_content(config, weights, dt=args.dt)
        sidecar = sidecar_content(config, dt=args.dt)
        made.write(lambda own: own.write_bytes(content))
        beside.write(lambda own: own.write_text(sidecar, "utf-8"))
    report = {
        "config": config.name, "hash": any_hash(config), "dt": args.dt,
        "written": [str(path), str(sidecar_path(path))],
    }  # fmt: skip
    if args.json:
        print_json(report)
    else:
        console().print(
            f"written to {path_text(path)} and {path_text(sidecar_path(path))}", markup=False
        )
    return 0
