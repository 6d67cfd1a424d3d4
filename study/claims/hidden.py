"""Efficiency of the codes that hidden layers learn: spikes, noise, and what carries the class.

For each task a network with a hidden layer is trained as shipped, with other noise in its hidden
layer, and with other widths of the surrogate derivative. The code of the shipped network is
then taken apart: spike times are shuffled within the window (counts are kept), or counts are
equalised (first spikes or their order are kept). The trained output layer and linear decoders,
trained on the same altered code, tell what is left of the class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.study.statistics import Interval, mean_interval
from bitlif.tasks.task import Examples, Task

from .class_decoding import (
    Decoded,
    count_features,
    decode_classes,
    neuron_information,
    time_features,
)
from .hidden_codes import (
    code_precision,
    equal_counts,
    first_spikes,
    latencies,
    latency_jitter,
    lifetime_sparseness,
    population_sparseness,
    ranked,
    shuffle_times,
    silent_share,
)
from .hidden_findings import FINDINGS, Finding
from .hidden_networks import (
    QUIET,
    SHIPPED,
    UNGATED,
    Response,
    Subject,
    output_accuracy,
    repeated,
    respond,
    seeded_examples,
    train_network,
    with_hidden,
)
from .models import MODELS

SUBJECTS = (
    Subject("digits-96", "digits", "digits", 3),
    Subject("randman", "randman", "Randman", 3),
    Subject("yin-yang", "yin_yang", "Yin-Yang", 3),
    Subject("gunpoint", "gunpoint", "GunPoint", 6),
)
"""Tasks with their networks, in the order of the figure."""

CONTROLS = ("intact", "shuffled", "first", "equal", "ranks")
"""Codes read by the output layer and by decoders.

Intact; times shuffled within the whole window; only first spikes; first spikes with exactly one
spike per neuron; one spike per neuron in the order of the first spikes.
"""

DECODER_WINDOWS = 1000
"""Most training windows whose codes train a decoder."""

LATENCY_BINS = 8
"""Bins of the first spike's time in `neuron_information`, besides silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenSettings:
    """Subjects and sizes.

    Attributes
    ----------
    subjects : tuple of Subject
    seeds : int
    trained_sigmas, tested_sigmas : tuple of float
        Noise of the hidden layer in training and test, and in the test alone, in thresholds. 0
        stands for `QUIET`.
    widths : tuple of float
        Surrogate widths relative to the shipped one.
    blocks : tuple of int
        Steps of the blocks in which spike times are shuffled.
    stimuli, trials : int
        Test windows, and repeats of each, for the jitter.
    """

    subjects: tuple[Subject, ...] = SUBJECTS
    seeds: int = 5
    trained_sigmas: tuple[float, ...] = (0.0, 0.4)
    tested_sigmas: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4)
    widths: tuple[float, ...] = (0.5, 2.0)
    blocks: tuple[int, ...] = (4, 8, 16, 32)
    stimuli: int = 20
    trials: int = 12

    @property
    def units(self) -> int:
        """Number of progress reports of a measurement."""
        trained = 1 + len(self.trained_sigmas) + len(self.widths)
        # One more, without the cut by resets, in the float twin.
        return len(self.subjects) * self.seeds * (len(MODELS) * trained + 1)


