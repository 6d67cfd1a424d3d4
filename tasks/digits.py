"""The digits task: scikit-learn's scans as spikes, ten neurons, one target rate for the true class.

Everything that varies is drawn from one seed: the split, the phases of the spikes, the order of the
windows, and (through `bitlif.model.config.seeds`) the states from which the LFSRs start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, BitlifTypeError, require_int
from bitlif.model.events import Events
from bitlif.model.extras import missing_extra
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.result import Result
from bitlif.model.targets import round_targets, warn_of_zeros

from .encoders import encode_rate
from .learner import Learner

if TYPE_CHECKING:
    from collections.abc import Iterator

PIXELS = 64
CLASSES = 10
MAX_RATE = 0.875
"""Spikes a step of a pixel at full ink."""
BIAS_RATE = 0.25
"""Spikes a step of the bias input."""
TRUE_TARGET = 0.5
"""Target of the neuron of the true class; the others' is 0."""
TEST_SHARE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Digits:
    """Spikes, labels and targets of the training and the test digits.

    Attributes
    ----------
    train, test : Events
        A window a digit; inputs 0 ..= 63 are pixels row by row, input 64 the bias.
    train_labels, test_labels : (W,) int64
    """

    train: Events
    test: Events
    train_labels: NDArray[np.int64]
    test_labels: NDArray[np.int64]

    def head(self, count: int) -> Digits:
        """Return the first `count` digits of both sets."""
        return Digits(
            self.train.select(range(count)),
            self.test.select(range(count)),
            self.train_labels[:count],
            self.test_labels[:count],
        )


def load_digits_task(steps: int, seed: int) -> Digits:
    """Return the digits split and encoded by `seed`: 1347 to train, 450 to test.

    Raises
    ------
    BitlifError
        If scikit-learn is not installed (it brings the scans).
    """
    seed = require_int("seed", seed, 0, (1 << 31) - 1)
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise missing_extra("the digits come with scikit-learn", "demo", error) from error
    images, labels = load_digits(return_X_y=True)
    # A bias that spikes at BIAS_RATE, whatever the digit, is one more pixel of fixed ink.
    ink = np.column_stack((images / 16.0, np.full(len(images), BIAS_RATE / MAX_RATE)))
    parts = train_test_split(
        np.arange(len(labels)), test_size=TEST_SHARE, stratify=labels, random_state=seed
    )
    sets = [
        encode_rate(ink[part], steps, max_rate=MAX_RATE, regular=True, seed=2 * seed + number)
        for number, part in enumerate(parts)
    ]
    return Digits(sets[0], sets[1], labels[parts[0]], labels[parts[1]])


def check_digits_layer(config: Config) -> None:
    """Raise unless the layer has an input a pixel and one for the bias, and a neuron a class."""
    sizes = config.layer
    if (sizes.inputs, sizes.neurons) != (PIXELS + 1, CLASSES):
        raise BitlifError(
            f"the digits need a layer of {PIXELS + 1} inputs and {CLASSES} neurons, "
            f"not {sizes.inputs} and {sizes.neurons}"
        )


def class_targets(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the real targets of labels: shape (W, 10)."""
    targets = np.zeros((labels.size, CLASSES))
    targets[np.arange(labels.size), labels] = TRUE_TARGET
    return targets


def target_levels(config: Config, targets: NDArray[Any]) -> NDArray[np.uint16]:
    """Return real targets in 0 ..= 1 as raw ones, rounded to nearest.

    Numbers of any type are real here, integers and truth values too: 1 is a spike in every step.

    Raises
    ------
    BitlifError
        If a target is outside or not a number.

    Warns
    -----
    BitlifWarning
        If some are not 0 but all are rounded to 0.
    """
    levels = round_targets(config, targets)
    warn_of_zeros(config, np.asarray(targets), levels)
    return levels


def classify(result: Result, *, by_spikes: bool = False) -> NDArray[np.int64]:
    """Return the class of each window: most spikes; a tie goes to the higher summed membrane.

    The run must have recorded ``membrane``; or, `by_spikes`, a tie goes to the lower class.
    """
    counts = result.counts
    if by_spikes:
        return np.asarray(counts.argmax(axis=1), np.int64)
    if result.membrane is None:
        raise BitlifError("classify needs a run that recorded 'membrane'")
    tied = counts == counts.max(axis=1, keepdims=True)
    potential = result.membrane.sum(axis=1)
    best = np.where(tied, potential.astype(np.float64), -np.inf).argmax(axis=1)
    return np.asarray(best, np.int64)


@dataclass(frozen=True, slots=True)
class Epoch:
    """Where training stands after an epoch.

    Attributes
    ----------
    number : int
        From 1.
    train_accuracy, test_accuracy : float
        Of the windows as they were learned, and of the test set afterwards.
    spikes : float
        Output spikes a training digit.
    counters : dict of str to int
        Of the training windows.
    """

    number: int
    train_accuracy: float
    test_accuracy: float
    spikes: float
    counters: dict[str, int]


def train(
    layer: Learner,
    probe: Learner,
    digits: Digits,
    epochs: int,
    seed: int,
    report: Callable[[Epoch], Any] = lambda epoch: None,
    *,
    first: int = 0,
) -> list[Epoch]:
    """Train `layer` for `epochs` passes in orders drawn from `seed`; test with `probe` after each.

    So many passes have been made before, as `first` says.

    The probe is another layer of the same configuration: testing must not move the learner's LFSRs.
    It takes the learner's weights and starts afresh each time. Where a layer does not show its
    membranes, ties go to the lower class (see `classify`).
    """
    targets: NDArray[Any] = class_targets(digits.train_labels)
    if not isinstance(layer, FloatLayer):
        targets = target_levels(layer.config, targets)
    shown, by_spikes = judged_by(layer)
    history = []
    every = orders(digits.train.windows, epochs, seed, first=first)
    for number, order in enumerate(every, first + 1):
        result = layer.learn(digits.train.select(order), targets[order], record=shown)
        right = classify(result, by_spikes=by_spikes) == digits.train_labels[order]
        accuracy = test_accuracy(layer, probe, digits)
        spikes = float(result.counts.sum() / digits.train.windows)
        epoch = Epoch(number, float(right.mean()), accuracy, spikes, result.counters)
        report(epoch)
        history.append(epoch)
    return history


def orders(windows: int, epochs: int, seed: int, *, first: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield each epoch's order of the training windows, from the epoch numbered `first` (0) on."""
    random = np.random.default_rng([seed, 0x02DE2])
    for number in range(first + epochs):
        order = random.permutation(windows)
        if number >= first:
            yield order


def judged_by(layer: Learner) -> tuple[tuple[str, ...], bool]:
    """Return what to record for `classify`, and whether spikes alone must do."""
    return (("membrane",), False) if "membrane" in layer.records else ((), True)


def copy_weights(source: Learner, target: Learner) -> None:
    """Load the weights of `source` into `target`, which must be of the same kind."""
    if isinstance(source, FloatLayer) != isinstance(target, FloatLayer):
        raise BitlifTypeError("weights go from an integer to an integer layer, or float to float")
    target.load(source.weights)


def test_accuracy(layer: Learner, probe: Learner, digits: Digits) -> float:
    """Return the share of test digits that `probe` gets right with the weights of `layer`."""
    probe.reset()
    copy_weights(layer, probe)
    shown, by_spikes = judged_by(probe)
    classes = classify(probe.run(digits.test, record=shown), by_spikes=by_spikes)
    return float((classes == digits.test_labels).mean())


# pytest must not take it for a test.
test_accuracy.__test__ = False  # type: ignore[attr-defined]
