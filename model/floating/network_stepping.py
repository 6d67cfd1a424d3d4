"""A window of the float twin of a network that is run step by step.

It calls the same function as `bitlif.model.floating.network.FloatNetwork` does for whole windows,
so both give the same bits. Compare `bitlif.model.network_stepping`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.engine.compile import compiled
from bitlif.model.network import padded

from .network_part import FloatNetworkPart
from .network_result import SWEEP_RECORDS
from .network_snapshot import FloatNetworkSnapshot
from .network_step import FloatNetworkRecords, FloatParts, run_float_network
from .snapshot import FloatSnapshot

Reals = NDArray[np.float64]


class OpenFloatNetworkWindow(NamedTuple):
    """A window of the twin of a network of which some steps have run.

    A step writes only its own rows of the arrays, and replaces all else.
    """

    network: FloatNetworkSnapshot
    learn: bool
    step: int
    """Number of steps that have run."""
    pointers: NDArray[np.int64]
    addresses: NDArray[np.int32]
    """Input spikes so far"""
    targets: Reals
    """(1, T, M) of the last layer"""
    draws: tuple[Reals, ...]
    """(1, T, M) of each layer, in sigma"""
    records: tuple[FloatNetworkRecords, ...]
    counters: NDArray[np.int64]
    """(layers, 2): active errors and adjoints so far"""


class FloatNetworkStepper:
    """Runs windows of the ideal twin of a network step by step, one window at a time.

    Parameters
    ----------
    config : NetworkConfig
    seed : int
        Seed of the twin; the state of the noise is in the snapshots.
    """

    def __init__(self, config: NetworkConfig, *, seed: int = 0) -> None:
        self._parts = [
            FloatNetworkPart(config, number, seed=seed, matched=False)
            for number in range(len(config.layers))
        ]
        self._clear = self._parts[0].config.window.cleared[:2]

    def begin(self, network: FloatNetworkSnapshot, *, learn: bool) -> OpenFloatNetworkWindow:
        """Return a window before its first step. The window before it is given up."""
        first, last = self._parts[0].config, self._parts[-1].config
        steps = first.window.steps
        wanted = ("current", "membrane", *(SWEEP_RECORDS if learn else ()))
        sizes = [part.config.layer.neurons for part in self._parts]
        return OpenFloatNetworkWindow(
            network, learn, 0,
            np.zeros(steps + 1, np.int64),
            np.zeros(steps * first.layer.inputs, np.int32),
            np.zeros((1, steps, last.layer.neurons)),
            tuple(np.zeros((1, steps, size)) for size in sizes),
            tuple(part.records(1, wanted) for part in self._parts),
            np.zeros((len(sizes), 2), np.int64),
        )  # fmt: skip

    def step(
        self, before: OpenFloatNetworkWindow, addresses: NDArray[np.int32], targets: Reals | None
    ) -> OpenFloatNetworkWindow:
        """Return the window after its next step; the last step updates the weights.

        Parameters
        ----------
        before : OpenFloatNetworkWindow
            A window that has not ended. It must not be used again, except after an interrupt.
        addresses : (n,) int32
            Inputs that spike, in ascending order.
        targets : (1, 1, M) float or None
            Targets of the step, 0 ..= 1.
        """
        t, learn, now = before.step, before.learn, before.network
        start = int(before.pointers[t])
        before.pointers[t + 1] = start + len(addresses)
        before.addresses[start : start + len(addresses)] = addresses
        goals = none = before.targets[:0, :1]
        if targets is not None:
            goals = before.targets
            goals[0, t] = targets[0, 0]
        ended = t + 1 == len(before.pointers) - 1
        parts: list[FloatParts] = []
        layers: list[FloatSnapshot] = []
        for part, snapshot, draws in zip(self._parts, now.layers, before.draws, strict=True):
            own = snapshot.copied()
            own = own._replace(random=part.draw(own.random, draws[0, t]))
            spikes = np.zeros((0, *draws.shape[1:]), np.uint8)
            parts.append(part.parts(own, draws, spikes, draws[:0]))
            layers.append(own._replace(learned=own.learned + (learn and ended)))
        compiled(run_float_network)(
            0, 1, t, t + 1, learn, learn, len(parts), before.pointers, before.addresses, goals,
            none, padded(parts), padded(before.records), self._clear,
        )  # fmt: skip
        return before._replace(
            network=FloatNetworkSnapshot(tuple(layers)),
            step=t + 1,
            counters=before.counters + [own.sweep.counters for own in parts],
        )
