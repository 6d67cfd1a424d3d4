"""Diagnosis of the layers of a trained network; `bitlif.tasks.diagnosis` uses it.

A copy of the network learns training windows once more, at its last learning rates. What it counts
and records is compared with limits, layer by layer. Findings of the last layer have the names of
those of a single layer; those of hidden layers have the prefix ``layer.N.``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.model.initial import raw_bounds
from bitlif.model.network import Network
from bitlif.model.network_result import NetworkResult
from bitlif.model.targets import round_targets

from . import network_cures
from .finding import Finding, list_finding, percent, share_finding
from .limits import (
    ACTIVE,
    ERRORS_SATURATED,
    EXPECTED_SPIKES,
    FIRING,
    MOST_GRADIENTS,
    MOST_WINDOWS,
    SATURATED,
    UPDATES_LOST,
    WEIGHTS_AT_ENDS,
    lost_updates,
    spaced,
)

SILENT = 0.75
"""Largest share of hidden neurons that may never spike. Half of them do in some that learn."""

CONSTANT = 0.5
"""Largest share of hidden neurons that may always spike."""

CLOSED = 0.995
"""Largest share of neuron-steps with a surrogate derivative of 0; 60 to 95 % are usual."""

CREDIT = 0.001
"""Smallest share of adjoint currents of a hidden layer that are not 0."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a copy of a network did.

    Attributes
    ----------
    network : NetworkConfig
    weights : list of (N, M) int64
    result : NetworkResult
        Of learning, with membranes, adjoints and gradients.
    rasters : sequence of (W, T, M)
        Spikes of all layers without learning.
    targets : (W, M) or (W, T, M)
        All real targets.
    learned : int
        Windows learned before.
    """

    network: NetworkConfig
    weights: list[NDArray[np.int64]]
    result: NetworkResult
    rasters: Sequence[NDArray[Any]]
    targets: NDArray[np.float64]
    learned: int


def network_findings(
    network: NetworkConfig,
    weights: list[NDArray[np.int64]],
    learned: int,
    train: Events,
    targets: NDArray[np.float64],
) -> list[Finding]:
    """Return what was measured of each layer of a trained network, in range or not.

    Parameters
    ----------
    network : NetworkConfig
    weights : list of (N, M) int64
        Its raw weights.
    learned : int
        Windows that it has learned, which decides on the phase of the schedules.
    train : Events
        Training windows; at least one.
    targets : (W, M) or (W, T, M) float64
        Their real targets.
    """
    sizes = [own.config.layer for own in network.layers]
    each = max(
        sum(own.inputs * own.neurons for own in sizes),
        train.steps * sum(own.neurons for own in sizes),
    )
    chosen = spaced(train.windows, max(1, min(MOST_WINDOWS, MOST_GRADIENTS // each)))
    model = Network(_at_phase(network, learned))
    model.load(weights)
    levels = round_targets(network.outer, targets[chosen])
    result = model.learn(train.select(chosen), levels, record=("membrane", "adjoints", "gradients"))
    rasters = [own.raster for own in result.layers]
    if chosen.size < min(train.windows, MOST_WINDOWS):
        rasters = _rasters(network, weights, train, targets)
    measured = Measured(network, weights, result, rasters, targets, learned)
    found = []
    for number in range(len(network.layers)):
        hidden = network.is_hidden(number)
        own = [
            *_forward(measured, number),
            *(_swept(measured, number) if number >= network.learned_from else []),
            *(_hidden_spikes(measured, number, train) if hidden else _spikes(measured)),
        ]
        found += [_placed(one, number) for one in own] if hidden else own
    found = _with_sources(network, rasters, found)
    return [*found, _fixed(network)] if len(network.layers) > 1 else found


def spike_findings(
    network: NetworkConfig, rasters: Sequence[NDArray[Any]], targets: NDArray[np.float64] | None
) -> list[Finding]:
    """Return the findings on silent and always firing neurons, for networks of real numbers."""
    found = []
    for number, raster in enumerate(rasters[:-1]):
        own = _shares(raster)
        found += [_placed(one, number) for one in _hidden_findings(network, number, *own, None)]
    found += _last_spikes(network, rasters[-1], targets)
    return _with_sources(network, rasters, found)


def _with_sources(
    network: NetworkConfig, rasters: Sequence[NDArray[Any]], found: list[Finding]
) -> list[Finding]:
    """Return the findings, with silence that a layer before causes cured in that layer.

    No gain or weight makes neurons spike whose inputs do not. A layer causes it if it has less
    than one spike in a window; of several in a row, the first one does.
    """
    quiet = [raster.sum() < raster.shape[0] for raster in rasters]
    cures = {own.name: own.cure for own in found}
    names = [f"layer.{number}.silent_neurons" for number in range(len(rasters) - 1)]
    for number, name in enumerate([*names, "silent_neurons"]):
        source = number
        while source and quiet[source - 1]:
            source -= 1
        if source < number:
            cure = cures[names[source]] or network_cures.of_silence(network, source)
            cure = f"layer.{source} hardly spikes: {cure}"
            found = [
                replace(own, cure=cure) if own.name == name and own.problem else own
                for own in found
            ]
    return found


def _placed(finding: Finding, number: int) -> Finding:
    """Return a finding with the name of its layer."""
    problem = f"layer.{number}: {finding.problem}" if finding.problem else ""
    return replace(
        finding, name=f"layer.{number}.{finding.name}", title=f"layer.{number}: {finding.title}",
        problem=problem,
    )  # fmt: skip


def _at_phase(network: NetworkConfig, learned: int) -> NetworkConfig:
    """Return a network whose schedules consist of the phase that follows the learned windows."""
    layers = []
    for own in network.layers:
        phase, end = own.config.schedule[-1], 0
        for one in own.config.schedule[:-1]:
            end += one.windows
            if learned < end:
                phase = one
                break
        config = replace(own.config, schedule=(replace(phase, windows=0),))
        layers.append(replace(own, config=config))
    return replace(network, layers=tuple(layers))


def _rasters(
    network: NetworkConfig,
    weights: list[NDArray[np.int64]],
    events: Events,
    targets: NDArray[np.float64],
) -> list[NDArray[Any]]:
    """Return the spikes of all layers on up to `MOST_WINDOWS` windows."""
    chosen = spaced(events.windows, MOST_WINDOWS)
    model = Network(network)
    model.load(weights)
    taught = network.outer.membrane.reset == "teacher"
    levels = round_targets(network.outer, targets[chosen]) if taught else None
    return [own.raster for own in model.run(events.select(chosen), levels).layers]


def _forward(measured: Measured, number: int) -> list[Finding]:
    """Return the findings on saturations of current and membrane, and on the weights."""
    network, result = measured.network, measured.result.layers[number]
    config, places = network.layers[number].config, max(1, result.raster.size)
    found = []
    for signal in ("current", "membrane"):
        share = min(1.0, result.counters[f"{signal}_saturations"] / places)
        title = f"saturated {signal}s, share of neuron-steps"
        cure = network_cures.of_saturation(network, number, signal)
        found.append(share_finding(f"{signal}_saturated", title, share, SATURATED, cure))
    fmt, weights = config.synapse.weight, measured.weights[number]
    share = float(((weights == fmt.raw_min) | (weights == fmt.raw_max)).mean())
    title = f"weights at an end of their format '{fmt}'"
    cure = network_cures.of_saturation(network, number, "weight")
    found.append(share_finding("weights_at_ends", title, share, WEIGHTS_AT_ENDS, cure))
    return found


def _swept(measured: Measured, number: int) -> list[Finding]:
    """Return the findings on the sweep and the updates of a layer that is learned."""
    network, hidden = measured.network, measured.network.is_hidden(number)
    config, result = network.layers[number].config, measured.result.layers[number]
    counters = measured.result.sweep_counters[number]
    places = max(1, result.raster.size)
    found = []
    signals = [("adjoint_membrane", "adjoint membranes"), ("adjoint_current", "adjoint currents")]
    signals.insert(0, ("credit", "credits") if hidden else ("error", "errors"))
    for signal, noun in signals:
        share = counters[f"{signal}_saturations"] / places
        cure = network_cures.of_saturation(network, number, signal)
        title = f"saturated {noun}, share of neuron-steps"
        found.append(share_finding(f"{signal}_saturated", title, share, ERRORS_SATURATED, cure))
    gradient = np.asarray(measured.result.gradients[number], np.int64)
    updates = max(1, gradient.size)
    if network.layers[number].sweep.update == "spike":
        # Each spike is an update of its own, by an adjoint current.
        gradient = np.asarray(measured.result.adjoints[number], np.int64)
        updates = max(1, result.counters["synaptic_events"])
    share = min(1.0, counters["weight_saturations"] / updates)
    title = "saturated weights, share of updates"
    cure = network_cures.of_saturation(network, number, "weight")
    found.append(share_finding("weight_saturated", title, share, ERRORS_SATURATED, cure))
    if not hidden:
        title, active = "errors that are not 0, share of neuron-steps", counters["active_errors"]
        cure = network_cures.of_errors(network)
        share = active / places
        found.append(share_finding("active_errors", title, share, ACTIVE, cure, least=True))
    derived = network.derived_sweep(number)
    phase = derived.phases[_phase(config.schedule, measured.learned)]
    below, lost = lost_updates(gradient, phase, config.learning.random_bits)
    found.append(Finding("updates_below_half_lsb", "updates below half an LSB", below))
    if gradient.any():
        title = "updates that always round to 0, share of those that are not 0"
        cure = network_cures.of_lost_updates(network, number)
        found.append(share_finding("updates_lost", title, lost, UPDATES_LOST, cure))
    return [*found, *_credit(measured, number)] if hidden else found


def _credit(measured: Measured, number: int) -> list[Finding]:
    """Return the findings on surrogate windows and on the credit of a hidden layer."""
    network, result = measured.network, measured.result.layers[number]
    threshold = network.derived(number).constants.threshold
    width = network.derived_sweep(number).constants.surrogate.width
    assert result.membrane is not None
    closed = float((np.abs(result.membrane - threshold) >= width).mean())
    title = "surrogate derivatives that are 0, share of neuron-steps"
    cure = network_cures.of_closed_windows(network, number)
    found = [share_finding("closed_windows", title, closed, CLOSED, cure)]
    active = float((measured.result.adjoints[number] != 0).mean())
    title = "adjoint currents that are not 0, share of neuron-steps"
    # If the last layer has no errors left, there is nothing to be credited with.
    if (measured.result.adjoints[-1] != 0).mean() < ACTIVE:
        return [*found, Finding("active_adjoints", title, active)]
    cure = network_cures.of_no_credit(
        network, number, zeros=_zeros(network, measured.weights, number), closed=closed > CLOSED
    )
    found.append(share_finding("active_adjoints", title, active, CREDIT, cure, least=True))
    return found


def _zeros(network: NetworkConfig, weights: list[NDArray[np.int64]], number: int) -> int | None:
    """Return the layer whose zero weights keep a hidden layer from learning, if there is one."""
    for place in (number, number + 1):
        own = network.layers[place]
        if raw_bounds(own.config.synapse.weight, own.initial) == (0, 0):
            return place
        if not weights[place].any():
            return place
    return None


def _phase(schedule: Sequence[Any], learned: int) -> int:
    ends = np.cumsum([phase.windows for phase in schedule[:-1]])
    return int((learned >= ends).sum())


def _shares(raster: NDArray[Any]) -> tuple[float, float]:
    """Return the shares of neurons that never spike, and that always do."""
    counts = raster.sum(axis=(0, 1))
    steps = raster.shape[0] * raster.shape[1]
    return float((counts == 0).mean()), float((counts > FIRING * steps).mean())


def _hidden_spikes(measured: Measured, number: int, train: Events) -> list[Finding]:
    """Return the findings on hidden neurons that never spike, and that always do."""
    network = measured.network
    silent, firing = _shares(measured.rasters[number])
    before = None
    if silent > SILENT or firing > CONSTANT:
        # Were they so from the start?
        start = network.initial_weights()
        before = _shares(_rasters(network, start, train, measured.targets)[number])
    return _hidden_findings(network, number, silent, firing, before)


def _hidden_findings(
    network: NetworkConfig, number: int, silent: float, firing: float,
    before: tuple[float, float] | None,
) -> list[Finding]:  # fmt: skip
    from_start = before is not None and before[0] > SILENT
    cure = network_cures.of_silence(network, number, from_start=from_start)
    found = [share_finding("silent_neurons", "neurons that never spike", silent, SILENT, cure)]
    from_start = before is not None and before[1] > CONSTANT
    cure = network_cures.of_firing(network, number, from_start=from_start)
    title = f"neurons that spike in over {percent(FIRING)} of all steps"
    return [*found, share_finding("always_firing", title, firing, CONSTANT, cure)]


def _spikes(measured: Measured) -> list[Finding]:
    return _last_spikes(measured.network, measured.rasters[-1], measured.targets)


def _last_spikes(
    network: NetworkConfig, raster: NDArray[Any], targets: NDArray[np.float64] | None
) -> list[Finding]:
    """Return the findings on the neurons of the last layer, as for a single layer."""
    counts, last = raster.sum(axis=(0, 1)), len(network.layers) - 1
    steps = raster.shape[0] * raster.shape[1]
    silent = counts == 0
    if targets is not None:
        expected = targets.reshape(-1, raster.shape[2]).mean(axis=0) * steps
        silent &= expected >= EXPECTED_SPIKES
    often = f"neurons that spike in over {percent(FIRING)} of all steps"
    return [
        list_finding("silent_neurons", "neurons that never spike", "neurons", silent,
                network_cures.of_silence(network, last)),
        list_finding("always_firing", often, "neurons", counts > FIRING * steps,
                network_cures.of_firing(network, last)),
    ]  # fmt: skip


def _fixed(network: NetworkConfig) -> Finding:
    """Return how many hidden layers are fixed; a problem if a layer after them causes it."""
    fixed = network.learned_from
    title = "hidden layers that are not learned"
    chosen = all(own.sweep.feedback == "none" for own in network.layers[:fixed])
    if chosen:
        return Finding("fixed_layers", title, float(fixed), "layers")
    shown = ", ".join(f"layer.{number}" for number in range(fixed))
    problem = f"{title}: {shown}, as layer.{fixed - 1}.sweep.feedback is 'none'"
    cure = f"layer.{fixed - 1}.sweep.feedback = 'transpose', or 'none' in all of these layers"
    return Finding(
        "fixed_layers", title, float(fixed), "layers", high=0.0, problem=problem, cure=cure
    )
