"""Diagnosis of a trained layer or network: what is out of range, and what to change.

Each `Finding` is a measured value with its limits, those of `bitlif.tasks.limits`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError, BitlifTypeError
from bitlif.model.layer import Layer
from bitlif.model.targets import round_targets
from bitlif.model.text import quoted

from . import cures
from .finding import (
    Finding,
    chance_finding,
    list_finding,
    percent,
    share_finding,
    warn_of_findings,
)  # fmt: skip
from .learner import Engine, Learner, as_learner, copy_weights
from .limits import (
    ACTIVE,
    ERRORS_SATURATED,
    EXPECTED,
    EXPECTED_SPIKES,
    FIRING,
    MOST_GRADIENTS,
    MOST_WINDOWS,
    SATURATED,
    TARGET,
    UPDATES_LOST,
    WEIGHTS_AT_ENDS,
    lost_updates,
    spaced,
)
from .network_diagnosis import network_findings, spike_findings
from .task import Epoch, Examples, Task
from .training import predict

__all__ = ["Finding", "diagnose", "warn_of_findings"]

Targets = NDArray[np.float64] | None
"""Real targets of the training windows, (W, M) or (W, T, M)."""


def diagnose(
    core: Any, examples: Examples, history: list[Epoch], *, task: Task | None = None
) -> list[Finding]:
    """Return what was measured of a trained layer or network, in range or not.

    Saturations and active errors of a layer are those of the last epoch. Spikes, answers and
    updates are measured on up to `MOST_WINDOWS` windows with the final weights; layers of integers
    run them on the integer model, so that gates need no time. All of a network is measured so; see
    `bitlif.tasks.network_diagnosis`. The core does not change.

    Parameters
    ----------
    core : Core
        The trained layer or network: from `bitlif.open`, or a bare engine.
    examples : Examples
        What it was trained on, and the test windows.
    history : list of Epoch
        From `bitlif.tasks.train`; at least one.
    task : Task or None
        Gives the targets and the readout; None: targets are ``examples.train_targets``.

    Raises
    ------
    BitlifError
        If an argument has another type, or the history is empty.

    See Also
    --------
    warn_of_findings : issues the messages as warnings.
    """
    core = as_learner(core)
    if not isinstance(examples, Examples):
        raise BitlifTypeError(f"examples must be Examples, not {quoted(examples)}")
    if not history or not all(isinstance(epoch, Epoch) for epoch in history):
        raise BitlifError(f"history must be a list of at least one Epoch, not {quoted(history)}")
    found = [_input_rate(examples)]
    targets = _targets(core, examples, task)
    if targets is not None:
        found.append(_largest_target(targets))
    if isinstance(core.config, NetworkConfig):
        found += _of_network(core, examples, targets)
    elif _integer(core):
        found += _counted(core.config, examples, history[-1])
        found += _weights(core)
        found += _updates(core, examples, targets)
    if not isinstance(core.config, NetworkConfig):
        found += _spikes(core, examples, targets)
    if examples.test_labels is not None and examples.test.windows > 0:
        others = any(own.problem for own in found)
        found += _answers(core, examples, history[-1], task, others=others)
    return found


def _of_network(core: Learner, examples: Examples, targets: Targets) -> list[Finding]:
    """Return the findings on each layer of a network."""
    network: Any = core.config
    if targets is None or examples.train.windows == 0:
        return []
    if _integer(core):
        weights: Any = core.weights()
        return network_findings(network, weights, core.windows_learned(), examples.train, targets)
    chosen = spaced(examples.train.windows, MOST_WINDOWS)
    result: Any = _probe(core).run(examples.train.select(chosen), targets[chosen])
    return spike_findings(network, [own.raster for own in result.layers], targets)


def _input_rate(examples: Examples) -> Finding:
    train = examples.train
    places = max(1, train.windows * train.steps * train.units)
    problem = "" if train.count else "the training windows have no input spike"
    cure = "" if train.count else "check the data and the encoder"
    title = "input spikes, share of input-steps"
    return Finding("input_rate", title, train.count / places, problem=problem, cure=cure)


def _largest_target(targets: NDArray[np.float64]) -> Finding:
    largest = float(targets.max()) if targets.size else 0.0
    cure = "give real targets in 0 ..= 1, or one-hot labels as truth values"
    return share_finding("largest_target", "largest target", largest, TARGET, cure, least=True)


def _counted(config: Config, examples: Examples, last: Epoch) -> list[Finding]:
    """Return the findings on the counters of the last epoch."""
    counters = last.counters
    sizes, train = config.layer, examples.train
    # A layer counts an event once per neuron, so this is exact however many epochs it covers.
    per_pass = train.count * sizes.neurons
    passes = counters["synaptic_events"] / per_pass if per_pass else 1.0
    windows = passes * train.windows
    neuron_steps = windows * train.steps * sizes.neurons
    input_steps = windows * train.steps * sizes.inputs
    synapses = windows * sizes.neurons * sizes.inputs
    found = []
    for signal, counter, places, limit, where in (
        ("current", "current_saturations", neuron_steps, SATURATED, "neuron-steps"),
        ("membrane", "membrane_saturations", neuron_steps, SATURATED, "neuron-steps"),
        ("error", "error_saturations", neuron_steps, ERRORS_SATURATED, "neuron-steps"),
        ("synaptic_trace", "synaptic_trace_saturations", input_steps, SATURATED, "input-steps"),
        ("trace", "trace_saturations", input_steps, SATURATED, "input-steps"),
        ("weight", "weight_saturations", synapses, ERRORS_SATURATED, "updates"),
    ):
        # The membrane can saturate twice in a step: before and after its noise.
        share = min(1.0, counters[counter] / places) if places else 0.0
        title = f"saturated {signal.replace('_', ' ')}s, share of {where}"
        cure = (
            cures.of_weights(config) if signal == "weight" else cures.of_saturation(config, signal)
        )
        found.append(share_finding(f"{signal}_saturated", title, share, limit, cure))
    active = counters["active_errors"] / neuron_steps if neuron_steps else 0.0
    title = "errors that are not 0, share of neuron-steps"
    found.append(
        share_finding("active_errors", title, active, ACTIVE, cures.of_errors(config), least=True)
    )
    return found


def _weights(core: Learner) -> list[Finding]:
    config: Any = core.config
    fmt = config.synapse.weight
    weights = core.weights()
    share = float(((weights == fmt.raw_min) | (weights == fmt.raw_max)).mean())
    title = f"weights at an end of their format '{fmt}'"
    cure = cures.of_weights(config)
    return [share_finding("weights_at_ends", title, share, WEIGHTS_AT_ENDS, cure)]


def _updates(
    core: Learner, examples: Examples, targets: NDArray[np.float64] | None
) -> list[Finding]:
    """Return the findings on the size of updates, with the weights and the rate at the end."""
    config: Any = core.config
    train = examples.train
    if targets is None or train.windows == 0:
        return []
    most = max(1, MOST_GRADIENTS // (config.layer.inputs * config.layer.neurons))
    chosen = spaced(train.windows, min(most, MOST_WINDOWS))
    levels = _in_units(core, targets[chosen])
    result = _probe(core).run(train.select(chosen), levels, record=("gradient",))
    derived = derive(config)
    phase = derived.phases[min(core.phase(), len(derived.phases) - 1)]
    below, lost = lost_updates(
        np.asarray(result.gradient, np.int64), phase, derived.constants.random_bits
    )
    title = "updates that always round to 0, share of those that are not 0"
    return [
        Finding("updates_below_half_lsb", "updates below half an LSB", below),
        share_finding("updates_lost", title, lost, UPDATES_LOST, cures.of_lost_updates(config)),
    ]


def _spikes(
    core: Learner, examples: Examples, targets: NDArray[np.float64] | None
) -> list[Finding]:
    """Return the findings on neurons that never spike, and that always do."""
    config: Any = core.config
    # Neurons that a teacher resets need targets, which only the training windows have.
    taught = config.membrane.reset == "teacher"
    events = examples.train if taught or not examples.test.windows else examples.test
    if events.windows == 0 or (taught and targets is None):
        return []
    chosen = spaced(events.windows, MOST_WINDOWS)
    given = _in_units(core, targets[chosen]) if taught and targets is not None else None
    result = _probe(core).run(events.select(chosen), given)
    steps = result.raster.shape[0] * result.raster.shape[1]
    counts = result.counts.sum(axis=0)
    silent = counts == 0
    if targets is not None:
        expected = targets.reshape(-1, config.layer.neurons).mean(axis=0) * steps
        silent &= expected >= EXPECTED_SPIKES
    often = f"neurons that spike in over {percent(FIRING)} of all steps"
    return [
        list_finding("silent_neurons", "neurons that never spike", "neurons", silent,
                cures.of_silence(config)),
        list_finding("always_firing", often, "neurons", counts > FIRING * steps,
                cures.of_firing(config)),
    ]  # fmt: skip


def _targets(core: Learner, examples: Examples, task: Task | None) -> Targets:
    """Return the real targets of the training windows, (W, M) or (W, T, M), if there are any."""
    targets = examples.train_targets
    if task is not None:
        targets = task.targets(examples, outer(core.config).layer.neurons)
    return None if targets is None else np.asarray(targets, np.float64)


def _answers(
    core: Learner, examples: Examples, last: Epoch, task: Task | None, *, others: bool
) -> list[Finding]:  # fmt: skip
    """Return the findings on the accuracy and on classes that are never the answer."""
    labels = np.asarray(examples.test_labels)
    sizes = np.bincount(labels)
    found = []
    if task is not None:
        answers, _ = predict(core, task, examples=examples, probe=_probe(core))
        missing = (sizes >= EXPECTED) & (
            np.bincount(answers, minlength=sizes.size)[: sizes.size] == 0
        )
        cure = "train for more epochs, or lower learning.rate"
        if isinstance(core.config, NetworkConfig):
            cure = "train for more epochs, or lower the rates of all schedules"
        else:
            cure = cures.lower_gain(core.config, cures.FAR) or cure
        title = "classes that are never the answer"
        found.append(list_finding("unused_classes", title, "classes", missing, cure))
    if math.isfinite(last.test_accuracy):
        alone = not others and not any(own.problem for own in found)
        right, chance = round(last.test_accuracy * labels.size), float(sizes.max() / labels.size)
        found.append(chance_finding(right, labels.size, chance, alone=alone))
    return found


def _in_units(core: Learner, targets: NDArray[np.float64]) -> NDArray[Any]:
    """Return real targets in the units of a layer."""
    return round_targets(outer(core.config), targets) if core.units == "raw" else targets


def _integer(core: Learner) -> bool:
    """Return whether a layer computes in integers: the model, gates or a board."""
    return core.backend != "float"


def _probe(core: Learner) -> Learner:
    """Return a layer with the weights of `core`, on a model."""
    config = core.config
    bare = _integer(core) and not isinstance(config, NetworkConfig)
    probe = Engine(Layer(outer(config))) if bare else core.fresh()
    copy_weights(core, probe)
    return probe
