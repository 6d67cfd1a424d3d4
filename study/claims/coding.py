"""From temporal to rate code with increasing noise: precision, information and cost of a response.

Sixteen frozen stimuli (Poisson inputs of 128 steps) are presented many times to a few neurons with
fixed weights. A noiseless neuron fires about four times per stimulus. To change the code and not
the rate, the threshold is raised with sigma until the mean spike count equals that without noise.
The threshold is found with the float twin and used in both models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.study.statistics import mean_interval

from .decoding import BIN_STEPS, count_accuracy, smoothed_information, time_accuracy
from .information import binary_words, mutual_information, shuffled_information
from .models import MODELS, make_layer
from .spike_trains import fano_factor, reliability, spike_precision

WIDTHS = (0.5, 2.0, 8.0, 32.0, float("inf"))
"""Widths of smoothing in steps; the last one leaves only the count."""

LETTERS = 8
"""Bins of the binary word of a window."""

ACCURACY = 0.5
"""Accuracy at which a decision is made; chance level is one in sixteen."""

TOP_WEIGHT = 0.4
RATE = 0.02
THRESHOLD_TRIALS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class CodingSettings:
    """Noise levels in thresholds, and sizes."""

    sigmas: tuple[float, ...] = (0.015, 0.03, 0.06, 0.1, 0.2, 0.3, 0.5, 1.0)
    seeds: int = 5
    stimuli: int = 16
    trials: int = 300
    steps: int = 128
    neurons: int = 4

    @property
    def units(self) -> int:
        """Number of progress reports of a measurement."""
        return len(self.sigmas) * self.seeds * len(MODELS)


@dataclass(frozen=True, slots=True, eq=False)
class Stimulation:
    """The stimuli and the weights of one seed.

    Attributes
    ----------
    events : Events
        One window per stimulus.
    weights : (N, M) int64
        Raw weights.
    noiseless : (S, T, M) uint8
        Spikes of the float twin without noise.
    """

    events: Events
    weights: NDArray[np.int64]
    noiseless: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """The responses of one model at one noise level, by seed.

    Attributes
    ----------
    sigma, model
    thresholds : (seeds,) float64
    measures : dict of str to (seeds,) float64
        Results of `response_measures` by name.
    widths : (seeds, WIDTHS) float64
        Information from smoothed spike trains, in bits per neuron.
    """

    sigma: float
    model: str
    thresholds: NDArray[np.float64]
    measures: dict[str, NDArray[np.float64]]
    widths: NDArray[np.float64]

    @property
    def times(self) -> NDArray[np.float64]:
        """Information in spike times in bits, at the best smoothing: shape (seeds,)."""
        return np.asarray(self.widths[:, :-1].max(axis=1))

    @property
    def times_beyond_counts(self) -> NDArray[np.float64]:
        """Information in spike times beyond that in counts, in bits: shape (seeds,)."""
        return np.asarray(self.times - self.widths[:, -1])

    @property
    def fine_share(self) -> NDArray[np.float64]:
        """Share of the information in spike times at the least smoothing: shape (seeds,)."""
        return np.asarray(self.widths[:, 0] / self.times)

    @property
    def bits_per_spike(self) -> NDArray[np.float64]:
        """Information in spike times divided by the mean count, in bits: shape (seeds,)."""
        return self.times / self.measures["count"]

    def decided(self, code: str) -> NDArray[np.bool_]:
        """Return in which seeds the decoder of `code` reached `ACCURACY`: shape (seeds,)."""
        return np.isfinite(self.measures[f"decision_steps_{code}"])

    def to_json(self) -> dict[str, Any]:
        """Return means with 95 % intervals; a cost is null unless every seed reached a decision."""
        summary: dict[str, Any] = {
            "sigma": self.sigma,
            "model": self.model,
            "threshold": mean_interval(self.thresholds).to_json(),
        }
        for code in ("times", "counts"):
            summary[f"seeds_decided_{code}"] = int(self.decided(code).sum())
        for name, values in self.measures.items():
            known = bool(np.isfinite(values).all())
            summary[name] = mean_interval(values).to_json() if known else None
        for name in ("times", "times_beyond_counts", "fine_share", "bits_per_spike"):
            summary[f"decoded_{name}"] = mean_interval(getattr(self, name)).to_json()
        summary["decoded_smoothed"] = [mean_interval(column).to_json() for column in self.widths.T]
        return summary


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """The codes of all noise levels and models."""

    settings: CodingSettings
    codes: tuple[Code, ...]

    def code(self, sigma: float, model: str) -> Code:
        """Return the code of one noise level and model."""
        return next(code for code in self.codes if (code.sigma, code.model) == (sigma, model))

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain numbers."""
        settings = self.settings
        return {
            "seeds": settings.seeds,
            "stimuli": settings.stimuli,
            "trials_a_stimulus": settings.trials,
            "steps": settings.steps,
            "neurons": settings.neurons,
            "word_letters": LETTERS,
            "decision_accuracy": ACCURACY,
            "smoothing_steps": [width if np.isfinite(width) else "count" for width in WIDTHS],
            "confidence": 0.95,
            "codes": [code.to_json() for code in self.codes],
        }


