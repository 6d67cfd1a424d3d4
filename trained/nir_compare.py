"""The network in real numbers beside its integers: ranges, and the first spike that differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.model.network import Network

from .always_on import run_always_on, with_always_on
from .nir_formats import Ranges
from .nir_graph import RealNetwork

SIGNALS = ("current", "membrane")


class RealRun(NamedTuple):
    """Signals of a layer in real numbers: (W, T, M) each."""

    spikes: NDArray[np.bool_]
    current: NDArray[np.float64]
    membrane: NDArray[np.float64]
    """Before the reset"""


def run_real(network: RealNetwork, events: Events) -> list[RealRun]:
    """Run windows, each from zeros, in float64."""
    given = events.raster().astype(np.float64)
    found = []
    for layer in network.layers:
        sums = given @ layer.weights
        if layer.bias is not None:
            sums += layer.bias
        spikes = np.zeros(sums.shape, np.bool_)
        currents, membranes = np.zeros(sums.shape), np.zeros(sums.shape)
        current = membrane = np.zeros((sums.shape[0], sums.shape[2]))
        for t in range(sums.shape[1]):
            current = layer.leak_s * current + sums[:, t]
            membrane = layer.leak_m * membrane + current
            spikes[:, t], currents[:, t], membranes[:, t] = membrane > 1.0, current, membrane
            reset = membrane - 1.0 if layer.reset == "subtract" else 0.0
            membrane = np.where(membrane > 1.0, reset, membrane)
        found.append(RealRun(spikes, currents, membranes))
        given = spikes.astype(np.float64)
    return found


def ranges_of(runs: Sequence[RealRun]) -> list[Ranges]:
    """Return the largest magnitudes that the signals of each layer reached."""
    return [Ranges(*(float(np.abs(getattr(own, name)).max()) for name in SIGNALS)) for own in runs]


def compare(
    config: NetworkConfig,
    weights: Sequence[NDArray[np.int64]],
    runs: Sequence[RealRun],
    events: Events,
    labels: NDArray[np.integer] | None = None,
) -> dict[str, Any]:
    """Run the integers and report, per layer, ranges, saturations and spikes that differ.

    Parameters
    ----------
    config, weights
        The integers, as `bitlif.trained.nir_formats.quantised` returns them.
    runs : sequence of RealRun
        Of the same windows in real numbers.
    events : Events
        Without always-on inputs, which are added. Always-on neurons are left out of the report.
    labels : (W,) int or None
        Neuron of each window's class, for the accuracy before and after.

    Returns
    -------
    dict
        Of plain values: ``layers``, ``first_difference`` or None, ``accuracy`` or None.
    """
    core = Network(config)
    core.load(list(weights))
    out = core.run(with_always_on(events, config), record=SIGNALS)
    layers, first = [], None
    for number, (real, own) in enumerate(zip(runs, out.layers, strict=True)):
        neurons = real.spikes.shape[2]
        raster = own.raster[..., :neurons]
        differs = real.spikes != raster.astype(bool)
        layer = config.layers[number].config
        report: dict[str, Any] = {
            "spikes": int(real.spikes.sum()), "spikes_in_integers": int(raster.sum()),
            "spikes_that_differ": int(differs.sum()),
        }  # fmt: skip
        passed = [
            run_always_on(layer, int(total), events.steps)
            for total in weights[number][:, neurons:].sum(0)
        ]
        for name, fmt in (("current", layer.synapse.current), ("membrane", layer.membrane.format)):
            report[name] = {
                "format": str(fmt), "largest": float(np.abs(getattr(real, name)).max()),
                "limit": float(fmt.real(fmt.raw_max)),
                "saturations": int(own.counters[f"{name}_saturations"])
                - events.windows * sum(getattr(one, f"{name}_saturations") for one in passed),
            }  # fmt: skip
        layers.append(report)
        if first is None and differs.any():
            first = _first(number, differs, real, own, layer)
    return {"layers": layers, "first_difference": first, "accuracy": _accuracy(runs, out, labels)}


def _first(number: int, differs: Any, real: RealRun, own: Any, layer: Any) -> dict[str, Any]:
    """Return the place of the earliest difference of a layer, and its membranes there."""
    window, step, neuron = (int(k) for k in np.argwhere(differs)[0])
    raw = int(own.membrane[window, step, neuron])
    return {
        "layer": number, "window": window, "step": step, "neuron": neuron,
        "spike": bool(real.spikes[window, step, neuron]),
        "membrane": float(real.membrane[window, step, neuron]),
        "membrane_in_integers": float(layer.membrane.format.real(raw)), "raw": raw,
    }  # fmt: skip


def correct_windows(counts: NDArray[np.integer], labels: NDArray[np.integer]) -> int:
    """Return in how many windows the neuron of the label spikes most; the first of equals wins.

    >>> correct_windows(np.array([[3, 1], [2, 2]]), np.array([0, 1]))
    1
    """
    return int((counts.argmax(1) == labels).sum())


def _accuracy(runs: Sequence[RealRun], out: Any, labels: Any) -> dict[str, float] | None:
    if labels is None:
        return None
    counts = {"before": runs[-1].spikes.sum(1), "after": out.output.counts}
    return {name: correct_windows(own, labels) / len(labels) for name, own in counts.items()}
