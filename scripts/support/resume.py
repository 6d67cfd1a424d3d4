"""What ``bitlif learn --resume`` goes on from: an earlier result folder of the same command."""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bitlif.model.counters import COUNTERS
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.storage.reading import read_text
from bitlif.model.text import path_text, quoted
from bitlif.tasks.learner import Learner

STATE = "state.npz"
REPORT = "report.json"

FLOAT_COUNTERS = ("synaptic_events",)
"""Of `COUNTERS`, what the float twin counts."""

MOST = (1 << 62) - 1
MOST_EPOCHS = 1_000_000
"""Of earlier calls together."""


@dataclass(frozen=True)
class Earlier:
    """What has been learned before this call.

    Attributes
    ----------
    epochs : int
    windows : int
    counters : dict of str to int
        Of all windows; empty if there were none.
    accuracies : list of float
        Of the test digits, by epoch.
    """

    epochs: int = 0
    windows: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    accuracies: list[float] = field(default_factory=list)


def data_hash(events: Events, targets: Any) -> str:
    """Return 16 hexadecimal digits that name spikes and targets."""
    made = hashlib.sha256()
    for array in (events.addresses, events.pointers, targets):
        made.update(array.tobytes())
    return made.hexdigest()[:16]


def save_state(folder: Path, layer: Learner) -> None:
    """Write what `resume` reads, if the layer can be set to it."""
    if isinstance(layer, (Layer, FloatLayer)):
        layer.save(folder / STATE)


def check_resume(args: argparse.Namespace, backend: str) -> None:
    """Raise unless the arguments and the folder are such that a run can be resumed."""
    if args.initial:
        raise BitlifError("--initial must be left out with --resume, which has its own weights")
    if backend not in ("model", "float"):
        raise BitlifError(
            f"--resume must go with --backend model or float, not {quoted(backend)}, which cannot "
            f"be set to a state"
        )
    if not (Path(args.out) / STATE).is_file():
        raise BitlifError(
            f"--resume needs an earlier run on the model or the float twin in --out, and "
            f"'{path_text(args.out)}' holds no {STATE}"
        )


def resume(
    args: argparse.Namespace, layer: Learner, backend: str, data: str, per_epoch: int
) -> Earlier:
    """Set the layer to where the earlier run stopped; return what that run had done.

    Parameters
    ----------
    args : Namespace
    layer : Layer or FloatLayer
    backend : str
    data : str
        ``"digits"``, ``"teacher"``, or the `data_hash` of files.
    per_epoch : int
        Windows of an epoch.

    Raises
    ------
    BitlifError
        If the earlier run had another seed, backend, configuration or other data, or a file of the
        folder is damaged.
    """
    assert isinstance(layer, (Layer, FloatLayer))
    path = Path(args.out) / REPORT
    report = _Report(path)
    asked = {"backend": backend, "seed": args.seed}
    found = {"backend": report.get("backend"), "seed": report.integer("seed", MOST)}
    for name in asked:
        if found[name] != asked[name]:
            raise BitlifError(
                f"--{name} must be {quoted(found[name])}, as in '{path_text(path)}', "
                f"not {quoted(asked[name])}"
            )
    told = report.content.get("data_hash", report.content.get("data"))
    if told != data:
        raise BitlifError(
            f"the data must be those of '{path_text(path)}', {quoted(told)}, not {quoted(data)}"
        )
    windows = report.integer("windows", MOST)
    epochs = report.integer("epochs", MOST_EPOCHS) if data != "teacher" else windows
    counted = COUNTERS if isinstance(layer, Layer) else FLOAT_COUNTERS
    counters = {name: report.integer(name, MOST) for name in counted}
    accuracies = report.shares("test_accuracy_by_epoch", epochs) if data == "digits" else []
    layer.resume(Path(args.out) / STATE)
    if not layer.windows_learned == windows == epochs * per_epoch:
        raise BitlifError(
            f"report '{path_text(path)}' must tell of the {layer.windows_learned} windows of "
            f"{STATE}, not of {windows} in {epochs} epochs"
        )
    return Earlier(epochs, windows, counters, accuracies)


class _Report:
    """An earlier report, which anybody may have changed."""

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

    def shares(self, name: str, count: int) -> list[float]:
        values = self.get(name)
        if (
            not isinstance(values, list)
            or len(values) != count
            or not all(type(own) in (int, float) and 0.0 <= own <= 1.0 for own in values)
        ):
            raise BitlifError(f"{name} in report '{self._name}' must be {count} numbers in 0 ..= 1")
        return [float(own) for own in values]