def measure_coding(
    settings: CodingSettings, report: Callable[[int], Any] = lambda done: None
) -> Coding:
    """Present all stimuli at every sigma to both models.

    `report` is called with 1 after each seed of each sigma and model.
    """
    base = Config.load("teacher").replace(
        layer__neurons=settings.neurons, window__steps=settings.steps, membrane__reset="free"
    )
    shows = [make_stimulation(base, settings, seed) for seed in range(settings.seeds)]
    codes = []
    for sigma in settings.sigmas:
        noisy = base.replace(schedule=[{"sigma": sigma}])
        configs = [
            noisy.replace(membrane__threshold=matched_threshold(noisy, shown)) for shown in shows
        ]
        thresholds = np.array([config.membrane.threshold for config in configs])
        for model in MODELS:
            rows, widths = [], []
            for seed, (config, shown) in enumerate(zip(configs, shows, strict=True)):
                trains = respond(model, config, shown, settings.trials, seed)
                # The matrix products are too small for several threads.
                with _BLAS.limit(limits=1, user_api="blas"):
                    rows.append(response_measures(trains, shown, seed))
                    widths.append(_by_width(trains))
                report(1)
            columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
            codes.append(Code(sigma, model, thresholds, columns, np.array(widths)))
    return Coding(settings, tuple(codes))


def make_stimulation(config: Config, settings: CodingSettings, seed: int) -> Stimulation:
    """Return stimuli and weights drawn from `seed`."""
    random = np.random.default_rng([seed, 0xC0DE])
    inputs, neurons = config.layer.inputs, config.layer.neurons
    shape = (settings.stimuli, settings.steps, inputs)
    events = Events.from_raster(random.random(shape) < RATE)
    lsb = float(config.synapse.weight.lsb)
    weights = (random.uniform(0.0, TOP_WEIGHT, (inputs, neurons)) / lsb).round().astype(np.int64)
    twin = FloatLayer(config)
    twin.load(weights * lsb)
    quiet = np.zeros((settings.stimuli, settings.steps, neurons))
    return Stimulation(events, weights, twin.run(events, draws=quiet).raster)


def matched_threshold(config: Config, shown: Stimulation) -> float:
    """Return the threshold at which the mean count equals that without noise, to 1/1024.

    It is found by bisection with the float twin, with the same draws at every threshold.
    """
    repeated = shown.events.select(np.repeat(np.arange(shown.events.windows), THRESHOLD_TRIALS))
    _, steps, neurons = shown.noiseless.shape
    draws = np.random.default_rng(0x7E51).standard_normal((repeated.windows, steps, neurons))
    wanted = shown.noiseless.sum() * THRESHOLD_TRIALS
    low, high = 512, 4096
    while high - low > 1:
        middle = (low + high) // 2
        twin = FloatLayer(config.replace(membrane__threshold=middle / 1024))
        twin.load(shown.weights * float(config.synapse.weight.lsb))
        if twin.run(repeated, draws=draws).raster.sum() > wanted:
            low = middle
        else:
            high = middle
    return high / 1024


