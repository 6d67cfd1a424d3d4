"""What a network stores, and the work of its sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bitlif.model.config.network import NetworkConfig, NetworkLayer
from bitlif.model.events import Events
from bitlif.model.state import state_variables
from bitlif.model.surrogate import BINS
from bitlif.model.sweep_sections import SweepRounding


def network_weight_bits(network: NetworkConfig) -> int:
    """Return the number of bits of all weights."""
    return sum(_synapses(own) * own.config.synapse.weight.bits for own in network.layers)


def network_bits(network: NetworkConfig) -> int:
    """Return the number of bits that a learning network stores.

    They are those of `forward_bits`, `sweep_bits` and `window_bits`.
    """
    return forward_bits(network) + sweep_bits(network) + window_bits(network)


def forward_bits(network: NetworkConfig) -> int:
    """Return the bits of weights, synaptic currents, membranes and noise LFSRs."""
    bits = 0
    for own in network.layers:
        config = own.config
        stored = state_variables("synapse", "neuron", learning=False)
        bits += sum(variable.count(config) * variable.format(config).bits for variable in stored)
        noise = config.noise.lfsr
        bits += _lfsrs(own, noise.sharing) * noise.width if config.noise.drawn else 0
    return bits


def sweep_bits(network: NetworkConfig) -> int:
    """Return the bits that only learning needs, except those of `window_bits`.

    They are, of each learned layer, both adjoint states, the gradient (unless each input spike
    updates the weights), the surrogate table (if the derivative has more than one bit), and the
    LFSRs of the sweep and of the update; and both columns of the error table of the last layer.
    """
    bits = 0
    for number in range(network.learned_from, len(network.layers)):
        own = network.layers[number]
        config, sweep = own.config, own.sweep
        bits += config.layer.neurons * (sweep.membrane.bits + sweep.current.bits)
        if sweep.update == "window":
            gradient = network.derived_sweep(number).ranges["sweep gradient"].bits
            bits += _synapses(own) * gradient
        if number < len(network.layers) - 1 and sweep.surrogate.bits > 1:
            bits += BINS * sweep.surrogate.bits
        if sweep.rounding is SweepRounding.STOCHASTIC:
            bits += _lfsrs(own, sweep.lfsr.sharing) * sweep.lfsr.width
        if config.learning.random_bits:
            lfsr = config.learning.lfsr
            bits += _lfsrs(own, lfsr.sharing) * lfsr.width
    error = network.layers[-1].config.error
    return bits + (2 << error.index_bits) * error.entry.bits


def window_bits(network: NetworkConfig) -> int:
    """Return the bits that are kept of a window until it has been swept.

    They are, in each step, the input spikes of each learned layer (which are the spikes of the
    layer before it), the surrogate derivatives of learned hidden layers, and the errors.
    """
    bits = network.layers[-1].config.layer.neurons * network.layers[-1].config.error.format.bits
    for number in range(network.learned_from, len(network.layers)):
        own = network.layers[number]
        bits += own.config.layer.inputs
        if number < len(network.layers) - 1:
            bits += own.config.layer.neurons * own.sweep.surrogate.bits
    return network.layers[0].config.window.steps * bits


def _synapses(own: NetworkLayer) -> int:
    return own.config.layer.inputs * own.config.layer.neurons


def _lfsrs(own: NetworkLayer, sharing: str) -> int:
    return own.config.layer.lanes if sharing != "shared" else 1


def sweep_operations(network: NetworkConfig, counters: Sequence[dict[str, int]]) -> int:
    """Return the operations of a sweep: sums into gradients or weights, and products for credits.

    A learned layer adds its adjoint currents for each of its input events (input events times
    neurons). A learned hidden layer multiplies each adjoint current of the next layer that is not 0
    by a weight of each of its neurons.

    Parameters
    ----------
    network : NetworkConfig
    counters : sequence of dict
        Counters of each layer over some windows that were learned.
    """
    operations = 0
    for number in range(network.learned_from, len(network.layers)):
        operations += counters[number]["synaptic_events"]
        if number < len(network.layers) - 1:
            neurons = network.layers[number].config.layer.neurons
            operations += counters[number + 1]["active_adjoints"] * neurons
    return operations


def hidden_spikes(core: Any, probe: Any, events: Events) -> float:
    """Return the spikes of all hidden layers per window, without learning.

    Parameters
    ----------
    core : Core
        The trained network.
    probe : Core
        Another core of the same configuration, which is reset and runs with its weights.
    events : Events
        W windows.
    """
    probe.reset()
    probe.load(core.weights())
    layers = probe.run(events).layers
    return sum(int(layer.raster.sum()) for layer in layers[:-1]) / events.windows
