"""Base classes of tasks: examples to learn from, a readout and a score."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, BitlifTypeError
from bitlif.model.events import Events
from bitlif.model.result import Result
from bitlif.model.text import array_kind, quoted

from .independent import run_independent
from .labels import TRUE_TARGET, label_targets
from .learner import Learner, copy_weights
from .readouts import Readout, classify, readout

__all__ = [
    "Classification", "Epoch", "Examples", "Measure", "Task", "check_examples", "classify",
    "judged_by", "label_targets", "run_test",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """A quantity that a task measures after training.

    Attributes
    ----------
    name, title, unit : str
    direction : str
        ``"max"`` or ``"min"``: which is better.
    """

    name: str
    title: str
    unit: str = ""
    direction: str = "max"


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Training and test windows, with the class of each window or with targets.

    Attributes
    ----------
    train, test : Events
        (W windows), of the configuration's inputs and steps.
    train_labels, test_labels : (W,) int64 or None
        Class of each window: the number of the neuron that should spike most.
    train_targets : (W, M) or (W, T, M) float64 or None
        Targets in 0 ..= 1 of the training windows. None: `Task.targets` of the labels.
    detail : object
        Further data that the task's score needs.
    independent : bool
        Whether each test window is run from a reset, so that its answer does not depend on the
        other test windows. False: they are run one after another, and the LFSRs carry on.
    """

    train: Events
    test: Events
    train_labels: Any = None
    test_labels: Any = None
    train_targets: NDArray[np.float64] | None = None
    detail: Any = None
    independent: bool = False

    def head(self, count: int) -> Examples:
        """Return the first `count` windows of both sets."""

        def cut(array: Any) -> Any:
            return None if array is None else array[:count]

        return Examples(
            self.train.select(range(min(count, self.train.windows))),
            self.test.select(range(min(count, self.test.windows))),
            cut(self.train_labels),
            cut(self.test_labels),
            cut(self.train_targets),
            self.detail,
            self.independent,
        )


@dataclass(frozen=True, slots=True)
class Epoch:
    """The state of training after an epoch, or after several epochs of a single window.

    Attributes
    ----------
    number : int
        Epochs so far, counted from 1.
    train_accuracy : float
        Share of training windows classified correctly as they were learned; NaN without labels.
    test_accuracy : float
        Share of test windows classified correctly afterwards; NaN without labels.
    spikes : float
        Output spikes per training window.
    counters : dict of str to int
        Counters of the training windows since the previous `Epoch`.
    """

    number: int
    train_accuracy: float
    test_accuracy: float
    spikes: float
    counters: dict[str, int]


class Task(ABC):
    """A task that a layer, or a network, can learn.

    The configuration that methods take is that of a layer: of a network, its inputs and last layer
    (`bitlif.model.config.network.NetworkConfig.outer`). A subclass gives the class attributes and
    the abstract methods; an instance is registered by `bitlif.tasks.register`, or found by
    ``"MODULE:NAME"``.
    """

    name: str
    """Name in commands, study files and the registry."""

    config: str = ""
    """Ready-made configuration that suits the task, if one does."""

    readout: str | Readout = "count"
    """How the class of a window is read: a name of `bitlif.tasks.READOUTS`, or a `Readout`."""

    item = "window"
    """What a window shows, as a noun."""

    networks = True
    """Whether networks can learn the task, too."""

    measures: tuple[Measure, ...]
    """What `measure` returns; the first one is the task's score."""

    length_field = "epochs"
    """Field of a study file that sets the length of training."""

    epochs = 20
    """Default number of passes over the training windows."""

    study_epochs = 3
    """Default number of passes in studies."""

    @property
    def score(self) -> Measure:
        """The measure of how well the task was learned: the first of `measures`."""
        return self.measures[0]

    @classmethod
    def from_arrays(
        cls,
        X: Any,
        y: Any,
        *,
        test: float | tuple[Any, Any] = 0.25,
        encoder: str = "rate",
        readout: str = "count",
        name: str = "arrays",
    ) -> Task:
        """Return the task of classifying windows: see `bitlif.tasks.arrays.ArrayTask`.

        Parameters
        ----------
        X : (windows, features) or (windows, channels, samples) of numbers, or spikes
            A table, time series, or spikes as `Events` or (windows, steps, inputs) bool.
        y : (windows,) of integers or strings
            The class of each window.
        test : float, or pair of arrays
            Share of the windows to test with, or ``(X_test, y_test)``.
        encoder, readout, name : str

        Raises
        ------
        BitlifError
            If an argument is not accepted, or does not fit the others.
        """
        # By its name: the module imports this one.
        arrays = importlib.import_module(".arrays", __package__)
        made: Task = arrays.task_of_arrays(
            X, y, test=test, encoder=encoder, readout=readout, name=name
        )
        return made

    def check(self, config: Config) -> None:  # noqa: B027 - any layer will do
        """Raise `BitlifError` if a layer of this configuration cannot learn the task."""

    def fits(self, config: Config) -> bool:
        """Return whether a layer of this configuration can learn the task."""
        try:
            self.check(config)
        except BitlifError:
            return False
        return True

    @abstractmethod
    def load(self, config: Config, seed: int) -> Examples:
        """Return the examples for a configuration, drawn from `seed`."""

    def depends_on(self, config: Config) -> Hashable:
        """Return the part of a configuration that `load` depends on.

        Configurations with equal parts share their examples.
        """
        return config

    def targets(self, examples: Examples, neurons: int) -> NDArray[np.float64]:
        """Return the real targets of the training windows: (W, M) or (W, T, M) float64."""
        if examples.train_targets is None:
            raise BitlifError(f"task '{self.name}' must provide train_targets or override targets")
        return examples.train_targets

    @abstractmethod
    def measure(
        self, core: Learner, probe: Learner, examples: Examples, history: list[Epoch]
    ) -> dict[str, float]:
        """Return all `measures` of a trained layer by name.

        The result also has ``spikes`` and ``synaptic_operations``, which studies report for every
        task: output spikes, and input events times neurons, per decision.

        Parameters
        ----------
        core : Learner
            The trained layer.
        probe : Learner
            Another layer of the same configuration to test with.
        examples : Examples
        history : list of Epoch
        """

    def report(
        self, core: Learner, probe: Learner, examples: Examples, history: list[Epoch]
    ) -> dict[str, Any]:
        """Return the report of ``bitlif learn`` on the trained layer; by default, `measure`."""
        return self.measure(core, probe, examples, history)


