"""Checks that every value of a network in gates is within the derived bound of the float twin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.floating.following import following
from bitlif.model.floating.network import FloatNetwork
from bitlif.model.floating.network_bound import network_bound
from bitlif.model.floating.network_result import FLOAT_NETWORK_RECORDS
from bitlif.model.network_result import NetworkResult
from bitlif.model.result import Result
from bitlif.tasks.scenario import NetworkWork

from .float_check import Distance, Pairs, distances_of
from .network_expected import NetworkExpected

if TYPE_CHECKING:
    from bitlif.sim.cocotb.network_cosim import NetworkRun


def network_float_distances(
    work: NetworkWork, run: NetworkRun, expected: NetworkExpected
) -> dict[str, Distance]:
    """Compare a run with the matched float twin, window by window, in real units.

    The bound of `bitlif.model.floating.network_bound` holds for windows in the first phase of all
    schedules that start from cleared state, with the weights, draws, spikes and surrogate
    derivatives of the run itself. Other windows are left out.

    Returns
    -------
    dict of str to Distance
        By layer and signal; empty if no window has a bound.
    """
    cleared = work.network.layers[0].config.window.state == "clear"
    found: list[Pairs] = []
    raw = [np.asarray(own, np.int64) for own in work.weights]
    for w in range(work.events.windows if cleared else 1):
        if not work.learns or any(own.phases[w] for own in expected.layers):
            break
        found.append(_window(work, run, w, raw))
        raw = [
            own.observed["weight"][w] if "weight" in own.observed else before
            for own, before in zip(run.layers, raw, strict=True)
        ]
    return distances_of(found)


def _window(work: NetworkWork, run: NetworkRun, w: int, raw: list[NDArray[np.int64]]) -> Pairs:
    """Return the distance and the bound of every signal of a window."""
    network, one = work.network, work.events.select([w])
    lsbs = [float(own.config.synapse.weight.lsb) for own in network.layers]
    weights = [np.asarray(own * lsb, np.float64) for own, lsb in zip(raw, lsbs, strict=True)]
    seen = [{name: values[w] for name, values in own.observed.items()} for own in run.layers]
    exact = NetworkResult(
        tuple(
            Result(
                own["spike"][None].astype(np.uint8), membrane=own["membrane potential"][None],
                draws=own.get("noise draw", np.zeros_like(own["spike"]))[None],
            )
            for own in seen
        )
    )  # fmt: skip
    twin = FloatNetwork(network, matched=True)
    twin.load(weights)
    led = following(network, exact)
    goals = work.targets[w : w + 1] / (1 << network.layers[-1].config.error.target_bits)
    real = twin.learn(one, goals, record=FLOAT_NETWORK_RECORDS, **led)
    bounds = network_bound(
        network, real, one, np.atleast_2d(goals[0]), spikes=led["spikes"],
        derivatives=led["derivatives"], weights=weights, raw=raw,
    )  # fmt: skip
    pairs: Pairs = {}
    for number, (layer, own, bound) in enumerate(zip(network.layers, seen, bounds, strict=True)):
        config, other = layer.config, real.layers[number]
        unit = float(layer.sweep.current.lsb)
        rows: dict[str, tuple[float, Any, Any]] = {
            "synaptic current": (float(config.synapse.current.lsb), other.current, bound.current),
            "membrane potential": (
                float(config.membrane.format.lsb), other.membrane, bound.membrane
            ),
            "error": (float(config.error.format.lsb), other.errors, bound.drive),
            "adjoint current": (unit, real.adjoints[number], bound.adjoint_current),
            "gradient": (unit, real.gradients[number], bound.gradient),
            "weight": (lsbs[number], twin.weights()[number][None], bound.weights),
        }  # fmt: skip
        for name, (lsb, values, allowed) in rows.items():
            if name in own:
                distance = np.abs(own[name] * lsb - values[0])
                pairs[f"layer.{number} {name}"] = distance, np.broadcast_to(allowed, distance.shape)
    return pairs
