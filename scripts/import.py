"""``bitlif import``: a network of another framework from a NIR file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from bitlif.model.config.network import NetworkConfig, any_hash
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.files.weight_file import save_any_weights
from bitlif.model.text import path_text

from .console.output_files import OutputFolder, require_place
from .console.terminal import (
    SubParsers,
    add_command,
    add_duplicates,
    add_json,
    console,
    print_json,
    result_table,
)
from .export import TRAINED
from .support.nir_source import (
    SPIKES,
    add_time,
    always_on,
    always_on_note,
    load_codes,
    load_spikes,
    name_of,
    read_network,
    save_with_always_on,
)

KIND = "import"

PAIR = f"{TRAINED} && bitlif export tiny --weights tiny-run/weights.npz -o tiny.nir"


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "import",
        run,
        "make a configuration and weights of a network in NIR",
        """
        Reads a chain of Linear or Affine and CubaLIF, LIF or IF nodes from a NIR file, chooses
        formats from the weights and, with --data, from the ranges that its spikes reach, and writes
        DIR with config.toml, weights.npz and report.json. Biases become the weights of inputs that
        must spike in every step; DIR/spikes.npz is --data with these. With --data, the report has
        the spikes that differ from the network in real numbers, and the first of them; with
        --labels, the accuracy before and after, too. A file that `bitlif export` wrote comes back
        to the bit by its sidecar. docs/nir.md in the sources says what is refused.
        """,
        (
            f"{PAIR} && bitlif import tiny.nir --out again",
            "bitlif import tiny.nir --no-sidecar --data tiny-run/spikes.npz --out imported --json",
        ),
    )
    parser.add_argument("file", metavar="FILE.nir", help="NIR file")
    parser.add_argument("-o", "--out", metavar="DIR", required=True, help="folder to write")
    parser.add_argument("--no-sidecar", action="store_true", help="ignore the sidecar")
    add_time(parser)
    parser.add_argument("--steps", type=int, metavar="T", help="steps of a window (default: 64)")
    parser.add_argument("--weight-bits", type=int, default=8, help="bits of a weight (default: 8)")
    parser.add_argument(
        "--state-bits", type=int, default=16, help="bits of currents and membranes (default: 16)"
    )
    parser.add_argument(
        "--sigma", type=float, default=0.0, help="noise, in thresholds (default: 0, none)"
    )
    parser.add_argument(
        "--data", metavar="FILE", help="spikes (.npz) that the network is used with"
    )
    add_duplicates(parser)
    parser.add_argument("--labels", metavar="FILE", help="true classes of the windows of --data")
    parser.add_argument(
        "--check", action="store_true", help="exit with status 1 if a spike of --data differs"
    )
    parser.add_argument("--force", action="store_true", help="replace an earlier import")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Import the network, write the folder and report what was done."""
    for name in ("labels", "check"):
        if getattr(args, name) and args.data is None:
            raise BitlifError(f"--{name} needs --data")
    if args.steps is not None:
        require_int("--steps", args.steps, 1, 1 << 16)
    require_place("--out", Path(args.out), KIND, force=args.force)
    from bitlif.trained.nir_export import load_pair, sidecar_path

    with OutputFolder(Path(args.out), KIND, force=args.force) as out:
        if not args.no_sidecar and sidecar_path(args.file).exists():
            if args.data is not None:
                raise BitlifError("--data needs --no-sidecar: formats are those of the sidecar")
            config, weights = load_pair(args.file)
            report: dict[str, Any] = {"source": "sidecar"}
            events = None
        else:
            config, weights, report, events = _imported(args)
        report = {"config": config.name, "hash": any_hash(config), **report}

        def fill(folder: Path) -> None:
            config.save(folder / "config.toml")
            save_any_weights(folder / "weights.npz", weights, config)
            if events is not None and isinstance(config, NetworkConfig):
                save_with_always_on(folder, events, config)
            text = json.dumps(report, indent=1, allow_nan=False)
            (folder / "report.json").write_text(text + "\n", "utf-8")

        out.write(fill)
    if args.json:
        print_json({**report, "written": args.out})
    else:
        _show(report, args.out)
    differ = sum(own.get("spikes_that_differ", 0) for own in report.get("layers", ()))
    return 1 if args.check and differ else 0


def _imported(args: argparse.Namespace) -> tuple[Any, Any, dict[str, Any], Any]:
    """Return configuration, weights, report and --data of a NIR file without its sidecar."""
    from bitlif.trained.nir_compare import compare, ranges_of, run_real
    from bitlif.trained.nir_formats import quantised

    real = read_network(args)
    events, labels = None, None
    if args.data is not None:
        events = load_spikes(args.data, real, args.duplicates, args.steps)
        labels = None if args.labels is None else load_codes(args.labels, events, real)
    runs = None if events is None else run_real(real, events)
    steps = args.steps or (64 if events is None else events.steps)
    config, weights = quantised(
        real, steps=steps, weight_bits=args.weight_bits, state_bits=args.state_bits,
        sigma=args.sigma, ranges=None if runs is None else ranges_of(runs),
        name=name_of(args.file),
    )  # fmt: skip
    report: dict[str, Any] = {
        "source": "nir", "dt": real.dt, "gain": real.gain,
        "reset": real.layers[0].reset, "notes": list(real.notes),
        "always_on": always_on(real, config),
        "layers": list(map(_formats, config.layers, real.layers)),
    }  # fmt: skip
    if runs is not None:
        assert events is not None
        found = compare(config, weights, runs, events, labels)
        for own, more in zip(report["layers"], found.pop("layers"), strict=True):
            own |= more
        report |= found
    return config, weights, report, events


def _formats(own: Any, layer: Any) -> dict[str, Any]:
    """Return what was chosen for a layer."""
    config = own.config
    return {
        "neurons": layer.name, "weight": str(config.synapse.weight),
        "current_format": str(config.synapse.current),
        "membrane_format": str(config.membrane.format), "folded": list(layer.folded),
        "largest_weight": float(abs(layer.weights).max()),
        "largest_bias": 0.0 if layer.bias is None else float(abs(layer.bias).max()),
    }  # fmt: skip


def _show(report: dict[str, Any], out: str) -> None:
    screen = console()
    for note in report.get("notes", ()):
        screen.print(note, markup=False)
    if "always_on" in report:
        spikes = SPIKES if "first_difference" in report else None
        for note in always_on_note(report["always_on"], spikes):
            screen.print(note)
    if "layers" in report:
        keys = ("weight", "current_format", "membrane_format", "spikes", "spikes_that_differ")
        rows = [
            (own["neurons"], *(str(own.get(key, "")) for key in keys)) for own in report["layers"]
        ]
        titles = ("neurons", "weight", "current", "membrane", "spikes", "that differ")
        screen.print(result_table("layers", titles, rows))
    if first := report.get("first_difference"):
        screen.print(
            "first difference: layer {layer}, window {window}, step {step}, neuron {neuron}: "
            "membrane {membrane:.6g}, in integers {membrane_in_integers:.6g}".format(**first)
        )
    if accuracy := report.get("accuracy"):
        screen.print(
            f"accuracy {100 * accuracy['before']:.2f} %, "
            f"in integers {100 * accuracy['after']:.2f} %"
        )
    screen.print(f"written to {path_text(out)}", markup=False)
