"""Networks whose hidden codes are measured: how they are varied, trained, run and taken apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif import tasks
from bitlif.model.config.network import NetworkConfig
from bitlif.model.config.network_layer import NetworkLayer
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.floating.network import FloatNetwork
from bitlif.model.layer import Layer
from bitlif.model.network import Network
from bitlif.tasks.learner import target_levels
from bitlif.tasks.readouts import readout
from bitlif.tasks.task import Examples, Task
from bitlif.tasks.training import orders

Weights = NDArray[Any]
"""Weights of a layer: raw integers, or real numbers."""

RECORD = ("membrane",)
"""What readouts need, which decide ties of counts by the membranes."""

SHIPPED = "shipped"
"""Name of the network with the noise and the surrogate width of its configuration."""

UNGATED = "ungated"
"""Name of the network whose resets do not cut the sweep's way back: in the float twin only."""

QUIET = 1 / 1024
"""Sigma in the unit of the membrane that stands for no noise: sigma must be above 0."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A task with a network that learns it.

    Attributes
    ----------
    name : str
        Ready-made network.
    task : str
    title : str
    epochs : int
        Passes over the training windows, fewer than in a full training.
    """

    name: str
    task: str
    title: str
    epochs: int


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """What a network answers to windows.

    Attributes
    ----------
    hidden : (W, T, H) uint8
        Spikes of the last hidden layer.
    right : (W,) bool
        Whether the output layer names the class.
    operations : float
        Synaptic operations per window, in all layers.
    """

    hidden: NDArray[np.uint8]
    right: NDArray[np.bool_]
    operations: float

    @property
    def accuracy(self) -> float:
        """Share of windows classified correctly."""
        return float(self.right.mean())

    @property
    def hidden_spikes(self) -> float:
        """Hidden spikes per window."""
        return float(self.hidden.sum(dtype=np.int64) / len(self.hidden))


def with_hidden(network: NetworkConfig, **changes: Any) -> NetworkConfig:
    """Return a network with changed hidden layers; the output layer stays as it is.

    Parameters
    ----------
    network : NetworkConfig
    sigma : float
        Standard deviation of the noise in all phases, in the unit of the membrane.
    width : float
        Width of the surrogate derivative, in the unit of the membrane.
    """
    hidden = tuple(_changed(own, **changes) for own in network.layers[:-1])
    return replace(network, layers=(*hidden, network.layers[-1]))


def _changed(
    own: NetworkLayer, *, sigma: float | None = None, width: float | None = None
) -> NetworkLayer:
    if sigma is not None:
        phases = tuple(replace(phase, sigma=sigma) for phase in own.config.schedule)
        own = replace(own, config=replace(own.config, schedule=phases))
    if width is not None:
        surrogate = replace(own.sweep.surrogate, width=width)
        own = replace(own, sweep=replace(own.sweep, surrogate=surrogate))
    return own


def compressed(network: NetworkConfig, share: float) -> NetworkConfig:
    """Return a network whose schedules take a share of their windows, at least one per phase."""
    layers = []
    for own in network.layers:
        phases = tuple(
            replace(phase, windows=phase.windows and max(1, round(phase.windows * share)))
            for phase in own.config.schedule
        )
        layers.append(replace(own, config=replace(own.config, schedule=phases)))
    return replace(network, layers=tuple(layers))


def train_network(
    model: str,
    network: NetworkConfig,
    task: Task,
    examples: Examples,
    epochs: int,
    seed: int,
    *,
    gated: bool = True,
) -> list[Weights]:
    """Return the weights of a network that has learned a task, in the units of its model.

    Parameters
    ----------
    model : "float" or "fixed"
    network : NetworkConfig
        With its seeds.
    task : Task
    examples : Examples
    epochs : int
    seed : int
        Of the order of the windows, and of the float twin's noise.
    gated : bool
        Whether resets cut the way back in hidden layers; False in the float twin only.
    """
    engine = make_network(model, network, network.initial_weights(), seed, gated=gated)
    targets: NDArray[Any] = task.targets(examples, network.outer.layer.neurons)
    if model == "fixed":
        targets = target_levels(network.outer, targets)
    for order in orders(examples.train.windows, epochs, seed):
        engine.learn(examples.train.select(order), targets[order])
    return engine.weights()


def make_network(
    model: str, network: NetworkConfig, weights: Sequence[Weights], seed: int, *, gated: bool = True
) -> Network | FloatNetwork:
    """Return a network of one model; integers are raw weights, also of the float twin.

    `seed` is that of the float twin's noise; `gated` is False in the float twin only.
    """
    if model == "fixed":
        engine = Network(network)
        engine.load(weights)
        return engine
    twin = FloatNetwork(network, seed=seed, gated=gated)
    twin.load([real(own, layer) for own, layer in zip(weights, network.layers, strict=True)])
    return twin


def real(weights: Weights, layer: NetworkLayer) -> NDArray[np.float64]:
    """Return weights as real numbers: integers are raw."""
    raw = np.issubdtype(weights.dtype, np.integer)
    return weights * (float(layer.config.synapse.weight.lsb) if raw else 1.0)


def respond(
    model: str, network: NetworkConfig, weights: Sequence[Weights], events: Events,
    labels: NDArray[np.int64], task: Task, seed: int,
) -> Response:  # fmt: skip
    """Return the response of a network with the given weights, run from its reset."""
    layers = make_network(model, network, weights, seed).run(events, record=RECORD).layers
    right = readout(task.readout).classify(layers[-1]) == labels
    operations = sum(own.counters["synaptic_events"] for own in layers) / events.windows
    return Response(layers[-2].raster, right, float(operations))


def output_accuracy(
    model: str, network: NetworkConfig, weights: Sequence[Weights], hidden: NDArray[np.uint8],
    labels: NDArray[np.int64], task: Task, seed: int,
) -> float:  # fmt: skip
    """Return the accuracy of the trained output layer alone on a hidden code: (W, T, H) uint8."""
    last = network.layers[-1]
    layer: Layer | FloatLayer = Layer(last.config)
    if model == "float":
        layer = FloatLayer(last.config, seed=seed)
        layer.load(real(weights[-1], last))
    else:
        layer.load(weights[-1])
    result = layer.run(Events.from_raster(hidden > 0), record=RECORD)
    return float((readout(task.readout).classify(result) == labels).mean())


def repeated(
    model: str, network: NetworkConfig, weights: Sequence[Weights], events: Events, trials: int,
    seed: int,
) -> NDArray[np.uint8]:  # fmt: skip
    """Return the hidden spikes of repeats of the same windows: (W, trials, T, H) uint8."""
    engine = make_network(model, network, weights, seed)
    shown = events.select(np.repeat(np.arange(events.windows), trials))
    raster = engine.run(shown).layers[-2].raster
    return np.asarray(raster.reshape(events.windows, trials, *raster.shape[1:]), np.uint8)


def seeded_examples(
    subject: Subject, seeds: int
) -> Iterator[tuple[int, NetworkConfig, Task, Examples]]:
    """Yield for each seed: it, the network with its seeds and a shorter schedule, and the task."""
    whole = NetworkConfig.load(subject.name)
    task = tasks.get(subject.task)
    network = compressed(whole, min(1.0, subject.epochs / task.epochs))
    for seed in range(seeds):
        yield seed, network.seeded(seed), task, task.load(network.outer, seed)
