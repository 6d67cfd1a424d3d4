"""Tasks made of arrays or data files: windows with a label each, split into training and test."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.display import one_line
from bitlif.model.errors import (
    BitlifError,
    BitlifTypeError,
    require_choice,
    require_int,
    require_real,
)
from bitlif.model.events import Events
from bitlif.model.extras import missing_extra
from bitlif.model.text import quoted

from .data_file import Data
from .encoding import ENCODERS, Encoder
from .labels import TRUE_TARGET
from .readouts import readout as readout_of
from .task import Classification, Examples

BIAS_RATE = 0.25
"""Spikes per step of the bias input of latencies and level crossings."""


def encoder_for(name: str, kind: str) -> str:
    """Return the encoder of data of a kind: ready spikes are used as they are.

    >>> encoder_for("rate", "table"), encoder_for("rate", "spikes")
    ('rate', 'spikes')
    """
    require_choice("encoder", name, ENCODERS)
    return "spikes" if kind == "spikes" and name == "rate" else name


def encoder_options_for(name: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the options of an encoder: those given, and by default those that suit learning.

    They are `opponent` for rates: few inputs are then active in all windows, which makes a layer
    learn faster, and a neuron can prefer values in the middle. And a bias input for codes in which
    a window may have no spikes.
    """
    if options is not None and not isinstance(options, Mapping):
        raise BitlifTypeError(f"encoder_options must be a mapping or None, not {quoted(options)}")
    usual: dict[str, Any] = {}
    if name == "rate":
        usual = {"opponent": True}
    elif name in ("latency", "level_crossing"):
        usual = {"bias_rate": BIAS_RATE}
    return {**usual, **(options or {})}


class ArrayTask(Classification):
    """The classification of one's own windows.

    Parameters
    ----------
    data : Data
        All windows with their labels; or the training windows, if `test` is `Data`.
    test : float or Data
        Share of the windows to test with, above 0 and below 1, drawn so that each class has its
        share; or the test windows.
    encoder : str
        One of `bitlif.tasks.encoding.ENCODERS`. Ready spikes need none.
    encoder_options : mapping or None
        Options of `bitlif.tasks.encoding.Encoder.fit`; see `encoder_options_for`.
    readout : str
        One of `bitlif.tasks.readouts.READOUTS`.
    true_target : float
        Target of the neuron of the true class, in spikes per step, above 0 and at most 1.
    name : str
        Name of the task: letters, digits, - and _.

    Attributes
    ----------
    classes : (K,) int64 or str
        Labels in ascending order; neuron k answers with the k-th.

    Raises
    ------
    BitlifError
        If an argument is not accepted, a window has no label, there are fewer than two classes, or
        test windows have a class or columns that the training windows lack.

    Examples
    --------
    >>> X = [[0.0], [1.0], [5.0], [6.0], [0.5], [5.5]]
    >>> task = ArrayTask(Data.of(X, ["low", "low", "high", "high", "low", "high"]), test=0.34)
    >>> task
    <ArrayTask name='data' windows=6 inputs=3 classes=2 encoder='rate' readout='count'>
    >>> task.classes.tolist()
    ['high', 'low']
    """

    def __init__(
        self,
        data: Data,
        *,
        test: float | Data = 0.25,
        encoder: str = "rate",
        encoder_options: Mapping[str, Any] | None = None,
        readout: str = "count",
        true_target: float = TRUE_TARGET,
        name: str = "data",
    ) -> None:
        super().__init__()
        self.name = name
        self.data = data
        self.classes: NDArray[Any] = np.unique(labels_of("data", data))
        if self.classes.size < 2:
            raise BitlifError(f"labels must be of at least two classes, not {self.classes.size}")
        self.test: float | Data = self._checked_test(test)
        self.encoder_name = encoder_for(encoder, data.kind)
        self.encoder_options = encoder_options_for(self.encoder_name, encoder_options)
        readout_of(readout)  # Raises unless it is one.
        self.readout = readout
        self.true_target = require_real("true_target", true_target, 0.0, 1.0, open_low=True)
        # Fitted to one window: its number of inputs does not depend on the values.
        steps = data.inputs.steps if isinstance(data.inputs, Events) else 1
        self._inputs = self._fitted(data.select([0]), steps).inputs

    def __repr__(self) -> str:
        facts = {
            "name": self.name, "windows": self.data.windows, "inputs": self.inputs,
            "classes": self.classes.size, "encoder": self.encoder_name, "readout": self.readout,
        }  # fmt: skip
        return one_line("ArrayTask", facts)

    @property
    def inputs(self) -> int:
        """Number of inputs of a layer that learns the task, a bias input included."""
        return self._inputs

    def check(self, config: Config) -> None:
        """Raise unless the layer has an input per encoded feature, and a neuron per class."""
        sizes, wanted = config.layer, (self.inputs, self.classes.size)
        if (sizes.inputs, sizes.neurons) != wanted:
            raise BitlifError(
                f"task '{self.name}' needs a layer of {wanted[0]} inputs and {wanted[1]} neurons, "
                f"one for each class, not {sizes.inputs} and {sizes.neurons}"
            )
        steps = config.window.steps
        if isinstance(self.data.inputs, Events) and self.data.inputs.steps != steps:
            raise BitlifError(
                f"window.steps must be {self.data.inputs.steps}, as in the spikes, not {steps}"
            )

    def depends_on(self, config: Config) -> Hashable:
        """Return the steps of a window."""
        return config.window.steps

    def split(self, seed: int) -> tuple[Data, Data]:
        """Return the training and the test windows.

        A share is drawn by scikit-learn's ``train_test_split`` with ``stratify`` and
        ``random_state=seed``.

        Raises
        ------
        BitlifError
            If a share is to be drawn and scikit-learn is not installed, or a class has too few
            windows.
        """
        if isinstance(self.test, Data):
            return self.data, self.test
        train, test = stratified_split(labels_of("data", self.data), self.test, seed)
        return self.data.select(train), self.data.select(test)

    def encoder(self, config: Config, seed: int) -> Encoder:
        """Return the encoder, fitted to the training windows."""
        return self._fitted(self.split(seed)[0], config.window.steps)

    def load(self, config: Config, seed: int) -> Examples:
        """Return the windows, split and encoded by `seed`; see `split`.

        The encoder is fitted to the training windows only.
        """
        seed = require_int("seed", seed, 0, (1 << 31) - 1)
        return self.encoded(config.window.steps, seed)

    def encoded(self, steps: int, seed: int) -> Examples:
        """Return the windows as `load` does, in windows of `steps` steps."""
        train, test = self.split(seed)
        encoder = self._fitted(train, steps)
        return Examples(
            encoder.encode(train.inputs, seed=seed),
            encoder.encode(test.inputs, seed=seed),
            np.searchsorted(self.classes, labels_of("data", train)),
            np.searchsorted(self.classes, labels_of("test", test)),
            independent=True,
        )

    def _fitted(self, train: Data, steps: int) -> Encoder:
        return Encoder.fit(self.encoder_name, train.inputs, steps=steps, **self.encoder_options)

    def _checked_test(self, test: object) -> float | Data:
        """Return `test`, or raise unless it is a share or fits the training windows."""
        if not isinstance(test, Data):
            share = require_real("test", test, 0.0, 1.0, open_low=True)
            if share == 1.0:
                raise BitlifError("test must be a share below 1, or the test windows, not 1")
            return share
        own = self.data
        if test.kind != own.kind or len(test.names) != len(own.names):
            raise BitlifError(
                f"test windows must be {own.kind} of {len(own.names)} columns as the training "
                f"windows, not {test.kind} of {len(test.names)}"
            )
        labels = labels_of("test", test)
        kinds = [array.dtype.kind for array in (labels, self.classes)]
        new = np.setdiff1d(labels, self.classes) if kinds[0] == kinds[1] else labels[:1]
        if new.size:
            raise BitlifError(
                f"labels of the test windows must be classes of the training windows, "
                f"not {quoted(new[0].item())}"
            )
        return test