@dataclass(frozen=True, slots=True, eq=False)
class HiddenCode:
    """The measures of one network of one task in one model, by seed.

    Attributes
    ----------
    task, model : str
        Name of the subject, and of the model.
    network : str
        `SHIPPED`, or how it was trained: ``"sigma 0.4"``, ``"width 2"``; or how the shipped network
        was tested: ``"test sigma 0.4"``.
    measures : dict of str to (seeds,) float64
    """

    task: str
    model: str
    network: str
    measures: dict[str, NDArray[np.float64]]

    def interval(self, name: str) -> Interval:
        """Return the mean of a measure with its 95 % interval."""
        return mean_interval(self.measures[name])

    def to_json(self) -> dict[str, Any]:
        """Return all values by seed; null where a measure is undefined."""
        values = {
            name: [value if np.isfinite(value) else None for value in own.tolist()]
            for name, own in self.measures.items()
        }
        return {"task": self.task, "model": self.model, "network": self.network, **values}


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """The codes of all tasks, models and networks."""

    settings: HiddenSettings
    codes: tuple[HiddenCode, ...]

    def code(self, task: str, model: str, network: str = SHIPPED) -> HiddenCode:
        """Return the code of one task, model and network."""
        wanted = (task, model, network)
        return next(own for own in self.codes if (own.task, own.model, own.network) == wanted)

    def values(
        self, task: str, model: str, name: str, network: str = SHIPPED
    ) -> NDArray[np.float64]:
        """Return a measure of a network by seed: shape (seeds,)."""
        return self.code(task, model, network).measures[name]

    def finding(self, name: str, task: str, model: str) -> Interval:
        """Return one of `FINDINGS` with its 95 % interval."""
        own = next(own for own in FINDINGS if own.name == name)
        return mean_interval(own.values(partial(self.values, task, model)))

    def _finding_to_json(self, own: Finding, task: str, model: str) -> dict[str, Any]:
        """Return a finding as plain numbers, without an interval if a seed has none."""
        named = {"finding": own.name, "title": own.title, "task": task, "model": model}
        known = np.isfinite(own.values(partial(self.values, task, model))).all()
        return {**named, **(self.finding(own.name, task, model).to_json() if known else {})}

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain numbers."""
        settings = self.settings
        return {
            "seeds": settings.seeds,
            "tasks": {own.name: {"epochs": own.epochs} for own in settings.subjects},
            "trained_sigmas": list(settings.trained_sigmas),
            "tested_sigmas": list(settings.tested_sigmas),
            "widths": list(settings.widths),
            "blocks": list(settings.blocks),
            "stimuli": settings.stimuli,
            "trials": settings.trials,
            "confidence": 0.95,
            "findings": [
                self._finding_to_json(own, subject.name, model)
                for own in FINDINGS
                for subject in settings.subjects
                for model in own.models
            ],
            "codes": [code.to_json() for code in self.codes],
        }


def trained_networks(settings: HiddenSettings, network: NetworkConfig) -> dict[str, NetworkConfig]:
    """Return the networks that are trained, by name."""
    hidden = network.layers[-2]
    threshold = hidden.config.membrane.threshold
    found = {SHIPPED: network}
    for sigma in settings.trained_sigmas:
        found[f"sigma {sigma:g}"] = with_hidden(network, sigma=sigma * threshold or QUIET)
    for factor in settings.widths:
        width = hidden.sweep.surrogate.width * factor
        found[f"width {factor:g}"] = with_hidden(network, width=width)
    return found


def measure_hidden(
    settings: HiddenSettings, report: Callable[[int], Any] = lambda done: None
) -> Hidden:
    """Train all networks of all tasks in both models, and measure their hidden codes.

    `report` is called with 1 after each trained network.
    """
    codes = []
    # The matrix products are too small for several threads.
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        for subject in settings.subjects:
            rows: dict[tuple[str, str], list[dict[str, float]]] = {}
            for seed, network, task, examples in seeded_examples(subject, settings.seeds):
                for model in MODELS:
                    bench = _Bench(settings, subject, model, task, examples, seed)
                    known: list[tuple[NetworkConfig, dict[str, float]]] = []
                    variants = trained_networks(settings, network)
                    if model == "float":
                        variants[UNGATED] = network
                    for name, own in variants.items():
                        # The shipped network may have one of the trained sigmas.
                        same = next((measures for other, measures in known if other == own), None)
                        if same is None or name == UNGATED:
                            found = bench.measure(name, own)
                        else:
                            found = {name: same}
                        known.append((own, found[name]))
                        for tested, measures in found.items():
                            rows.setdefault((model, tested), []).append(measures)
                        report(1)
            codes += [
                HiddenCode(subject.name, model, name, _columns(seeds))
                for (model, name), seeds in rows.items()
            ]
    return Hidden(settings, tuple(codes))


def _columns(rows: list[dict[str, float]]) -> dict[str, NDArray[np.float64]]:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


@dataclass(frozen=True, slots=True, eq=False)
class _Bench:
    """One task, model and seed: trains networks and measures them."""

    settings: HiddenSettings
    subject: Subject
    model: str
    task: Task
    examples: Examples
    seed: int

    def measure(self, name: str, network: NetworkConfig) -> dict[str, dict[str, float]]:
        """Train a network; return its measures, and for `SHIPPED` those with other test noise."""
        weights = train_network(
            self.model, network, self.task, self.examples, self.subject.epochs, self.seed,
            gated=name != UNGATED,
        )  # fmt: skip
        tested = self.examples.test, self.examples.test_labels
        shown = self._respond(network, weights, *tested)
        measures = self._code(network, weights, shown) | self._decoded(
            name, network, weights, shown
        )
        found = {name: measures}
        if name == SHIPPED:
            threshold = network.layers[-2].config.membrane.threshold
            for sigma in self.settings.tested_sigmas:
                other = with_hidden(network, sigma=sigma * threshold or QUIET)
                answer = self._respond(other, weights, *tested)
                found[f"test sigma {sigma:g}"] = self._code(other, weights, answer)
        return found

    def _respond(
        self, network: NetworkConfig, weights: list[Any], events: Events, labels: NDArray[np.int64]
    ) -> Response:
        return respond(self.model, network, weights, events, labels, self.task, self.seed + 1)

    def _decoder_windows(self) -> tuple[Events, NDArray[np.int64]]:
        """Return the training windows whose codes train decoders, and their classes."""
        examples = self.examples
        # The windows may be in the order of their classes.
        random = np.random.default_rng([self.seed, 0xDEC0])
        chosen = random.permutation(examples.train.windows)[:DECODER_WINDOWS]
        return examples.train.select(chosen), examples.train_labels[chosen]

    def _code(
        self, network: NetworkConfig, weights: list[Any], shown: Response
    ) -> dict[str, float]:
        """Return what the spikes alone tell: cost, sparseness and precision."""
        settings = self.settings
        events = self.examples.test.select(range(min(settings.stimuli, len(shown.hidden))))
        quiet = with_hidden(network, sigma=QUIET)
        trains, noiseless = (
            repeated(self.model, own, weights, events, trials, self.seed + 2)
            for own, trials in ((network, settings.trials), (quiet, 1))
        )
        precision = code_precision(trains, noiseless[:, 0])
        return {
            "accuracy": shown.accuracy,
            "hidden_spikes": shown.hidden_spikes,
            "operations": shown.operations,
            "population_sparseness": population_sparseness(shown.hidden),
            "lifetime_sparseness": lifetime_sparseness(shown.hidden),
            "silent_share": silent_share(shown.hidden),
            "jitter": precision.jitter,
            "latency_jitter": latency_jitter(trains),
            "found": precision.found,
        }

    def _decoded(
        self, name: str, network: NetworkConfig, weights: list[Any], shown: Response
    ) -> dict[str, float]:
        """Return what decoders find, and for `SHIPPED` also in the altered codes."""
        events, known = self._decoder_windows()
        trained = self._respond(network, weights, events, known).hidden
        truth = self.examples.test_labels

        def decode(features: Callable[[Any], Any], train: Any, test: Any) -> Decoded:
            return decode_classes(features(train), known, features(test), truth)

        found: dict[str, float] = {}
        for kind, features in (("counts", count_features), ("times", time_features)):
            answer = decode(features, trained, shown.hidden)
            found[f"{kind}_accuracy"] = answer.accuracy
            found[f"{kind}_information"] = answer.information
        steps = shown.hidden.shape[1]
        counts = shown.hidden.sum(axis=1, dtype=np.int64)
        late = latencies(shown.hidden) * LATENCY_BINS // steps
        for kind, responses in (("counts", counts), ("latency", late)):
            bits = neuron_information(responses, truth)
            found[f"neuron_{kind}_information"] = float(bits.mean())
        if name != SHIPPED:
            return found
        for control in CONTROLS:
            train, test = (altered(control, code, self.seed) for code in (trained, shown.hidden))
            found[f"output_{control}"] = self._output(network, weights, test)
            found[f"decoder_{control}"] = decode(time_features, train, test).accuracy
        for block in self.settings.blocks:
            test = shuffle_times(shown.hidden, block, self.seed)
            found[f"output_block_{block}"] = self._output(network, weights, test)
        return found

    def _output(self, network: NetworkConfig, weights: list[Any], hidden: Any) -> float:
        return output_accuracy(
            self.model, network, weights, hidden, self.examples.test_labels, self.task,
            self.seed + 1,
        )  # fmt: skip


def altered(control: str, code: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Return a code (W, T, H) after one of `CONTROLS`."""
    if control == "shuffled":
        return shuffle_times(code, code.shape[1], seed)
    changes = {"first": first_spikes, "equal": equal_counts, "ranks": ranked}
    return changes[control](code) if control in changes else code
