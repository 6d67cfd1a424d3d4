"""The probability of a spike at a membrane potential: measured, exact and Gaussian.

A layer has one input, which spikes in every step, and neurons with increasing weights. No target
resets the neurons, so that each membrane settles at its own potential and every further step is a
trial. The exact curve of the integers counts the draws that lift a potential to the threshold,
including the scale and the rounding of the noise. Gaussian noise gives Phi((Vb - u) / sigma).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.derive import derive, effective_sigma
from bitlif.model.events import Events
from bitlif.model.fixed import round_shift
from bitlif.study.statistics import chi_square_p, gaussian_cumulative, proportion_interval

from .models import make_layer, make_targets

MIN_VARIANCE = 9.0
"""Smallest variance of a spike count for its point to be used in chi-square."""

GAUSSIAN = "Gaussian"
"""Noise source of the float twin."""

SOURCES = {
    "sum of 8 bytes": {"noise__words": 8, "noise__word_bits": 8},
    "sum of 4 bytes": {"noise__words": 4, "noise__word_bits": 8},
}
"""Noise sources of the integers: those of the ready-made `teacher` and `digits`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbabilitySettings:
    """Noise level, trials per potential, number of potentials, and their reach in sigma."""

    sigma: float = 0.1
    trials: int = 100_000
    points: int = 73
    reach: float = 5.2
    seed: int = 0

    @property
    def units(self) -> int:
        """Number of progress reports of a measurement."""
        return 1 + len(SOURCES)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Measured spike probabilities of one noise source and model.

    Attributes
    ----------
    source, model
    distance : (K,) float64
        Distance to the threshold, (Vb - u) / sigma, of each neuron, ascending.
    spikes : (K,) int64
    trials : int
    expected : (K,) float64
        Exact probability: of the integer noise, or Phi for the float twin.
    gaussian : (K,) float64
        Phi(distance).
    cutoff : float
        Largest draw of the source in sigma; infinite for the float twin.
    """

    source: str
    model: str
    distance: NDArray[np.float64]
    spikes: NDArray[np.int64]
    trials: int
    expected: NDArray[np.float64]
    gaussian: NDArray[np.float64]
    cutoff: float

    def chi_square(self, probability: NDArray[np.float64]) -> tuple[float, int, float]:
        """Return chi-square against `probability`, (K,), its degrees of freedom and its p-value.

        Points whose spike counts are far from normal are left out.
        """
        variance = self.trials * probability * (1 - probability)
        used = variance >= MIN_VARIANCE
        distance = self.spikes - self.trials * probability
        statistic = float((distance[used] ** 2 / variance[used]).sum())
        freedom = int(used.sum())
        return statistic, freedom, chi_square_p(statistic, freedom)

    @property
    def beyond(self) -> tuple[int, int, float]:
        """Points with an exact probability of zero: their number, spikes, and spikes by Phi."""
        never = self.expected == 0.0
        by_phi = float(self.trials * self.gaussian[never].sum())
        return int(never.sum()), int(self.spikes[never].sum()), by_phi

    def to_json(self) -> dict[str, Any]:
        """Return the points with their intervals and tests as plain numbers."""
        low, high = proportion_interval(self.spikes, self.trials)
        tests = {}
        for name, curve in (("exact", self.expected), ("gaussian", self.gaussian)):
            statistic, freedom, p = self.chi_square(curve)
            tests[name] = {"chi_square": statistic, "freedom": freedom, "p": p}
        points, spikes, by_phi = self.beyond
        return {
            "source": self.source,
            "model": self.model,
            "distance_sigma": self.distance.tolist(),
            "spikes": self.spikes.tolist(),
            "trials": self.trials,
            "probability_low": low.tolist(),
            "probability_high": high.tolist(),
            "exact": self.expected.tolist(),
            "gaussian": self.gaussian.tolist(),
            "cutoff_sigma": self.cutoff if np.isfinite(self.cutoff) else None,
            "tests": tests,
            "exactly_silent": {"points": points, "spikes": spikes, "gaussian_spikes": by_phi},
        }


@dataclass(frozen=True, slots=True, eq=False)
class Probability:
    """The curves of all noise sources."""

    sigma: float
    curves: tuple[Curve, ...]

    def curve(self, source: str) -> Curve:
        """Return the curve of one noise source."""
        return next(curve for curve in self.curves if curve.source == source)

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain numbers."""
        return {
            "sigma": self.sigma,
            "confidence": 0.95,
            "curves": [curve.to_json() for curve in self.curves],
        }