def respond(
    model: str, config: Config, shown: Stimulation, trials: int, seed: int
) -> NDArray[np.uint8]:
    """Return the spikes of all trials as 0 and 1: shape (S, trials, T, M)."""
    layer = make_layer(model, config, shown.weights, seed)
    stimuli = shown.events.windows
    raster = layer.run(shown.events.select(np.repeat(np.arange(stimuli), trials))).raster
    return raster.reshape(stimuli, trials, *raster.shape[1:])


def response_measures(trains: NDArray[np.uint8], shown: Stimulation, seed: int) -> dict[str, float]:
    """Return all measures of the responses of one layer, as means over stimuli and neurons.

    ``count`` (spikes per window and neuron), ``fano_factor``, ``jitter`` (steps), ``found`` and
    ``reliability`` are those of `bitlif.study.claims.spike_trains`. ``information_counts`` and
    ``information_words`` are in bits per neuron; ``information_words_shuffled`` estimates the bias
    of the latter. ``accuracy_*`` is the accuracy at the end of the window of decisions from times
    and from counts of all neurons. ``decision_*`` are the steps, output spikes and synaptic
    operations until `ACCURACY` is reached, NaN if it never is.

    Parameters
    ----------
    trains : (S, trials, T, M) uint8
        Spikes of S stimuli, T steps and M neurons.
    shown : Stimulation
    seed : int
        Seed of the shuffling.
    """
    stimuli, _, _, neurons = trains.shape
    cells = [(s, m) for s in range(stimuli) for m in range(neurons)]
    counts = trains.sum(axis=2, dtype=np.int64)
    precision = [
        spike_precision(trains[s, :, :, m], np.flatnonzero(shown.noiseless[s, :, m]))
        for s, m in cells
    ]
    coded = binary_words(trains.transpose(3, 0, 1, 2), LETTERS)
    result = {
        "count": float(counts.mean()),
        "fano_factor": float(np.nanmean([fano_factor(counts[s, :, m]) for s, m in cells])),
        "jitter": float(np.nanmean([precise.jitter for precise in precision])),
        "found": float(np.nanmean([precise.found for precise in precision])),
        "reliability": float(np.mean([reliability(trains[s, :, :, m]) for s, m in cells])),
        "information_counts": _mean(
            [mutual_information(part) for part in counts.transpose(2, 0, 1)]
        ),
        "information_words": _mean([mutual_information(part) for part in coded]),
        "information_words_shuffled": _mean([shuffled_information(part, seed) for part in coded]),
    }
    for code, accuracy in (("times", time_accuracy(trains)), ("counts", count_accuracy(trains))):
        result[f"accuracy_{code}"] = float(accuracy[-1])
        result |= {
            f"decision_{name}_{code}": cost
            for name, cost in _decision_cost(accuracy, trains, shown).items()
        }
    return result


def _decision_cost(
    accuracy: NDArray[np.float64], trains: NDArray[np.uint8], shown: Stimulation
) -> dict[str, float]:
    (enough,) = np.nonzero(accuracy >= ACCURACY)
    if enough.size == 0:
        return dict.fromkeys(("steps", "spikes", "operations"), float("nan"))
    steps = (int(enough[0]) + 1) * BIN_STEPS
    stimuli, trials, _, neurons = trains.shape
    arrived = shown.events.times % shown.events.steps < steps
    return {
        "steps": float(steps),
        "spikes": float(trains[:, :, :steps].sum(dtype=np.int64) / (stimuli * trials)),
        "operations": float(np.count_nonzero(arrived) * neurons / stimuli),
    }


def _by_width(trains: NDArray[np.uint8]) -> list[float]:
    neurons = trains.shape[3]
    return [
        _mean([smoothed_information(trains[..., m], width) for m in range(neurons)])
        for width in WIDTHS
    ]


_BLAS = ThreadpoolController()


def _mean(values: list[float]) -> float:
    return float(np.mean(values))
