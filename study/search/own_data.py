"""Tasks of a user's own data, which are identified by their content.

The name of such a task is ``"data@"`` and a SHA-256 of the arrays and of all options. It is part of
the key of every run, and the path of the file is not. Workers receive the data itself: each process
keeps what it received (`keep`) and finds it by the name of the task (`task_of`).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.tasks import registry
from bitlif.tasks.arrays import ArrayTask
from bitlif.tasks.data_file import Data
from bitlif.tasks.task import Task

PREFIX = "data@"
"""First characters of the name of a task of own data."""

MOST_KEPT = 16
"""Most tasks of own data that a process keeps."""


@dataclass(frozen=True, slots=True, eq=False)
class OwnData:
    """A task of own data, complete: it can be sent to another machine.

    Attributes
    ----------
    data : Data
        All windows with their labels; or the training windows, if `test` is `Data`.
    test : float or Data
        Share of the windows to test with, or the test windows.
    options : dict
        The other arguments of `bitlif.tasks.arrays.ArrayTask`, as JSON data.
    source : str
        Where the data came from, for readers. It does not affect results.
    digest : str
        SHA-256 of everything but the source, in hex.
    """

    data: Data
    test: float | Data
    options: dict[str, Any]
    source: str
    digest: str

    @classmethod
    def of(cls, task: ArrayTask, source: str) -> OwnData:
        """Return the data and options of a task."""
        options = {
            "encoder": task.encoder_name,
            "encoder_options": dict(task.encoder_options),
            "readout": task.readout,
            "true_target": task.true_target,
            "name": task.name,
        }
        return cls(task.data, task.test, options, source, _digest(task.data, task.test, options))

    @property
    def name(self) -> str:
        """Name of the task, by which `task_of` finds it."""
        return PREFIX + self.digest

    def digests(self) -> dict[str, str | None]:
        """Return the digests of the data and of separate test data."""
        test = self.test.digest if isinstance(self.test, Data) else None
        return {"data": self.data.digest, "test": test}

    def task(self) -> ArrayTask:
        """Return the task."""
        return ArrayTask(self.data, test=self.test, **self.options)

    def describe(self) -> dict[str, Any]:
        """Return the data and options for readers, as plain data."""
        labels = self.data.labels
        classes = [] if labels is None else np.unique(labels).tolist()
        return {
            "source": self.source,
            "digest": self.data.digest,
            "test": _test_digest(self.test),
            "kind": self.data.kind,
            "windows": self.data.windows,
            "features": len(self.data.names),
            "classes": classes,
            "options": self.options,
        }


def _test_digest(test: float | Data) -> float | str:
    return test.digest if isinstance(test, Data) else test


def _digest(data: Data, test: float | Data, options: dict[str, Any]) -> str:
    parts = {"data": data.digest, "test": _test_digest(test), "options": options}
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


_KEPT: OrderedDict[str, Task] = OrderedDict()


def keep(own: OwnData) -> str:
    """Keep own data in this process; return the name of the task.

    Raises
    ------
    BitlifError
        If the content does not have the digest.
    """
    if own.name not in _KEPT:
        if _digest(own.data, own.test, own.options) != own.digest:
            raise BitlifError("own data arrived with other content than was sent")
        _KEPT[own.name] = own.task()
        while len(_KEPT) > MOST_KEPT:
            _KEPT.popitem(last=False)
    return own.name


def task_of(name: str) -> Task:
    """Return the task with a name: of own data that this process keeps, or a registered one."""
    if not name.startswith(PREFIX):
        return registry.get(name)
    if name not in _KEPT:
        raise BitlifError(f"this process has not received the data of task '{name[:21]}'")
    return _KEPT[name]


def to_npz(data: Data) -> bytes:
    """Return data as the content of an ``.npz`` file that `load_data` reads."""
    arrays: dict[str, Any] = {"names": np.array(data.names, np.str_)}
    if isinstance(data.inputs, Events):
        events = data.inputs
        arrays |= {
            "addresses": events.addresses, "pointers": events.pointers,
            "steps": np.int64(events.steps), "units": np.int64(events.units),
        }  # fmt: skip
    else:
        arrays["X"] = data.inputs
    if data.labels is not None:
        arrays["y"] = data.labels
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()
