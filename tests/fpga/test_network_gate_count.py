"""Counted gates of networks against the RTLIL that Amaranth makes of the same core.

Memories and products are compared exactly, registers and adders within the bounds of
`tests/fpga/test_gate_count.py`.
"""

from __future__ import annotations

import functools
from collections import Counter

import pytest
from amaranth.back import rtlil
from networks import random_networks, sweepable, with_option
from rtlil_cells import cells, factors, memories

from bitlif.fpga.gate_count_network import count_network
from bitlif.fpga.gate_count_neuron import count_noise
from bitlif.fpga.gate_tally import GateTally
from bitlif.fpga.network_samples import network_sample
from bitlif.hdl.network import NetworkCore
from bitlif.model.config.network import NetworkConfig

from strategies import OPTIONS

NAMES = ("network-1", "network-8", "random-3", "network-1, no synaptic filter")
"""Updates by window and by spike, wide and narrow rows, two layers and more, and an option."""

EACH = pytest.mark.parametrize("name", NAMES)
VARIANTS = pytest.mark.parametrize("learning", [True, False], ids=["learning", "inference"])


@functools.cache
def network(name: str) -> NetworkConfig:
    drawn, _, option = name.partition(", ")
    if option:
        changed = with_option(network(drawn), option)
        assert changed is not None
        return changed
    kind, _, number = name.partition("-")
    if kind == "network":
        return network_sample(name)[0]
    return sweepable(random_networks(int(number) + 1)[-1], 1)


@functools.cache
def both(name: str, learning: bool) -> tuple[GateTally, str]:
    """Return the counted gates of a network, and the RTLIL of its core."""
    core = NetworkCore(network(name), learning=learning)
    text = rtlil.convert(core, name="top", emit_src=False)
    return count_network(network(name), learning=learning), text


@EACH
@VARIANTS
def test_memories_are_counted_exactly(name: str, learning: bool) -> None:
    tally, text = both(name, learning)
    counted: Counter[tuple[int, int]] = Counter()
    for memory in tally.memories:
        # A table of noise is a switch statement in RTLIL; one of surrogate derivatives is not.
        if not memory.table or memory.name.endswith("surrogate"):
            counted[memory.depth, memory.width] += memory.copies
    assert counted == Counter(memories(text))


@EACH
@VARIANTS
def test_products_are_counted_exactly(name: str, learning: bool) -> None:
    tally, text = both(name, learning)
    counted: Counter[tuple[int, int]] = Counter()
    for product in tally.products:
        # A factor without bits is counted as a product, but there is no cell for it.
        if product.name != "noise" and product.a and product.b:
            counted[product.a, product.b] += product.copies
    for own in network(name).layers:
        # Yosys merges the noise of lanes that share an LFSR; RTLIL has one product per lane.
        one = GateTally()
        count_noise(one, own.config)
        counted[one.products[0].a, one.products[0].b] += own.config.layer.lanes
    found = (factors(cell) for cell in cells(text) if cell.kind == "mul")
    assert counted == Counter(one for one in found if one is not None)


@EACH
@VARIANTS
def test_register_and_adder_bits_follow_the_rtlil(name: str, learning: bool) -> None:
    tally, text = both(name, learning)
    bits: Counter[str] = Counter()
    for cell in cells(text):
        bits[cell.kind] += cell.parameters.get("WIDTH", cell.parameters.get("Y_WIDTH", 0))
    registers = tally.bits["delay"] + tally.bits["result"]
    assert 0.65 * bits["dff"] < registers < 0.85 * bits["dff"]
    assert 0.45 < tally.bits["add"] / (bits["add"] + bits["sub"]) < 0.8


@pytest.mark.parametrize("option", OPTIONS)
def test_options_of_neurons_are_counted(option: str) -> None:
    """Each option removes gates from the neurons, but for the subtraction of the threshold."""
    names = ("network-1", f"network-1, {option}")
    without, own = (count_network(network(name), learning=False) for name in names)
    counted = [sum(tally.bits[kind] for kind in ("add", "choose")) for tally in (without, own)]
    assert (counted[1] > counted[0]) == (option == "subtract")
    assert count_network(network(names[1]), learning=True).bits["add"] > own.bits["add"]
