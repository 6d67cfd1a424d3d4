"""The chance of a spike at a potential: measured, exact, and Gaussian.

A layer of one input, which spikes in every step, and neurons of rising weights. No target resets
them, so each membrane settles at a potential of its own; from there on every step is one more
trial. The integers' exact curve counts the draws that lift a potential to the threshold, after the
noise's own scale and rounding; Phi((Vb - u) / sigma) is what it would be for Gaussian noise.
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

LEAST_VARIANCE = 9.0
"""A point counts in chi-square if its number of spikes varies by at least this."""

GAUSSIAN = "Gaussian"
"""Source of the float twin."""

SOURCES = {
    "sum of 8 bytes": {"noise__words": 8, "noise__word_bits": 8},
    "sum of 4 bytes": {"noise__words": 4, "noise__word_bits": 8},
}
"""Sources of the integers: those of the ready-made `teacher` and `digits`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbabilitySettings:
    """Noise, trials a potential, potentials, and how far from the threshold they go (in sigma)."""

    sigma: float = 0.1
    trials: int = 100_000
    points: int = 73
    reach: float = 5.2
    seed: int = 0

    @property
    def units(self) -> int:
        """How often a measurement reports."""
        return 1 + len(SOURCES)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Measured chances of one source and model.

    Attributes
    ----------
    source, model
    distance : (K,) float64
        (Vb - u) / sigma of each neuron, ascending.
    spikes : (K,) int64
    trials : int
    expected : (K,) float64
        The exact chance: of the integers' own noise, or Phi for the float twin's.
    gaussian : (K,) float64
        Phi(distance).
    cutoff : float
        Where the source ends, in sigma; infinite for the float twin.
    """

    source: str
    model: str
    distance: NDArray[np.float64]
    spikes: NDArray[np.int64]
    trials: int
    expected: NDArray[np.float64]
    gaussian: NDArray[np.float64]
    cutoff: float

    def chi_square(self, chance: NDArray[np.float64]) -> tuple[float, int, float]:
        """Return chi-square against `chance`, its degrees of freedom and its p.

        Points whose number of spikes varies too little to be nearly normal are left out.
        """
        variance = self.trials * chance * (1 - chance)
        used = variance >= LEAST_VARIANCE
        distance = self.spikes - self.trials * chance
        statistic = float((distance[used] ** 2 / variance[used]).sum())
        freedom = int(used.sum())
        return statistic, freedom, chi_square_p(statistic, freedom)

    @property
    def beyond(self) -> tuple[int, int, float]:
        """Of the points that the exact curve says never fire: how many, spikes, Phi's spikes."""
        never = self.expected == 0.0
        awaited = float(self.trials * self.gaussian[never].sum())
        return int(never.sum()), int(self.spikes[never].sum()), awaited

    def to_json(self) -> dict[str, Any]:
        """Return the points with their intervals and the tests."""
        low, high = proportion_interval(self.spikes, self.trials)
        tests = {}
        for name, chance in (("exact", self.expected), ("gaussian", self.gaussian)):
            statistic, freedom, p = self.chi_square(chance)
            tests[name] = {"chi_square": statistic, "freedom": freedom, "p": p}
        points, spikes, awaited = self.beyond
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
            "exactly_silent": {"points": points, "spikes": spikes, "gaussian_spikes": awaited},
        }


@dataclass(frozen=True, slots=True, eq=False)
class Probability:
    """All curves."""

    sigma: float
    curves: tuple[Curve, ...]

    def curve(self, source: str) -> Curve:
        """Return one."""
        return next(own for own in self.curves if own.source == source)

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
    """Measure the float twin and every source; `report` gets 1 after each."""
    curves = []
    wanted = ((GAUSSIAN, "float", {}), *((name, "fixed", own) for name, own in SOURCES.items()))
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
    # The first window lets every membrane settle.
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
        source, model, distance, spikes, trials, exact_chances(config, potential),
        gaussian_cumulative(distance), config.noise.pmf.cutoff,
    )  # fmt: skip


def _weights(config: Config, settings: ProbabilitySettings) -> NDArray[np.int64]:
    """Return raw weights at which membranes settle within reach of the threshold, ascending."""
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


def exact_chances(config: Config, potentials: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the integers' chance of a spike at raw potentials, in the schedule's first phase.

    Draws that an equal number of words give are counted; that an LFSR never holds zero changes no
    chance by more than ``2**-width``.
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
            for own, count in zip(noise, pmf.counts, strict=True)
            if int(potential) + own >= constants.threshold
        )
        for potential in potentials
    ]
    # Integers of any size are divided exactly and rounded once.
    return np.array([count / pmf.total for count in lifted])
