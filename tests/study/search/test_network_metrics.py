"""What a network stores, and the operations of its sweep, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from bitlif.model.config.network import NetworkConfig, network_from_dict
from bitlif.study.search.metrics import EXTRAS, metrics_of, stored_bits, weight_bits
from bitlif.study.search.network_metrics import (
    forward_bits,
    network_bits,
    sweep_bits,
    sweep_operations,
    window_bits,
)
from bitlif.study.search.space import apply_edits

NETWORK = network_from_dict({
    "name": "three",
    "window": {"steps": 20},
    "layer": [
        {"inputs": 5, "neurons": 12, "lanes": 2, "synapse": {"weight": "s12.9"}},
        {"neurons": 6, "synapse": {"weight": "s9.6"}},
        {"neurons": 3, "synapse": {"weight": "s8.6"}},
    ],
})  # fmt: skip

SYNAPSES = (5 * 12, 12 * 6, 6 * 3)


def edited(**edits: Any) -> NetworkConfig:
    return apply_edits(NETWORK, {name.replace("__", "."): own for name, own in edits.items()})


def test_weights_and_forward_states_match_a_count_by_hand() -> None:
    weights = SYNAPSES[0] * 12 + SYNAPSES[1] * 9 + SYNAPSES[2] * 8
    assert weight_bits(NETWORK) == weights
    # Currents and membranes of 16 bits; noise LFSRs of 32 bits in two lanes and in one.
    config = NETWORK.layers[0].config
    states = config.synapse.current.bits + config.membrane.format.bits
    assert forward_bits(NETWORK) == weights + 21 * states + 4 * config.noise.lfsr.width


def test_sweep_and_window_match_a_count_by_hand() -> None:
    # Adjoints of 10 bits; gradients sum 20 of them: |sum| <= 20 * 512 < 2^14, so 15 bits; LFSRs of
    # the sweep and of the update of 29 and 31 bits, in two lanes and in one; the error table.
    last = NETWORK.layers[-1].config
    table = (2 << last.error.index_bits) * last.error.entry.bits
    registers = 4 * (29 + last.learning.lfsr.width)
    assert sweep_bits(NETWORK) == 21 * 20 + sum(SYNAPSES) * 15 + registers + table
    # In each step: the spikes of inputs and hidden layers, a derivative of one bit for each hidden
    # neuron, and an error for each output.
    assert window_bits(NETWORK) == 20 * ((5 + 12 + 6) + (12 + 6) + 3 * last.error.format.bits)
    parts = forward_bits(NETWORK) + sweep_bits(NETWORK) + window_bits(NETWORK)
    assert network_bits(NETWORK) == stored_bits(NETWORK) == parts


def test_what_is_left_out_is_not_stored() -> None:
    whole = sweep_bits(NETWORK)
    direct = edited(**{"layer.*.sweep.update": "spike"})
    assert sweep_bits(direct) == whole - sum(SYNAPSES) * 15
    plain = edited(**{"layer.*.sweep.rounding": "toward_zero"})
    assert sweep_bits(plain) == whole - 4 * 29
    fine = edited(layer__0__sweep__surrogate__bits=4)
    assert sweep_bits(fine) == whole + 64 * 4
    assert window_bits(fine) == window_bits(NETWORK) + 20 * 12 * 3
    # With the second layer fixed, only the last one is swept; only its inputs are kept.
    fixed = edited(layer__1__sweep__feedback="none")
    assert fixed.learned_from == 2
    assert window_bits(fixed) == 20 * (6 + 3 * NETWORK.layers[-1].config.error.format.bits)
    assert sweep_bits(fixed) < sweep_bits(edited(layer__0__sweep__feedback="none")) < whole
    assert forward_bits(fixed) == forward_bits(NETWORK)


def test_operations_are_those_of_learned_layers() -> None:
    counters = [
        {"synaptic_events": 100, "active_adjoints": 40},
        {"synaptic_events": 70, "active_adjoints": 30},
        {"synaptic_events": 20, "active_adjoints": 10},
    ]
    assert sweep_operations(NETWORK, counters) == (100 + 30 * 12) + (70 + 10 * 6) + 20
    fixed = edited(layer__0__sweep__feedback="none")
    assert sweep_operations(fixed, counters) == (70 + 10 * 6) + 20


def test_metrics_of_networks_add_hidden_spikes() -> None:
    layer = [own.name for own in metrics_of("patterns", EXTRAS)]
    network = [own.name for own in metrics_of("patterns", EXTRAS, network=True)]
    # Networks have two rates of windows in place of the rate of steps.
    at = layer.index("steps_per_s")
    expected = [*layer[:at], "learned_per_s", "runs_per_s", *layer[at + 1 :]]
    assert [name for name in network if name != "hidden_spikes"] == expected
    assert network.index("hidden_spikes") == network.index("spikes") + 1


@pytest.mark.parametrize("bits", [6, 10])
def test_gradient_follows_the_adjoint_current(bits: int) -> None:
    narrow = edited(**{"layer.*.sweep.current.bits": bits})
    change = sum(SYNAPSES) * (bits - 10) + 21 * (bits - 10)
    assert sweep_bits(narrow) == sweep_bits(NETWORK) + change
