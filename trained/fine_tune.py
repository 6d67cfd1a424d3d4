"""Quantised networks trained on, in PyTorch, on the integers that a core computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError, require_int, require_real
from bitlif.model.events import Events

from .always_on import with_always_on
from .losses import SpikeCountLoss
from .network import Network

BATCH = 32


def fine_tune(
    config: NetworkConfig,
    weights: Sequence[NDArray[np.int64]],
    events: Events,
    labels: NDArray[np.integer],
    *,
    epochs: int,
    rate: float = 2e-3,
    seed: int = 0,
    held: Sequence[int] = (),
    progress: Callable[[], object] = lambda: None,
) -> list[NDArray[np.int64]]:
    """Return weights after training with Adam, in batches of 32 windows.

    The loss is the cross entropy of the spike counts. Its gradient goes through the derivative of
    the noise's distribution, so there must be noise. The rate falls to zero along a cosine.

    Parameters
    ----------
    config : NetworkConfig
    weights : sequence of (N, M) int64
    events : Events
        W windows to train with. Always-on inputs that the configuration has beyond these are added.
    labels : (W,) int
    epochs : int
        1 ..= 1000.
    rate : float
        Step of Adam, in thresholds, above 0.
    seed : int
        Of the order of the windows.
    held : sequence of int
        Per layer, how many of the last neurons keep their weights, such as those that are always
        on; none without it.
    progress : callable
        Called after each epoch.

    Raises
    ------
    BitlifError
        If an argument is out of range, or the last layer's noise is narrower than one LSB of its
        membrane.
    """
    require_int("epochs", epochs, 1, 1000)
    rate = require_real("rate", rate, 0.0, 1.0, open_low=True)
    last = config.layers[-1].config
    sigma = float(last.schedule[0].sigma) if last.noise.drawn else 0.0
    if sigma < float(last.membrane.format.lsb):
        raise BitlifError(
            f"sigma must be at least one LSB of the membrane, {float(last.membrane.format.lsb):g}, "
            f"to train on, not {sigma:g}: without noise, spikes have no derivative"
        )
    network = Network(config)
    network.load_core_weights(list(weights) if len(config.layers) > 1 else weights[0])
    for own, count in zip(network.weights, held, strict=False):
        own.register_hook(partial(_without_last, count=count))
    events = with_always_on(events, config)
    given = torch.from_numpy(events.raster().swapaxes(0, 1).astype(np.float32))
    goals = torch.from_numpy(np.asarray(labels, np.int64))
    generator = torch.Generator().manual_seed(seed)
    loss = SpikeCountLoss(scale=8.0 / events.steps)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    batches = epochs * -(-len(goals) // BATCH)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, batches)
    network.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(goals), generator=generator).split(BATCH):
            spikes, _ = network(given[:, chosen])
            optimizer.zero_grad()
            loss(spikes, goals[chosen]).backward()
            optimizer.step()
            scheduler.step()
        progress()
    found = network.to_core_weights()
    return found if isinstance(found, list) else [found]


def _without_last(gradient: Any, *, count: int) -> Any:
    """Return a gradient that is 0 in the last columns."""
    kept = gradient.clone()
    kept[:, kept.shape[1] - count :] = 0.0
    return kept
