"""The task of a study file: a name, or a table ``[task]``.

A table names a registered task or a function of a module, or a file of data::

    [task]
    name = "digits"                # a registered task, or "module:function"

    [task]
    data = "wine.csv"              # .csv, .tsv or .npz beside the study file, or "sklearn:wine"
    labels = "y"                   # column or array of the labels
    test = 0.25                    # share to test with, or a file like `data`
    encoder = "rate"
    encoder_options = { max_rate = 0.5 }
    readout = "count"
    true_target = 0.5
    steps = 64                     # per window, for config = "auto"
    hidden = [24]                  # sizes of hidden layers, for config = "auto"

A function takes no arguments. It returns a `Task`, `Data`, or a pair of arrays (X, y); for the last
two, the options of the table apply as for a file. It is called where the study is started: data
(and those of an `ArrayTask`) travel to the workers. Another `Task` must be importable there.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from bitlif.model.errors import (
    BitlifError,
    BitlifTypeError,
    located,
    nearest_of,
    require_int,
)
from bitlif.model.events import Events
from bitlif.model.text import quoted, shortened, terminal_text
from bitlif.tasks import registry
from bitlif.tasks.arrays import ArrayTask
from bitlif.tasks.data_file import Data, load_data
from bitlif.tasks.samples import PREFIX
from bitlif.tasks.suit_config import suit_config
from bitlif.tasks.suit_network import hidden_sizes, suit_network
from bitlif.tasks.task import Task

from .axis import require_name
from .base import AnyConfig
from .own_data import OwnData, keep

ARGUMENTS = ("encoder", "encoder_options", "readout", "true_target")
"""Keys of a table that are arguments of `bitlif.tasks.arrays.ArrayTask`."""

OPTIONS = ("labels", "test", *ARGUMENTS, "steps", "hidden")
"""Keys of a table that only own data have."""

KEYS = ("name", "data", *OPTIONS)
TEST_SHARE = 0.25
STEPS, MOST_STEPS = 64, 1 << 20
"""Steps of a window for config = "auto", unless the table gives others; and their limit."""


@dataclass(frozen=True, slots=True, eq=False)
class StudyTask:
    """What a study learns.

    Attributes
    ----------
    name : str
        Name for `bitlif.study.search.own_data.task_of`.
    task : Task
    own : OwnData or None
        The data, unless the task is one that workers import.
    steps : int or None
        Steps of a window that the file asks for.
    hidden : tuple of int
        Sizes of the hidden layers that the file asks for.
    diagnosed : bool
        Whether the runs also measure chance; see `bitlif.study.search.metrics.DIAGNOSIS`.
    """

    name: str
    task: Task
    own: OwnData | None = None
    steps: int | None = None
    hidden: tuple[int, ...] = ()
    diagnosed: bool = False


def read_task(tree: object, folder: Path | None) -> StudyTask:
    """Return the task of a study file.

    Parameters
    ----------
    tree : str or dict
        Value of ``task``.
    folder : Path or None
        Folder that paths are relative to; None: the current folder.

    Raises
    ------
    BitlifError
        If a key or value is refused, or the data cannot be read.
    """
    if not isinstance(tree, dict):
        name = require_name("task", tree)
        return StudyTask(name, registry.get(name))
    for key in tree:
        if key not in KEYS:
            hint = nearest_of(shortened(key), KEYS) or f"; known are {', '.join(KEYS)}"
            raise BitlifError(f"task.{terminal_text(shortened(key))} is not a field{hint}")
    if ("name" in tree) == ("data" in tree):
        raise BitlifError(
            "[task] must have either name (a registered task or module:function) or data (a file)"
        )
    if "data" in tree:
        source = _source("data", tree["data"], folder)
        return _own(tree, load_data(source, _labels(tree)), folder, Path(source).name)
    name = require_name("task.name", tree["name"])
    made = _made(name)
    if isinstance(made, Data):
        return _own(tree, made, folder, name)
    for key in OPTIONS:
        if key in tree:
            raise BitlifError(
                f"task.{key} must be left out: '{name}' is a task, which has its own examples"
            )
    if _is_data(made):
        return _of_arrays(made, name)
    return StudyTask(name, made, diagnosed=True)


def _made(name: str) -> Task | Data:
    """Return a registered task, or what a function of a module returns."""
    module, colon, function = name.partition(":")
    if not colon:
        return registry.get(name)
    found = getattr(_imported(module, name), function, None)
    if isinstance(found, type) or not callable(found):
        return registry.get(name)
    try:
        made = found()
    # The function is the user's code: it can raise anything, and even exit.
    except (Exception, SystemExit) as error:
        reason = shortened(terminal_text(f"{type(error).__name__}: {error}"))
        raise BitlifError(f"task.name {quoted(name)} cannot be called: {reason}") from error
    if isinstance(made, tuple) and len(made) == 2:
        return Data.of(*made)
    if isinstance(made, Data):
        return made
    if isinstance(made, Task):
        return made if _is_data(made) else registry.get(name)
    raise BitlifTypeError(
        f"task.name {quoted(name)} must return a Task, Data, or a pair (X, y), not {quoted(made)}"
    )


def _is_data(task: Task) -> TypeGuard[ArrayTask]:
    """Return whether a task is nothing but data and options, which can travel."""
    return type(task) is ArrayTask and isinstance(task.readout, str)


def _imported(module: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit):
        # The registry raises with the reason.
        return registry.get(name)


def _own(tree: dict[str, Any], data: Data, folder: Path | None, source: str) -> StudyTask:
    """Return the task of data with the options of a table."""
    test = tree.get("test", TEST_SHARE)
    if isinstance(test, str):
        test = load_data(_source("test", test, folder), _labels(tree))
    arguments = {key: tree[key] for key in ARGUMENTS if key in tree}
    with located("task"):
        task = ArrayTask(data, test=test, **arguments)
    steps = None
    if "steps" in tree:
        steps = require_int("task.steps", tree["steps"], 1, MOST_STEPS)
    with located("task"):
        hidden = hidden_sizes(tree.get("hidden", ()))
    return _of_arrays(task, source, steps, hidden)


def _of_arrays(
    task: ArrayTask, source: str, steps: int | None = None, hidden: tuple[int, ...] = ()
) -> StudyTask:
    own = OwnData.of(task, source)
    return StudyTask(keep(own), task, own, steps, hidden, diagnosed=True)


def _labels(tree: dict[str, Any]) -> str | None:
    return None if "labels" not in tree else require_name("task.labels", tree["labels"])


def _source(key: str, value: object, folder: Path | None) -> str | Path:
    """Return the path of a data file, or the name of a sample as it is."""
    text = require_name(f"task.{key}", value)
    return text if folder is None or text.startswith(PREFIX) else folder / text


def suited(task: StudyTask, *, epochs: int, seed: int) -> AnyConfig:
    """Return the configuration that suits own data.

    `bitlif.tasks.suit_config` makes that of a layer, and `bitlif.tasks.suit_network` that of a
    network, if the task asks for hidden layers.

    Parameters
    ----------
    task : StudyTask
        Of own data.
    epochs : int
        Passes over the training windows.
    seed : int
        Seed that the training windows are drawn with.

    Raises
    ------
    BitlifError
        If the task has no own data, or the steps of a window contradict those of ready spikes.
    """
    learned = task.task
    if task.own is None or not isinstance(learned, ArrayTask):
        raise BitlifError("config = 'auto' needs own data: [task] with data")
    steps, inputs = task.steps or STEPS, task.own.data.inputs
    if isinstance(inputs, Events):
        if task.steps not in (None, inputs.steps):
            raise BitlifError(
                f"task.steps must be {inputs.steps}, as in the spikes, or left out, not {steps}"
            )
        steps = inputs.steps
    with located("task"):
        examples = learned.encoded(steps, seed)
    train, classes = examples.train, learned.classes.size
    if task.hidden:
        with located("task"):
            return suit_network(
                train, classes, hidden=task.hidden, epochs=epochs, name=learned.name
            )[0]
    return suit_config(train, classes, epochs=epochs, name=learned.name)[0]
