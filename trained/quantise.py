"""The fewest bits with which a network in real numbers keeps its accuracy on some data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError, require_real
from bitlif.model.events import Events
from bitlif.model.network import Network

from .always_on import with_always_on
from .nir_compare import RealRun, correct_windows, ranges_of
from .nir_formats import LEAST_BITS, LayerBits, quantised
from .nir_graph import RealNetwork

START = LayerBits(weight=12, current=18, membrane=18)
"""Bits with which the search begins, in every layer."""

STRIDES = (4, 2, 1)
"""Bits that are taken from one format at a time, in the order of the search."""

Cost = Callable[[NetworkConfig], float]
Bits = tuple[LayerBits, ...]


class Trial(NamedTuple):
    """A network that was tried.

    Attributes
    ----------
    bits : tuple of LayerBits
    correct : int
        Windows whose class it tells.
    cost : float
    """

    bits: Bits
    correct: int
    cost: float


class Quantised(NamedTuple):
    """The result of a search.

    Attributes
    ----------
    config : NetworkConfig
    weights : list of (N, M) int64
    chosen : Trial
        The last one of `path`.
    path : tuple of Trial
        The trials that were accepted, each with fewer bits than the one before.
    trials : tuple of Trial
        All of them, in the order in which they were tried.
    correct_before : int
        Windows whose class the network in real numbers tells.
    """

    config: NetworkConfig
    weights: list[NDArray[np.int64]]
    chosen: Trial
    path: tuple[Trial, ...]
    trials: tuple[Trial, ...]
    correct_before: int


def _lsb(config: Config) -> float:
    return float(config.membrane.format.lsb)


class _Search:
    """Trials of one network on some windows."""

    def __init__(
        self, network: RealNetwork, runs: Sequence[RealRun], events: Events,
        labels: NDArray[np.integer], cost: Cost, sigma: float, name: str,
        progress: Callable[[], object],
    ) -> None:  # fmt: skip
        self._network, self._ranges, self._name = network, ranges_of(runs), name
        self._events, self._labels, self._cost, self._sigma = events, labels, cost, sigma
        self._progress = progress
        self.trials: dict[Bits, Trial | None] = {}

    def made(self, bits: Bits) -> tuple[NetworkConfig, list[NDArray[np.int64]]]:
        """Return configuration and weights with these bits."""
        return quantised(
            self._network, steps=self._events.steps, bits=bits, sigma=self._sigma,
            ranges=self._ranges, name=self._name,
        )  # fmt: skip

    def tried(self, bits: Bits) -> Trial | None:
        """Return a trial, None if there is no such configuration or its noise would be lost."""
        if bits not in self.trials:
            try:
                config, weights = self.made(bits)
            except BitlifError:
                self.trials[bits] = None
                return None
            if self._sigma and any(_lsb(own.config) > self._sigma for own in config.layers):
                self.trials[bits] = None
                return None
            core = Network(config)
            core.load(weights)
            counts = core.run(with_always_on(self._events, config)).output.counts
            correct = correct_windows(counts, self._labels)
            self.trials[bits] = Trial(bits, correct, self._cost(config))
            self._progress()
        return self.trials[bits]


def quantise(
    network: RealNetwork,
    runs: Sequence[RealRun],
    events: Events,
    labels: NDArray[np.integer],
    *,
    cost: Cost,
    loss: float = 1.0,
    sigma: float = 0.0,
    name: str = "quantised",
    progress: Callable[[], object] = lambda: None,
) -> Quantised:
    """Take bits from a network's formats as long as it keeps its accuracy.

    It begins with `START` in all layers. Then it takes bits from the one format, of weights,
    currents or membranes of one layer, that leaves the cheapest network among those that lose no
    more than `loss`; four bits at a time, then two, then one, until none can be taken.

    Parameters
    ----------
    network : RealNetwork
    runs : sequence of RealRun
        What `bitlif.trained.nir_compare.run_real` returned for `events`.
    events : Events
        W windows, without always-on inputs.
    labels : (W,) int
        Neuron of each window's class.
    cost : callable
        Cost of a configuration, which is minimised.
    loss : float
        Accuracy that may be lost, in percentage points of the windows, 0 ..= 100.
    sigma : float
        Standard deviation of the noise in thresholds; see `quantised`. Unless it is 0, an LSB of
        the membranes is no larger.
    name : str
        Name of the configuration.
    progress : callable
        Called after each trial.

    Raises
    ------
    BitlifError
        If the network with `START` loses more than `loss`, its noise is narrower than one LSB, or
        an argument is out of range.
    """
    loss = require_real("loss", loss, 0.0, 100.0)
    if not events.windows:
        raise BitlifError("events must have at least one window, not 0")
    before = correct_windows(runs[-1].spikes.sum(1), labels)
    least = before - loss * events.windows / 100
    search = _Search(network, runs, events, labels, cost, sigma, name, progress)
    first = (START,) * len(network.layers)
    lsb = max(_lsb(own.config) for own in search.made(first)[0].layers)
    now = search.tried(first)
    if now is None:
        raise BitlifError(
            f"sigma must be 0 or at least {lsb:g}, one LSB of the membrane with {START.membrane} "
            f"bits, not {sigma:g}"
        )
    if now.correct < least:
        raise BitlifError(
            f"loss must be at least {100 * (before - now.correct) / events.windows:.2f} points, "
            f"not {loss:g}: so much is lost with {START.weight} bits of weight and "
            f"{START.membrane} of state"
        )
    path = [now]
    for stride in STRIDES:
        while True:
            found = [search.tried(bits) for bits in _fewer(now.bits, stride)]
            kept = [own for own in found if own is not None and own.correct >= least]
            if not kept:
                break
            now = min(kept, key=lambda own: (own.cost, -own.correct))
            path.append(now)
    config, weights = search.made(now.bits)
    trials = tuple(own for own in search.trials.values() if own is not None)
    return Quantised(config, weights, now, tuple(path), trials, before)


def _fewer(bits: Bits, stride: int) -> list[Bits]:
    """Return all ways to take so many bits from one format."""
    ways = []
    for number, own in enumerate(bits):
        for field in LayerBits._fields:
            left = getattr(own, field) - stride
            if left >= getattr(LEAST_BITS, field):
                changed = own._replace(**{field: left})
                ways.append((*bits[:number], changed, *bits[number + 1 :]))
    return ways