def task_of_arrays(X: Any, y: Any, *, test: float | tuple[Any, Any], **options: Any) -> ArrayTask:
    """Return the task of classifying arrays; see `bitlif.tasks.Task.from_arrays`."""
    if isinstance(test, tuple):
        if len(test) != 2:
            raise BitlifTypeError(
                f"test must be a share or (X_test, y_test), not {len(test)} items"
            )
        return ArrayTask(Data.of(X, y), test=Data.of(*test), **options)
    return ArrayTask(Data.of(X, y), test=test, **options)


def labels_of(name: str, data: object) -> NDArray[Any]:
    """Return the labels of data: (windows,).

    Raises
    ------
    BitlifError
        If it is not `Data`, or has no labels or no windows.
    """
    if not isinstance(data, Data):
        raise BitlifTypeError(f"{name} must be Data, not {quoted(data)}")
    if data.labels is None:
        raise BitlifError(f"{name} must have a label for each window")
    if data.windows == 0:
        raise BitlifError(f"{name} must have at least one window, not 0")
    return data.labels


def stratified_split(
    labels: NDArray[Any], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of training and of test windows, with each class' share in both.

    They are those of scikit-learn's ``train_test_split`` with ``random_state=seed``.

    Raises
    ------
    BitlifError
        If a class has one window only, a part would have fewer windows than there are classes, or
        scikit-learn is not installed.
    """
    try:
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise missing_extra("a test share is drawn by scikit-learn", "demo", error) from error
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        raise BitlifError(
            f"each class must have at least two windows to be split, not one as "
            f"{quoted(classes[counts.argmin()].item())}"
        )
    tested = int(np.ceil(share * len(labels)))
    if min(tested, len(labels) - tested) < classes.size:
        raise BitlifError(
            f"test must leave at least {classes.size} windows, one for each class, to learn and as "
            f"many to test, not {len(labels) - tested} and {tested}"
        )
    train, test = train_test_split(
        np.arange(len(labels)), test_size=share, stratify=labels, random_state=seed
    )
    return train, test
