"""The network, the spikes and the labels that commands on NIR files read."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitlif.model.config.network import NetworkConfig
    from bitlif.model.events import Events
    from bitlif.trained.nir_graph import RealNetwork

SPIKES = "spikes.npz"
"""File of ``--data`` with the inputs that spike in every step."""


def add_time(parser: argparse.ArgumentParser) -> None:
    """Add ``--dt``, ``--gain`` and ``--reset``, which NIR leaves open."""
    parser.add_argument("--dt", type=float, metavar="S", help="seconds per step")
    parser.add_argument(
        "--gain", choices=("nir", "jump"), help="what a spike adds; see docs/nir.md"
    )
    parser.add_argument(
        "--reset", choices=("free", "subtract"), default="free",
        help="what a spike does to its membrane: set it to 0, or subtract the threshold "
        "(default: free)",
    )  # fmt: skip


def read_network(args: argparse.Namespace) -> RealNetwork:
    """Return the network of the NIR file."""
    from bitlif.trained.nir_graph import read_graph, read_layers

    return read_layers(read_graph(args.file), dt=args.dt, gain=args.gain, reset=args.reset)


def name_of(path: str) -> str:
    """Return a configuration's name for a file."""
    name = Path(path).stem[:40]
    return name if name and name.isprintable() else "imported"


def load_spikes(path: str, real: RealNetwork, duplicates: str, steps: int | None = None) -> Events:
    """Return the windows of a file of spikes."""
    from bitlif.model.files.event_file import load_events

    units = real.layers[0].weights.shape[0]
    return load_events(path, steps=steps or 0, units=units, duplicates=duplicates)


def load_codes(path: str, events: Events, real: RealNetwork) -> Any:
    """Return the neuron of each window's class, from a file of labels."""
    from bitlif.tasks.label_file import load_labels

    codes, _ = load_labels(path, events.windows).neurons(real.layers[-1].weights.shape[1])
    return codes


def always_on(real: RealNetwork, config: NetworkConfig) -> dict[str, list[int]]:
    """Return what an import has added for biases: the inputs, and the neurons of each layer."""
    from bitlif.trained.always_on import always_on_inputs, always_on_neurons

    first = real.layers[0].weights.shape[0]
    return {
        "inputs": list(range(first, first + always_on_inputs(first, config))),
        "neurons": always_on_neurons(config, [own.weights.shape[1] for own in real.layers]),
    }


def always_on_note(added: dict[str, list[int]], spikes: str | None = SPIKES) -> list[str]:
    """Return what a user must know of the inputs that were added, if there are any.

    >>> always_on_note({"inputs": [40, 41], "neurons": [1, 0]})
    ['biases: inputs 40, 41 must spike in every step, as in spikes.npz']
    """
    if not added["inputs"]:
        return []
    several, shown = len(added["inputs"]) > 1, ", ".join(map(str, added["inputs"]))
    where = f", as in {spikes}" if spikes else ""
    return [f"biases: input{'s' * several} {shown} must spike in every step{where}"]


def save_with_always_on(folder: Path, events: Events, config: NetworkConfig) -> None:
    """Write the spikes of ``--data`` with those that an import has added, if there are any."""
    from bitlif.model.files.event_file import save_events
    from bitlif.trained.always_on import always_on_inputs, with_always_on

    if always_on_inputs(events.units, config):
        save_events(folder / SPIKES, with_always_on(events, config))
