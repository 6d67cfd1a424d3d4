"""The layer or network of a classifier: its configuration, its backend, its answers."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bitlif.fpga.families import FAMILIES
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, load_any_config, outer
from bitlif.model.errors import BitlifError, require_choice
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.tasks.independent import CLEARED, run_independent
from bitlif.tasks.learner import Engine, Learner
from bitlif.tasks.readouts import Readout
from bitlif.tasks.suit_config import Choice, suit_config
from bitlif.tasks.suit_network import suit_network

from .backends.network_kept import KeptNetworkCore
from .backends.open import open

MODELS = ("model", "float")
"""Backends whose layers and networks can be copied."""

AnyConfig = Config | NetworkConfig


def require_estimator_backend(backend: object) -> None:
    """Raise unless a classifier can be trained on a backend."""
    require_choice("backend", backend, (*MODELS, "rtl", *(f.backend for f in FAMILIES.values())))


def given_config(config: Any, hidden: tuple[int, ...]) -> AnyConfig | None:
    """Return the configuration that is passed to a classifier, or None.

    Raises
    ------
    BitlifError
        If it cannot be loaded, or `hidden` is given and its hidden layers have other sizes.
    """
    if config is None:
        return None
    given = config if isinstance(config, Config | NetworkConfig) else load_any_config(config)
    layers = given.layers[:-1] if isinstance(given, NetworkConfig) else ()
    sizes = tuple(own.config.layer.neurons for own in layers)
    if hidden and sizes != hidden:
        raise BitlifError(
            f"hidden must be {sizes} as in config, or left out, not {hidden}"
            if sizes
            else f"hidden must be left out if config is a single layer, not {hidden}"
        )
    return given


def chosen_config(
    given: AnyConfig | None, events: Events, classes: int, hidden: tuple[int, ...], epochs: int
) -> tuple[AnyConfig, list[Choice]]:
    """Return a configuration for training windows, and what was chosen: that given, or one suited.

    Raises
    ------
    BitlifError
        If the sizes of the given one are not those of the data.
    """
    choices: list[Choice] = []
    if given is None and hidden:
        given, choices = suit_network(
            events, classes, hidden=hidden, epochs=epochs, name="classifier"
        )
    elif given is None:
        given, choices = suit_config(events, classes, epochs=epochs, name="classifier")
    seen = outer(given)
    sizes = seen.layer.inputs, seen.layer.neurons, seen.window.steps
    wanted = events.units, classes, events.steps
    if sizes != wanted:
        raise BitlifError(
            f"config must have {wanted[0]} inputs, {wanted[1]} neurons and {wanted[2]} steps "
            f"for these data, not {sizes[0]}, {sizes[1]} and {sizes[2]}"
        )
    return given, choices


def opened(config: AnyConfig, backend: str, *, seed: int, threads: int) -> Learner:
    """Return a new layer or network on a backend."""
    if isinstance(config, NetworkConfig):
        # A network's weights are lists; otherwise its core has the same interface.
        own: dict[str, Any] = {
            "model": {"threads": threads, "signature": False}, "float": {"seed": seed}
        }.get(backend, {})  # fmt: skip
        network: Any = open(config, backend, **own)
        return cast("Learner", network)
    if backend == "model":
        return Engine(Layer(config, threads=threads))
    if backend == "float":
        return Engine(FloatLayer(config, seed=seed))
    return open(config, backend)


def can_be_copied(layer: Learner | None) -> bool:
    """Return whether a copy of a layer continues where the layer is: not with gates."""
    return layer is None or isinstance(layer, Engine | KeptNetworkCore)


def neurons_of(config: AnyConfig) -> int:
    """Return the number of neurons of all layers."""
    if isinstance(config, NetworkConfig):
        return sum(own.config.layer.neurons for own in config.layers)
    return config.layer.neurons


def scores_of(
    config: AnyConfig, backend: str, weights: Any, events: Events, read: Readout, *,
    seed: int, threads: int,
) -> NDArray[np.float64]:  # fmt: skip
    """Return the score of each neuron in each window, each run from the reset state: (W, K)."""
    if backend in MODELS:
        layer = opened(config, backend, seed=seed, threads=threads)
        layer.load(weights)
        return read.scores(run_independent(layer, events, record=read.records(layer)))
    apart: Any = config.replace(**CLEARED)
    with open(apart, backend, learning=False) as core:
        core.load(weights)
        return read.scores(core.run(events, record=read.records(core)))