def measure_probability(
    settings: ProbabilitySettings, report: Callable[[int], Any] = lambda done: None
) -> Probability:
    """Measure the float twin and every source; `report` is called with 1 after each."""
    curves = []
    wanted = (
        (GAUSSIAN, "float", {}),
        *((name, "fixed", fields) for name, fields in SOURCES.items()),
    )
    for source, model, words in wanted:
        curves.append(_curve(source, words, model, settings))
        report(1)
    return Probability(settings.sigma, tuple(curves))


def _curve(source: str, words: dict[str, int], model: str, settings: ProbabilitySettings) -> Curve:
    base = Config.load("teacher").replace(
        layer__inputs=1, window__state="carry", schedule=[{"sigma": settings.sigma}], **words
    )
    weights = _weights(base, settings)
    config = base.replace(layer__neurons=weights.size)
    layer = make_layer(model, config, weights[None, :], settings.seed)
    steps = config.window.steps
    window = Events.from_raster(np.ones((1, steps, 1), np.bool_))
    silent = make_targets(model, config, np.zeros((1, steps, weights.size), np.uint8))
    # Every membrane settles during the first window.
    layer.run(window, silent)
    spikes = np.zeros(weights.size, np.int64)
    trials = 0
    while trials < settings.trials:
        result = layer.run(window, silent, record=("membrane",))
        assert result.membrane is not None
        potential = result.membrane[0, -1]
        spikes += result.counts[0]
        trials += steps
    if model == "float":
        distance = (potential - config.membrane.threshold) / settings.sigma
        expected = gaussian_cumulative(distance)
        return Curve(source, model, distance, spikes, trials, expected, expected, float("inf"))
    derived = derive(config)
    constants, scale = derived.constants, derived.phases[0].noise_scale
    sigma = float(effective_sigma(config, scale, constants.noise_shift))
    distance = (potential - constants.threshold) / sigma
    return Curve(
        source, model, distance, spikes, trials, exact_probabilities(config, potential),
        gaussian_cumulative(distance), config.noise.pmf.cutoff,
    )  # fmt: skip


def _weights(config: Config, settings: ProbabilitySettings) -> NDArray[np.int64]:
    """Return ascending raw weights at which membranes settle near the threshold."""
    twin = make_layer("float", config, np.array([[1 << config.synapse.weight.frac]]), 0)
    steps = config.window.steps
    window = Events.from_raster(np.ones((1, steps, 1), np.bool_))
    silent = make_targets("float", config, np.zeros((1, steps, 1), np.uint8))
    result = twin.run(window, silent, record=("membrane",))
    assert result.membrane is not None
    by_weight = float(result.membrane[0, -1, 0] * config.synapse.weight.lsb)
    x = np.linspace(-settings.reach, settings.reach, settings.points)
    potentials = config.membrane.threshold + settings.sigma * x
    return np.unique((potentials / by_weight).round().astype(np.int64))


def exact_probabilities(config: Config, potentials: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the spike probability of the integer model in the first phase of the schedule.

    All combinations of words count equally. An LFSR is never zero, which changes a probability by
    at most ``2**-width``.

    Parameters
    ----------
    config : Config
    potentials : (K,) int
        Raw membrane potentials.

    Returns
    -------
    (K,) float64
    """
    derived = derive(config)
    constants, scale = derived.constants, derived.phases[0].noise_scale
    pmf = config.noise.pmf
    noise = [
        round_shift(scale * level, constants.noise_bias, constants.noise_shift)
        for level in pmf.levels
    ]
    lifted = [
        sum(
            count
            for draw, count in zip(noise, pmf.counts, strict=True)
            if int(potential) + draw >= constants.threshold
        )
        for potential in potentials
    ]
    # The quotient of Python integers is rounded only once.
    return np.array([count / pmf.total for count in lifted])
