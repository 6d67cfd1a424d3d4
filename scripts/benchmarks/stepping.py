"""The speed of windows that are run step by step, and of the same windows in one call."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from bitlif.model.events import Events

from .limits import best_seconds

if TYPE_CHECKING:
    from bitlif.sim.backends.core import Core

STEP_RATE = 5000.0
"""Target: steps per second of the model and of the compiled RTL, for the size of the digits."""

STEP_WINDOWS = 20
"""Maximum number of windows that are run step by step."""


def step_seconds(
    core: Core, weights: NDArray[Any], events: Events, targets: NDArray[Any], repeats: int
) -> tuple[float, float, float]:
    """Return the seconds that the steps of some windows take, and those of the whole windows.

    Parameters
    ----------
    core : Core
    weights : (N, M) int
        Loaded before each repetition.
    events : Events
    targets : (W, M) or (W, T, M)
    repeats : int

    Returns
    -------
    fastest, median : float
        Of all steps, called one by one, learning.
    windows : float
        The fastest call of `learn` with the same windows.
    """
    starts = events.pointers
    inputs = [events.addresses[a:b] for a, b in itertools.pairwise(starts)]
    steps = events.steps
    goals = [
        targets[k // steps] if targets.ndim == 2 else targets[k // steps, k % steps]
        for k in range(len(inputs))
    ]

    def restart() -> None:
        core.reset()
        core.load(weights)

    def run_steps() -> None:
        for spikes, goal in zip(inputs, goals, strict=True):
            core.step(spikes, goal, learn=True)

    fastest, median = best_seconds(run_steps, repeats, restart)
    windows, _ = best_seconds(lambda: core.learn(events, targets), repeats, restart)
    return fastest, median, windows
