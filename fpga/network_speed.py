"""The speed of the core of a network at a clock, from windows that the exact formula is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.network_clocks import window_clocks
from bitlif.model.network_result import NetworkResult
from bitlif.model.result import Result

SPARSE = 4
"""Each how-manieth input, and neuron, spikes in the steps by which widths are compared."""


@dataclass(frozen=True, slots=True)
class WindowClocks:
    """Clock cycles of windows of a network, until all layers are idle.

    Attributes
    ----------
    quiet : int
        Of a window without spikes and errors.
    sparse : int
        Of a window in which every 4th input and neuron spikes in every step, every hidden neuron
        that spikes has a surrogate derivative, and no adjoint current is zero.
    full : int
        Of such a window in which all inputs and neurons spike.
    """

    quiet: int
    sparse: int
    full: int


@dataclass(frozen=True, slots=True)
class NetworkSpeed:
    """The speed of the core of a network at a clock frequency, if its streams never stall.

    Attributes
    ----------
    run, learned : WindowClocks
        Of windows that are run, and of those that are learned; all 0 without learning hardware.
    runs_per_s, learned_per_s : float
        Sparse windows per second, one after another; see `WindowClocks`.
    operations_per_s : float
        Most synaptic operations per second: the weights of a row of every layer in a clock cycle.
    """

    run: WindowClocks
    learned: WindowClocks
    runs_per_s: float
    learned_per_s: float
    operations_per_s: float


def network_speed(config: NetworkConfig, mhz: float, *, learning: bool = True) -> NetworkSpeed:
    """Return the speed of the core of a network at a clock frequency.

    Parameters
    ----------
    config : NetworkConfig
    mhz : float
    learning : bool
        Whether the core has learning hardware.
    """
    hertz = 1e6 * mhz
    run = _windows(config, learn=False, learning=learning)
    learned = _windows(config, learn=True, learning=True) if learning else WindowClocks(0, 0, 0)
    per_s = hertz / learned.sparse if learning else 0.0
    width = sum(gate_sizes(own.config).synapses for own in config.layers)
    return NetworkSpeed(run, learned, hertz / run.sparse, per_s, hertz * width)


def sparse_clocks(config: NetworkConfig, *, learning: bool) -> int:
    """Return the clock cycles of a sparse window, learned if the core can learn."""
    return _clocks(config, SPARSE, learn=learning, learning=learning)


def _windows(config: NetworkConfig, *, learn: bool, learning: bool) -> WindowClocks:
    counts = (_clocks(config, each, learn=learn, learning=learning) for each in (0, SPARSE, 1))
    return WindowClocks(*counts)


def _clocks(config: NetworkConfig, each: int, *, learn: bool, learning: bool) -> int:
    """Return the clock cycles of a window in which each `each`-th unit spikes; 0: none does."""
    outer = config.outer
    steps = outer.window.steps
    inputs = np.zeros((1, steps, outer.layer.inputs), bool)
    layers, adjoints = [], []
    for number, own in enumerate(config.layers):
        shape = (1, steps, own.config.layer.neurons)
        raster, fmt = np.zeros(shape, np.uint8), own.config.membrane.format
        # At the threshold a surrogate derivative is not zero; at an end of the format it is.
        membrane = np.full(shape, fmt.raw_min, np.int64)
        if each:
            raster[:, :, ::each] = 1
            membrane[:, :, ::each] = config.derived(number).constants.threshold
        layers.append(Result(raster, membrane=membrane))
        adjoints.append(np.full(shape, bool(each), np.int64))
    if each:
        inputs[:, :, ::each] = 1
    result = NetworkResult(tuple(layers), adjoints=tuple(adjoints))
    events = Events.from_raster(inputs)
    clocks = window_clocks(config, events, result, learn=learn, learning_core=learning)
    return int(clocks[0])
