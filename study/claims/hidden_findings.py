"""The findings on hidden codes: differences and ratios with intervals over the seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .hidden_networks import SHIPPED, UNGATED
from .models import MODELS

Get = Callable[[str, str], NDArray[np.float64]]
"""Function of a measure and of a network's name, for one task and model: one value per seed."""

Values = Callable[[Get], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A number that a claim on hidden codes rests on.

    Attributes
    ----------
    name : str
    title : str
        What it is, with its unit.
    values : function of `Get`
        Returns one value per seed, paired where it compares two networks.
    models : tuple of str
        Models that it exists in.
    """

    name: str
    title: str
    values: Values
    models: tuple[str, ...] = MODELS


def _value(name: str, scale: float = 1.0) -> Values:
    return lambda get: scale * get(name, SHIPPED)


def _between(above: str, below: str, scale: float = 1.0) -> Values:
    """Return by how much one measure of the shipped network exceeds another."""
    return lambda get: scale * (get(above, SHIPPED) - get(below, SHIPPED))


def _difference(name: str, above: str, below: str, scale: float = 1.0) -> Values:
    """Return by how much a measure of one network exceeds that of another."""
    return lambda get: scale * (get(name, above) - get(name, below))


def _ratio(name: str, above: str, below: str) -> Values:
    """Return the ratio of a measure of two networks."""
    return lambda get: np.asarray(get(name, above) / get(name, below))


FINDINGS = (
    Finding("accuracy", "accuracy (%)", _value("accuracy", 100)),
    Finding("hidden_spikes", "hidden spikes a window", _value("hidden_spikes")),
    Finding("operations", "synaptic operations a window", _value("operations")),
    Finding(
        "shuffling_loss",
        "points that the output layer loses if times are shuffled within the window",
        _between("output_intact", "output_shuffled", 100),
    ),
    Finding(
        "equalising_loss",
        "points that the output layer loses if counts are equalised",
        _between("output_intact", "output_equal", 100),
    ),
    Finding(
        "decoder_shuffling_loss",
        "points that a decoder, trained on the altered code, loses if times are shuffled",
        _between("decoder_intact", "decoder_shuffled", 100),
    ),
    Finding(
        "decoder_equalising_loss",
        "points that a decoder, trained on the altered code, loses if counts are equalised",
        _between("decoder_intact", "decoder_equal", 100),
    ),
    Finding("order_accuracy", "accuracy of a decoder of ranks (%)", _value("decoder_ranks", 100)),
    Finding(
        "times_beyond_counts",
        "bits about the class that a decoder finds in times beyond those in counts",
        _between("times_information", "counts_information"),
    ),
    Finding(
        "counts_over_latency",
        "bits about the class in a neuron's count beyond those in its first spike",
        _between("neuron_counts_information", "neuron_latency_information"),
    ),
    Finding(
        "test_noise_loss",
        "points that the shipped network loses if tested at sigma 0.4 instead of 0",
        _difference("accuracy", "test sigma 0", "test sigma 0.4", 100),
    ),
    Finding(
        "test_noise_jitter",
        "steps of jitter of first spikes that sigma 0.4 in the test adds to that of 0.1",
        _difference("latency_jitter", "test sigma 0.4", "test sigma 0.1"),
    ),
    Finding(
        "training_noise_gain",
        "points gained by training and testing at sigma 0.4 instead of 0",
        _difference("accuracy", "sigma 0.4", "sigma 0", 100),
    ),
    Finding(
        "training_noise_spikes",
        "hidden spikes after training at sigma 0.4, relative to sigma 0",
        _ratio("hidden_spikes", "sigma 0.4", "sigma 0"),
    ),
    Finding(
        "width_gain",
        "points gained by a surrogate of twice the width instead of half of it",
        _difference("accuracy", "width 2", "width 0.5", 100),
    ),
    Finding(
        "width_spikes",
        "hidden spikes with a surrogate of twice the width, relative to half of it",
        _ratio("hidden_spikes", "width 2", "width 0.5"),
    ),
    Finding("population_sparseness", "population sparseness", _value("population_sparseness")),
    Finding("lifetime_sparseness", "lifetime sparseness", _value("lifetime_sparseness")),
    Finding(
        "width_sparseness",
        "population sparseness gained by a surrogate of twice the width instead of half of it",
        _difference("population_sparseness", "width 2", "width 0.5"),
    ),
    Finding(
        "ungated_gain",
        "points gained if resets do not cut the way back, which they do in the contract",
        _difference("accuracy", UNGATED, SHIPPED, 100),
        ("float",),
    ),
    Finding(
        "ungated_spikes",
        "hidden spikes if resets do not cut the way back, relative to the contract",
        _ratio("hidden_spikes", UNGATED, SHIPPED),
        ("float",),
    ),
)
"""Everything that is claimed, for every task and model."""
