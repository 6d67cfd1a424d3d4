"""The result folder of ``bitlif learn``, and what is printed about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from bitlif.model.config.network import NetworkConfig
from bitlif.model.config.network_tree import dump_network
from bitlif.model.config.toml import dump_config
from bitlif.model.files.event_file import save_events
from bitlif.model.files.weight_file import save_any_weights
from bitlif.scripts.console.class_tables import class_tables
from bitlif.scripts.console.terminal import console, report_table
from bitlif.scripts.support.resume import save_state
from bitlif.sim.backends.core import Core

from .judged import LABELS, missing_pictures
from .layers import layer_table
from .outcome import Outcome

ENCODER = "encoder.json"


def fill_folder(folder: Path, core: Core, done: Outcome, report: dict[str, Any]) -> None:
    """Write all files of the result, and pictures of a classifier if Matplotlib is installed."""
    config: Any = core.config
    network = isinstance(config, NetworkConfig)
    weights: Any = core.weights()
    if core.backend == "float":
        arrays = {f"weights.{number}": own for number, own in enumerate(weights)}
        np.savez_compressed(
            folder / "float_weights.npz", **(arrays if network else {"weights": weights})
        )
    else:
        save_any_weights(folder / "weights.npz", weights, config)
    text = dump_network(config.to_dict()) if network else dump_config(config)
    (folder / "config.toml").write_text(text, "utf-8")
    save_events(folder / "spikes.npz", done.events)
    save_state(folder, core)
    if done.encoder is not None:
        _write_json(folder / ENCODER, done.encoder.to_json())
    if done.judged is not None:
        done.judged.save_labels(folder / LABELS)
        if not missing_pictures():
            done.judged.save_pictures(folder, core)
    _write_json(folder / "report.json", report)


def print_result(report: dict[str, Any], done: Outcome, folder: Path) -> None:
    """Print the report, the tables of a classifier, and where the files are."""
    screen = console()
    screen.print(report_table("learned", report))
    for table in class_tables(report):
        screen.print(table)
    if (layers := layer_table(report)) is not None:
        screen.print(layers)
    if done.judged is not None and (reason := missing_pictures()):
        screen.print(f"no pictures: {reason}")
    screen.print(f"written to {folder}")


def _write_json(path: Path, tree: dict[str, Any]) -> None:
    path.write_text(json.dumps(tree, indent=2) + "\n", "utf-8")
