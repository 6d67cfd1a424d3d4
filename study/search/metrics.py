"""The metrics of a study: names, units, directions and storage costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.state import state_variables
from bitlif.tasks.registry import get
from bitlif.tasks.task import Task

from .base import AnyConfig
from .network_metrics import network_bits, network_weight_bits

EXTRAS = ("float", "estimate", "synthesis", "diagnosis")
"""Optional measurements of a study; "estimate" and "synthesis" exclude each other."""

OF_GATES = ("estimate", "synthesis")
"""Those of gates. Networks have only the first."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, which is a column of the results.

    Attributes
    ----------
    name, title, unit : str
        Name of the column, title and unit for readers.
    direction : str
        ``"max"`` or ``"min"``, whichever is better.
    whole : bool
        Whether the values are integers.
    group : str
        ``""`` for metrics of every study; else one of `EXTRAS`, or the name of a task.
    """

    name: str
    title: str
    unit: str
    direction: str
    whole: bool = False
    group: str = ""


BASIC = (
    Metric("spikes", "output spikes", "a decision", "min"),
    Metric("synaptic_operations", "synaptic operations", "a decision", "min"),
    Metric("learning_operations", "learning operations", "a training window", "min"),
    Metric("saturations", "saturations", "a training window", "min"),
    Metric("bits", "bits that the layer stores", "bits", "min", whole=True),
    Metric("weight_bits", "bits of all weights", "bits", "min", whole=True),
)  # fmt: skip
"""Metrics of every task, besides its own (`bitlif.tasks.task.Task.measures`).

A decision is a window without learning: a test window, or the window of the teacher. Synaptic
operations are input events times neurons; learning operations are active errors times inputs.
"""

NETWORK_TITLES = {
    "bits": "bits that the network stores",
    "saturations": "saturations of all layers",
}
"""Titles of the basic metrics of a network, where they differ."""

HIDDEN = Metric("hidden_spikes", "spikes of hidden layers", "a decision", "min")
"""Metric that only networks have, which follows the output spikes.

In a network, synaptic operations are those of all layers, and learning operations are those of
`bitlif.study.search.network_metrics.sweep_operations`.
"""

TWIN = (
    Metric("float_accuracy", "float twin's result", "as the integers'", "max", group="float"),
    Metric("float_gap", "float twin's result less the integers'", "as theirs", "min",
           group="float"),
    Metric("weight_distance", "distance of the weights from the float twin's",
           "RMS over RMS of the twin's", "min", group="float"),
)  # fmt: skip

AREA = (
    Metric("cells", "logic cells", "cells", "min", whole=True),
    Metric("flip_flops", "flip-flops", "flip-flops", "min", whole=True),
    Metric("block_rams", "block RAMs", "blocks", "min", whole=True),
    Metric("multipliers", "multipliers", "blocks", "min", whole=True),
    Metric("mhz", "clock", "MHz", "max"),
    Metric("steps_per_s", "full steps a second", "steps/s", "max"),
)
"""Metrics of area.

An estimate covers the core and its surroundings on the board, at the median clock frequency of
placements there. Synthesis covers the core in a harness with few pins, on the device of the board's
family in `bitlif bench gates`, at the clock frequency that it reaches.
"""

WINDOWS_PER_S = (
    Metric("learned_per_s", "sparse windows learned a second", "windows/s", "max"),
    Metric("runs_per_s", "sparse windows run a second", "windows/s", "max"),
)
"""Speeds of networks, in place of steps; see `bitlif.fpga.network_speed`."""


def _share(name: str, title: str, of: str, direction: str = "min") -> Metric:
    return Metric(name, title, f"share of {of}", direction, group="diagnosis")


DIAGNOSIS = (
    _share("chance", "largest class of the test set", "windows", "max"),
    Metric("test_windows", "test windows", "windows", "max", whole=True, group="diagnosis"),
    _share("current_saturated", "saturated currents", "neuron-steps"),
    _share("membrane_saturated", "saturated membranes", "neuron-steps"),
    _share("error_saturated", "saturated errors", "neuron-steps"),
    _share("synaptic_trace_saturated", "saturated synaptic traces", "input-steps"),
    _share("trace_saturated", "saturated traces", "input-steps"),
    _share("weight_saturated", "saturated weights", "updates"),
    _share("active_errors", "errors that are not 0", "neuron-steps", "max"),
    _share("weights_at_ends", "weights at an end of their format", "weights"),
    _share("updates_lost", "updates that always round to 0", "updates"),
    Metric("silent_neurons", "neurons that never spike", "neurons", "min", whole=True,
           group="diagnosis"),
    Metric("always_firing", "neurons that spike in nearly all steps", "neurons", "min", whole=True,
           group="diagnosis"),
    Metric("unused_classes", "classes that are never the answer", "classes", "min", whole=True,
           group="diagnosis"),
)  # fmt: skip
"""What `bitlif.tasks.diagnosis.diagnose` finds, and the accuracy that a constant answer reaches.

Only tasks with classes have `chance`, `test_windows` and `unused_classes`.
"""


def metrics_of(
    task: Task | str, extras: tuple[str, ...], *, network: bool = False
) -> tuple[Metric, ...]:
    """Return the metrics of a task, in the order of the columns.

    Parameters
    ----------
    task : Task or str
    extras : tuple of str
        Optional measurements, from `EXTRAS`.
    network : bool
        Whether a network learns the task.
    """
    group = task if isinstance(task, str) else task.name
    of_task = tuple(
        Metric(one.name, one.title, one.unit, one.direction, group=group)
        for one in get(task).measures
    )
    basic = of_task + (_basic_of_networks() if network else BASIC)
    twin = TWIN if "float" in extras else ()
    area: tuple[Metric, ...] = ()
    if set(OF_GATES) & set(extras):
        area = (*AREA[:-1], *WINDOWS_PER_S) if network else AREA
    return basic + twin + area + (DIAGNOSIS if "diagnosis" in extras else ())


def _basic_of_networks() -> tuple[Metric, ...]:
    spikes, *rest = (replace(one, title=NETWORK_TITLES.get(one.name, one.title)) for one in BASIC)
    return (spikes, HIDDEN, *rest)


def weight_bits(config: AnyConfig) -> int:
    """Return the number of bits of all weights."""
    if not isinstance(config, Config):
        return network_weight_bits(config)
    sizes = config.layer
    return sizes.inputs * sizes.neurons * config.synapse.weight.bits


def stored_bits(config: AnyConfig) -> int:
    """Return the number of bits that a learning layer or network stores.

    For a layer, they are the weights, gradient accumulators, synaptic currents, membrane
    potentials, both traces, both columns of the error table, and the LFSR registers; for a network
    see `bitlif.study.search.network_metrics.network_bits`.
    """
    if not isinstance(config, Config):
        return network_bits(config)
    sizes, ranges = config.layer, derive(config).ranges
    synapses = sizes.inputs * sizes.neurons
    noise, learning = config.noise.lfsr, config.learning
    lfsrs = sizes.lanes if noise.sharing != "shared" else 1
    registers = lfsrs * noise.width if config.noise.drawn else 0
    if learning.random_bits:
        lfsrs = sizes.lanes if learning.lfsr.sharing != "shared" else 1
        registers += lfsrs * learning.lfsr.width
    return (
        sum(variable.count(config) * variable.format(config).bits for variable in state_variables())
        + synapses * ranges["gradient"].bits
        + (2 << config.error.index_bits) * config.error.entry.bits
        + registers
    )
