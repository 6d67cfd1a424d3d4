"""The earlier result folder that ``bitlif learn --resume`` continues."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.counters import COUNTERS
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.events import Events
from bitlif.model.storage.reading import read_text
from bitlif.model.text import path_text, quoted
from bitlif.sim.backends.core import Core
from bitlif.sim.backends.modelled import Modelled
from bitlif.sim.backends.network_core import NetworkCore
from bitlif.sim.backends.network_kept import KeptNetworkCore
from bitlif.sim.backends.network_result import NETWORK_COUNTERS
from bitlif.tasks.task import Epoch

STATE = "state.npz"
REPORT = "report.json"

FLOAT_COUNTERS = ("synaptic_events",)
"""Counters that a report of the float twin has."""

MOST = (1 << 62) - 1
MOST_EPOCHS = 1_000_000
"""Maximum epochs of all earlier calls."""


@dataclass(frozen=True)
class Earlier:
    """What earlier calls learned.

    Attributes
    ----------
    epochs : int
    windows : int
    counters : dict of str to int
        Sums over all windows; empty if there were none.
    history : list of Epoch
        Epochs of a run with labels; their spikes and counters are unknown.
    """

    epochs: int = 0
    windows: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    history: list[Epoch] = field(default_factory=list)


def data_hash(events: Events, targets: Any) -> str:
    """Return a hash of spikes and targets: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for array in (events.addresses, events.pointers, targets):
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def counters_of(backend: str, config: Config | NetworkConfig) -> tuple[str, ...]:
    """Return the names of the counters that a report of this backend has."""
    if backend == "float":
        return FLOAT_COUNTERS
    return NETWORK_COUNTERS if isinstance(config, NetworkConfig) else COUNTERS


def save_state(folder: Path, core: Core) -> None:
    """Write the file that `resume` reads, if the core is a model."""
    if isinstance(core, Modelled):
        core.save_layer(folder / STATE)
    elif isinstance(core, KeptNetworkCore):
        core.save(folder / STATE)


def check_resume(args: argparse.Namespace, backend: str) -> None:
    """Raise unless the arguments and the folder allow a run to be resumed."""
    if args.initial:
        raise BitlifError(
            "--initial cannot be used with --resume, which continues with the weights in --out"
        )
    if backend not in ("model", "float"):
        raise BitlifError(
            f"--resume needs --backend model or float, not {quoted(backend)}: the state of gates "
            f"cannot be restored"
        )
    if not (Path(args.out) / STATE).is_file():
        raise BitlifError(
            f"--resume needs an earlier run on the model or the float twin in --out, and "
            f"'{path_text(args.out)}' has no {STATE}"
        )


def resume(
    args: argparse.Namespace,
    core: Core,
    data: str,
    per_epoch: int,
    *,
    length: str = "epochs",
    tested: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Earlier:
    """Restore the state at the end of the earlier run, and return what it had learned.

    Parameters
    ----------
    args : Namespace
    core : Core
        Of the backend model or float.
    data : str
        Name of the task, or the `data_hash` of files.
    per_epoch : int
        Windows of an epoch.
    length : str
        Field of the report that counts epochs.
    tested : bool
        Whether the report has the accuracies of each epoch.
    options : mapping or None
        Further options that must be those of the earlier run, by the names of their entries in the
        report.

    Raises
    ------
    BitlifError
        If the earlier run had another seed, backend, configuration or other data, or a file in the
        folder is damaged.
    """
    path = Path(args.out) / REPORT
    report = _Report(path)
    options = options or {}
    asked = {"backend": core.backend, "seed": args.seed, **options}
    found = {"backend": report.get("backend"), "seed": report.integer("seed", MOST)}
    found |= {name: report.get(name) for name in options}
    for name in asked:
        if found[name] != asked[name]:
            raise BitlifError(
                f"--{name} must be {quoted(found[name])}, as in '{path_text(path)}', "
                f"not {quoted(asked[name])}"
            )
    earlier = report.content.get("data_hash", report.content.get("data"))
    if earlier != data:
        raise BitlifError(
            f"the data must be {quoted(earlier)}, as in '{path_text(path)}', not {quoted(data)}"
        )
    windows = report.integer("windows", MOST)
    epochs = report.integer("epochs", MOST_EPOCHS) if length == "epochs" else windows
    counters = {name: report.integer(name, MOST) for name in counters_of(core.backend, core.config)}
    history = report.history(epochs) if tested else []
    if isinstance(core, NetworkCore):
        core.resume(Path(args.out) / STATE)
    else:
        assert isinstance(core, Modelled)
        core.resume_layer(Path(args.out) / STATE)
    if not core.windows_learned() == windows == epochs * per_epoch:
        raise BitlifError(
            f"windows in report '{path_text(path)}' must be {core.windows_learned()}, as in "
            f"{STATE}, not {windows} in {epochs} epochs"
        )
    return Earlier(epochs, windows, counters, history)


class _Report:
    """An earlier report, which may have been edited."""

    def __init__(self, path: Path) -> None:
        self._name = path_text(path)
        try:
            content = json.loads(read_text("report", path))
        except (ValueError, RecursionError) as error:
            if isinstance(error, BitlifError):
                raise
            raise BitlifError(f"report '{self._name}' must be JSON") from error
        if not isinstance(content, dict):
            raise BitlifError(f"report '{self._name}' must be a JSON object")
        self.content: dict[str, Any] = content

    def get(self, name: str) -> Any:
        if name not in self.content:
            raise BitlifError(f"report '{self._name}' must have {name}")
        return self.content[name]

    def integer(self, name: str, most: int) -> int:
        value = self.get(name)
        try:
            return require_int(name, value, 0, most)
        except BitlifError as error:
            raise type(error)(f"report '{self._name}': {error}") from error

    def history(self, epochs: int) -> list[Epoch]:
        tests, trains = (
            self.shares(f"{part}_accuracy_by_epoch", epochs) for part in ("test", "train")
        )
        return [
            Epoch(number, train, test, math.nan, {})
            for number, (train, test) in enumerate(zip(trains, tests, strict=True), 1)
        ]

    def shares(self, name: str, count: int) -> list[float]:
        values = self.get(name)
        if (
            not isinstance(values, list)
            or len(values) != count
            or not all(type(value) in (int, float) and 0.0 <= value <= 1.0 for value in values)
        ):
            raise BitlifError(f"{name} in report '{self._name}' must be {count} numbers in 0 ..= 1")
        return [float(value) for value in values]
