"""Training and evaluation of a layer on a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer
from bitlif.model.errors import BitlifError, BitlifTypeError, require_int
from bitlif.model.text import quoted

from .learner import Learner, as_learner, targets_for
from .readouts import Readout, readout
from .registry import get
from .task import Epoch, Examples, Task, check_examples, run_test

if TYPE_CHECKING:
    from collections.abc import Iterator

CALL_WINDOWS = 20
"""Repetitions of a single window that are learned in one call."""


def train(
    core: Any,
    task: Task | str,
    *,
    epochs: int | None = None,
    seed: int = 0,
    progress: Callable[[Epoch], Any] | None = None,
    examples: Examples | None = None,
    probe: Any = None,
    first: int = 0,
) -> list[Epoch]:
    """Train a core on a task, and test it after each epoch.

    Parameters
    ----------
    core : Core
        From `bitlif.open`, or a bare engine.
    task : Task or str
    epochs : int or None
        Passes over the training windows; None: the task's default.
    seed : int
        Seed of the examples and of their order.
    progress : callable or None
        Called with each `Epoch`.
    examples : Examples or None
        None: ``task.load(config, seed)`` with the `task_config` of the core.
    probe : Core or None
        Core to test with, into which the weights are loaded; None: ``core.fresh()``. `core` itself
        is not used for testing, because that would advance its LFSRs.
    first : int
        Epochs learned earlier; the order of the windows continues from there.

    Returns
    -------
    list of Epoch

    Raises
    ------
    BitlifError
        If the task is unknown, the core does not fit it, an argument is out of range, or the labels
        of the examples are not neurons of the core.

    Examples
    --------
    >>> from bitlif.model.config.config import Config
    >>> from bitlif.model.layer import Layer
    >>> history = train(Layer(Config.load("tiny")), "teacher", epochs=40)
    >>> [epoch.number for epoch in history]
    [20, 40]
    """
    task, core = get(task), as_learner(core)
    epochs = require_int("epochs", task.epochs if epochs is None else epochs, 1, 1 << 30)
    first = require_int("first", first, 0, 1 << 30)
    if progress is not None and not callable(progress):
        raise BitlifTypeError(f"progress must be callable or None, not {quoted(progress)}")
    config = task_config(task, core.config)
    examples = checked_examples(task, config, seed, examples)
    targets = targets_for(core, task.targets(examples, config.layer.neurons))
    labels, windows = examples.train_labels, examples.train.windows
    if len(targets) != windows:
        raise BitlifError(f"targets must be those of {windows} windows, not of {len(targets)}")
    tested = (
        as_learner(probe if probe is not None else core.fresh()) if labels is not None else core
    )
    read = readout(task.readout)
    shown = read.records(core) if labels is not None else ()
    at_once = CALL_WINDOWS if labels is None and windows == 1 else 1
    history = []
    order, number = [], first
    for number, one in enumerate(orders(windows, epochs, seed, first=first), first + 1):
        order.append(one)
        if len(order) < at_once and number < first + epochs:
            continue
        chosen = np.concatenate(order)
        order = []
        result = core.learn(examples.train.select(chosen), targets[chosen], record=shown)
        right = test = float("nan")
        if labels is not None:
            right = float((read.classify(result) == labels[chosen]).mean())
            test = _accuracy(core, tested, examples, read)
        spikes = float(result.counts.sum() / chosen.size)
        history.append(Epoch(number, right, test, spikes, result.counters))
        if progress is not None:
            progress(history[-1])
    return history


def orders(windows: int, epochs: int, seed: int, *, first: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield the order of the training windows in each epoch, starting after `first` epochs."""
    random = order_source(seed)
    for number in range(first + epochs):
        order = random.permutation(windows)
        if number >= first:
            yield order


def order_source(seed: int) -> np.random.Generator:
    """Return the generator whose permutations are the orders of the windows."""
    return np.random.default_rng([seed, 0x02DE2])


def total_counters(history: list[Epoch]) -> dict[str, int]:
    """Return the sums of the counters of all epochs."""
    return {name: sum(epoch.counters[name] for epoch in history) for name in history[0].counters}


def predict(
    core: Any, task: Task | str, *, seed: int = 0, examples: Examples | None = None,
    probe: Any = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """Return the predicted and the true class of each test window: two (W,) int64.

    Parameters are those of `train`. A probe runs with the core's weights; the core's state does not
    change.
    """
    task, core = get(task), as_learner(core)
    examples = checked_examples(task, task_config(task, core.config), seed, examples)
    if examples.test_labels is None:
        raise BitlifError(f"task '{task.name}' must have labels to be classified, not only targets")
    probe, read = as_learner(core.fresh() if probe is None else probe), readout(task.readout)
    return read.classify(run_test(core, probe, examples, read)), examples.test_labels


def accuracy(core: Any, task: Task | str, **options: Any) -> float:
    """Return the share of test windows that are classified correctly; options as for `predict`."""
    predicted, true = predict(core, task, **options)
    return float((predicted == true).mean())


def confusion(core: Any, task: Task | str, **options: Any) -> NDArray[np.int64]:
    """Return the confusion matrix of the test windows: (true class, predicted class) int64.

    Options are those of `predict`.
    """
    predicted, true = predict(core, task, **options)
    classes = outer(as_learner(core).config).layer.neurons
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (true, predicted), 1)
    return matrix


def evaluate(
    core: Any, task: Task | str, history: list[Epoch], *, seed: int = 0,
    examples: Examples | None = None, probe: Any = None,
) -> dict[str, float]:  # fmt: skip
    """Return all measures of a trained core by name: `Task.measure`."""
    task, core = get(task), as_learner(core)
    examples = checked_examples(task, task_config(task, core.config), seed, examples)
    probe = as_learner(core.fresh() if probe is None else probe)
    return task.measure(core, probe, examples, history)


def task_config(task: Task, config: Config | NetworkConfig) -> Config:
    """Return the configuration that a task is asked with: that of a layer, or a network's `outer`.

    Raises
    ------
    BitlifError
        If the task is one for single layers, and this is a network.
    """
    if isinstance(config, NetworkConfig) and not task.networks:
        raise BitlifError(f"task '{task.name}' must be learned by a single layer, not by a network")
    return outer(config)


def checked_examples(
    task: Task, config: Config, seed: int, examples: Examples | None = None
) -> Examples:
    """Return the examples of a task, loaded unless given, or raise if they do not fit a layer."""
    task.check(config)
    return check_examples(task, task.load(config, seed) if examples is None else examples, config)


def _accuracy(core: Learner, probe: Learner, examples: Examples, read: Readout) -> float:
    classes = read.classify(run_test(core, probe, examples, read))
    return float((classes == examples.test_labels).mean())
