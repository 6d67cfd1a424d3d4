"""The layers of a trained network: spikes, synaptic operations and counters of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

import bitlif
from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.model.result import Result
from bitlif.scripts.console.terminal import result_table
from bitlif.sim.backends.core import Core
from bitlif.sim.backends.network_core import NetworkCore
from bitlif.sim.backends.network_result import NetworkCoreResult
from bitlif.tasks.learner import copy_weights
from bitlif.tasks.task import Examples

R = TypeVar("R", bound=Result)


class LayerWork(NamedTuple):
    """What one layer does in the test windows.

    Attributes
    ----------
    spikes : int
    operations : int
        Synaptic operations: a weight added for an input spike.
    shown : Events
        Its spikes in one of the windows.
    """

    spikes: int
    operations: int
    shown: Events


def test_work(core: Core, probe: Core, examples: Examples, shown: int) -> list[LayerWork]:
    """Run the test windows as in the test, and return what each layer of a network does.

    Parameters
    ----------
    core : Core
        Its weights are used.
    probe : Core
        The core that runs.
    examples : Examples
    shown : int
        Number of the window whose spikes are kept.

    Returns
    -------
    list of LayerWork
        Empty for a single layer.
    """
    if not isinstance(probe, NetworkCore) or not examples.test.windows:
        return []
    if not probe.records:
        # A netlist shows only its ports: the model has the same bits.
        probe = bitlif.open(probe.config, "model")
    probe.reset()
    copy_weights(core, probe)
    run = run_apart if examples.independent else NetworkCore.run
    return [
        LayerWork(
            int(own.counts.sum()), own.counters["synaptic_events"],
            Events.from_raster(np.asarray(own.raster[[shown]], np.bool_)),
        )
        for own in run(probe, examples.test).layers
    ]  # fmt: skip


def run_apart(
    core: NetworkCore, events: Events, *, record: Sequence[str] = ()
) -> NetworkCoreResult:
    """Run each window from a reset, and return one result of all, without signatures."""
    core.reset()
    parts = []
    for window in range(events.windows):
        parts.append(core.run(events.select([window]), record=record))
        core.reset()
    layers = tuple(
        _joined([part.layers[number] for part in parts], record)
        for number in range(len(core.config.layers))
    )
    none = np.zeros((0, events.steps), np.int64)
    return replace(_joined(parts, record), layers=layers, step_signatures=none)


def _joined(parts: Sequence[R], record: Sequence[str]) -> R:
    """Return the results of successive windows as one."""
    first = parts[0]
    counters = {name: sum(part.counters[name] for part in parts) for name in first.counters}
    names = ["raster", *(name for name in record if getattr(first, name) is not None)]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in names
    }
    return replace(first, counters=counters, **arrays)


def layer_report(core: Core, work: Sequence[LayerWork], windows: int) -> dict[str, Any]:
    """Return the entry `layers` of the report of a network; nothing for a single layer.

    Parameters
    ----------
    core : Core
        After the training.
    work : sequence of LayerWork
        Of the test windows; empty if there are none. Spikes and operations are then those of the
        training windows, as far as they are counted.
    windows : int
        Number of test windows.
    """
    if not isinstance(core, NetworkCore):
        return {}
    network: NetworkConfig = core.config
    counted, learned = core.layer_counters(), max(core.windows_learned(), 1)
    found = []
    for number, own in enumerate(network.layers):
        facts: dict[str, Any] = {
            "inputs": own.config.layer.inputs,
            "neurons": own.config.layer.neurons,
            "learned": number >= network.learned_from,
        }
        if work:
            facts["spikes_per_window"] = work[number].spikes / windows
            facts["synaptic_operations_per_window"] = work[number].operations / windows
        else:
            # A netlist does not show the spikes of hidden layers.
            after = [own.get("synaptic_events") for own in counted[number : number + 2]]
            if after[1:] and after[1] is not None:
                # Each spike is an event of every neuron of the next layer.
                neurons = network.layers[number + 1].config.layer.neurons
                facts["spikes_per_window"] = after[1] / neurons / learned
            if after[0] is not None:
                facts["synaptic_operations_per_window"] = after[0] / learned
        found.append({**facts, **counted[number]})
    return {"layers": found}


def layer_table(report: dict[str, Any]) -> Any:
    """Return a table of the layers of a report, side by side; None without layers."""
    layers: list[dict[str, Any]] = report.get("layers", [])
    if not layers:
        return None
    names = dict.fromkeys(name for own in layers for name in own)
    rows = [(name.replace("_", " "), *(_cell(own.get(name)) for own in layers)) for name in names]
    columns = ("", *(f"layer.{number}" for number in range(len(layers))))
    return result_table("layers", columns, rows)


def _cell(value: Any) -> Any:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else value