class Classification(Task):
    """A task with one class per window: its `readout` names a neuron, and that is the answer.

    By default this is the neuron with the most spikes.
    """

    true_target = TRUE_TARGET
    """Target of the neuron of the true class; that of all others is 0."""

    def __init__(self) -> None:
        self.measures = (
            Measure("accuracy", "test accuracy", f"share of {self.item}s"),
            Measure("train_accuracy", "accuracy while learning", f"share of {self.item}s"),
        )

    def targets(self, examples: Examples, neurons: int) -> NDArray[np.float64]:
        """Return the targets of the labels: (W, M) float64."""
        if examples.train_labels is None:
            raise BitlifError(f"task '{self.name}' must give train_labels, not None")
        return label_targets(examples.train_labels, neurons, self.true_target)

    def measure(
        self, core: Learner, probe: Learner, examples: Examples, history: list[Epoch]
    ) -> dict[str, float]:
        """Return test accuracy, training accuracy, and spikes and operations per window."""
        if not history:
            raise BitlifError("history must hold at least one epoch, not 0")
        read = readout(self.readout)
        result = run_test(core, probe, examples, read)
        windows = examples.test.windows
        right = read.classify(result) == examples.test_labels
        return {
            "accuracy": float(right.mean()),
            "train_accuracy": float(history[-1].train_accuracy),
            "spikes": float(result.counts.sum() / windows),
            "synaptic_operations": result.counters["synaptic_events"] / windows,
        }

    def report(
        self, core: Learner, probe: Learner, examples: Examples, history: list[Epoch]
    ) -> dict[str, Any]:
        """Return the accuracies and spikes of the last epoch, and test accuracy by epoch."""
        last, read = history[-1], readout(self.readout)
        named = {} if read.name == "count" else {"readout": read.name}
        return {
            **named,
            "test_accuracy": last.test_accuracy,
            "train_accuracy": last.train_accuracy,
            f"output_spikes_per_{self.item}": last.spikes,
            "ties_go_to": read.ties(probe),
            "test_accuracy_by_epoch": [epoch.test_accuracy for epoch in history],
        }


def check_examples(task: Task, examples: Examples, config: Config) -> Examples:
    """Return the examples of a task, with labels as int64 arrays.

    Raises
    ------
    BitlifError
        If they are not `Examples`, or their labels are not one class per window, each a neuron of a
        layer of this configuration.
    """
    wanted = f"examples of task '{task.name}' must be"
    if not isinstance(examples, Examples):
        raise BitlifTypeError(f"{wanted} Examples, not {quoted(examples)}")
    labels: dict[str, Any] = {}
    for name in ("train", "test"):
        events, given = getattr(examples, name), getattr(examples, f"{name}_labels")
        if not isinstance(events, Events):
            raise BitlifTypeError(f"{wanted} Events, not {quoted(events)}")
        if given is not None:
            labels[f"{name}_labels"] = _classes(f"{name}_labels", given, events, config)
    if len(labels) == 1:
        raise BitlifError(f"{wanted} given train_labels and test_labels, or neither")
    return replace(examples, **labels)


def _classes(name: str, labels: Any, events: Events, config: Config) -> NDArray[np.int64]:
    """Return labels as an array, or raise unless they are one class for each window."""
    array, last = np.asarray(labels), config.layer.neurons - 1
    if array.shape != (events.windows,) or (array.size and array.dtype.kind not in "iu"):
        raise BitlifTypeError(
            f"{name} must be integers of shape ({events.windows},), not {array_kind(array)}"
        )
    wrong = array[(array < 0) | (array > last)]
    if wrong.size:
        raise BitlifError(f"{name} must be in 0 ..= {last}, the neurons, not {wrong[0]}")
    return array.astype(np.int64)


def judged_by(layer: Any) -> tuple[tuple[str, ...], bool]:
    """Return the records that counts are judged by, and whether spikes alone are."""
    records = readout("count").records(layer)
    return records, not records


def run_test(core: Learner, probe: Learner, examples: Examples, read: Readout) -> Result:
    """Run the test windows on `probe`, fresh from its reset, with the weights of `core`."""
    probe.reset()
    copy_weights(core, probe)
    if examples.independent:
        return run_independent(probe, examples.test, record=read.records(probe))
    return probe.run(examples.test, record=read.records(probe))
