"""Checks that every value of the gates is within the derived bound of the float twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bitlif.model.floating.bound import window_bound
from bitlif.model.floating.layer import FloatLayer
from bitlif.tasks.scenario import Work

from .expected import Expected, compute_expected

RECORD = ("current", "membrane", "draws", "errors", "traces", "gradient")


class Observed(Protocol):
    """A run by gates or model whose values have the axes of `bitlif.sim.probes.arrange`."""

    @property
    def observed(self) -> dict[str, NDArray[Any]]:
        """Values by name of the probe."""


@dataclass(frozen=True, slots=True)
class Distance:
    """Distance of one signal from the float twin.

    Attributes
    ----------
    values : int
        Number of values compared.
    beyond : int
        Number of values outside the derived bound.
    share : float
        Largest distance as a fraction of its bound.
    """

    values: int
    beyond: int
    share: float


Pairs = dict[str, tuple[NDArray[Any], NDArray[Any]]]
"""Distance and bound of every signal of a window."""


def distances_of(windows: Sequence[Pairs]) -> dict[str, Distance]:
    """Return the distances of the signals over some windows."""
    found: dict[str, list[tuple[NDArray[Any], NDArray[Any]]]] = {}
    for own in windows:
        for name, pair in own.items():
            found.setdefault(name, []).append(pair)
    distances = {}
    for name, pairs in found.items():
        off = np.concatenate([distance.ravel() for distance, _ in pairs])
        bound = np.concatenate([allowed.ravel() for _, allowed in pairs])
        shares = off / np.where(bound > 0, bound, np.inf)
        distances[name] = Distance(off.size, int((off > bound).sum()), float(shares.max()))
    return distances


def float_distances(
    work: Work, core: Observed, expected: Expected | None = None
) -> dict[str, Distance]:
    """Compare a run with the matched float twin, window by window, in real units.

    The bound of `bitlif.model.floating.bound` holds for windows in the first phase of the schedule
    that start from cleared state, with the weights, draws and resets of the run itself. Other
    windows are left out.

    Returns
    -------
    dict of str to Distance
        By signal; empty if no window has a bound.
    """
    config = work.config
    if not work.learns:
        return {}
    expected = compute_expected(work) if expected is None else expected
    kept = config.window
    cleared = kept.state == kept.trace == "clear"
    found: list[Pairs] = []
    weights = np.asarray(work.weights)
    for w in range(work.events.windows if cleared else 1):
        if expected.phases[w] != 0:
            break
        found.append(_window(work, core, expected, w, weights))
        weights = core.observed["weight"][w]
    return distances_of(found)


def _window(work: Work, core: Observed, expected: Expected, w: int, weights: NDArray[Any]) -> Pairs:
    """Return the distance and bound of every signal of a window."""
    config, seen = work.config, {name: values[w] for name, values in core.observed.items()}
    one = 1 << config.error.target_bits
    targets = expected.targets[w]
    teacher = config.membrane.reset == "teacher"
    resets = (2 * targets >= one if teacher else seen["spike"]).astype(np.uint8)
    draws = seen.get("noise draw", np.zeros_like(seen["spike"]))
    twin = FloatLayer(config, matched=True)
    twin.load(weights * float(config.synapse.weight.lsb))
    real = twin.learn(
        work.events.select([w]), targets[None] / one, record=RECORD,
        draws=draws[None] / config.noise.draw_sigma, resets=resets[None],
    )  # fmt: skip
    bound = window_bound(config, real, resets, targets / one)
    unit = float(config.error.format.lsb * config.trace.format.lsb)
    rows = {
        "synaptic current": (config.synapse.current.lsb, real.current, bound.current[:, None]),
        "membrane potential": (config.membrane.format.lsb, real.membrane, bound.membrane),
        "error": (config.error.format.lsb, real.errors, bound.errors),
        "PSP trace": (config.trace.format.lsb, real.traces, bound.traces[:, None]),
    }
    pairs = {}
    for name, (lsb, values, allowed) in rows.items():
        assert values is not None
        distance = np.abs(seen[name] * float(lsb) - values[0])
        pairs[name] = (distance, np.broadcast_to(allowed, distance.shape))
    assert real.gradient is not None
    pairs["gradient"] = (np.abs(seen["gradient"].T * unit - real.gradient[0]), bound.gradient)
    moved = seen["weight"].T * float(config.synapse.weight.lsb) - twin.weights.T
    pairs["weight"] = (np.abs(moved), bound.weights)
    return pairs
