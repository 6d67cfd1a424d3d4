"""Counted gates against the RTLIL that Amaranth makes of the same core.

Memories and products are compared exactly. Adders and registers cannot be: RTLIL is not optimised,
and `gate_count` counts what Yosys leaves of it. Amaranth extends both operands of a sum to its full
width, adds 1-bit flags as full adders, and keeps bits of pipeline registers that are constant or
unused. Of registers, between 0.65 and 0.85 are counted. Of adder bits, between 0.45 and 0.8: the
learning core adds counters (32 bits and one flag per lane each) whose flags RTLIL adds one by one.
Multiplexers and comparisons are left out: most are ``switch`` statements, which are not cells.
"""

from __future__ import annotations

import functools
from collections import Counter

import pytest
from amaranth.back import rtlil
from rtlil_cells import cells, factors, memories

from bitlif.fpga.gate_count import count_core
from bitlif.fpga.gate_tally import GateTally
from bitlif.fpga.measure_area import configuration
from bitlif.hdl.layer import LayerCore
from bitlif.model.config.config import Config

NAMES = (
    "tiny", "digits", "digits-4bit", "teacher", "sample-1", "sample-2", "sample-4", "sample-5",
    "sample-6", "digits P=1 S=10 L=5", "digits P=1 S=4 L=3", "digits P=2 S=10 L=10",
)  # fmt: skip
"""Ready-made and random configurations: all kinds of noise, 1 to 4 lanes, both resets, widths."""

EACH = pytest.mark.parametrize("name", NAMES)
VARIANTS = pytest.mark.parametrize("learning", [True, False], ids=["learning", "inference"])


@functools.cache
def both(name: str, learning: bool) -> tuple[Config, GateTally, str]:
    """Return a configuration, its counted gates, and the RTLIL of its core."""
    plain, *widths = name.split()
    config, _ = configuration(plain)
    if widths:
        lanes, synapses, products = (int(own.partition("=")[2]) for own in widths)
        config = config.replace(
            layer__lanes=lanes, gates__synapses=synapses, gates__products=products
        )
    core = LayerCore(config, learning=learning)
    text = rtlil.convert(core, name="top", emit_src=False)
    return config, count_core(config, learning=learning), text


@EACH
@VARIANTS
def test_memories_are_counted_exactly(name: str, learning: bool) -> None:
    _, tally, text = both(name, learning)
    counted: Counter[tuple[int, int]] = Counter()
    for memory in tally.memories:
        # A table of constants is a switch statement in RTLIL.
        if not memory.table:
            counted[memory.depth, memory.width] += memory.copies
    assert counted == Counter(memories(text))


@EACH
@VARIANTS
def test_products_are_counted_exactly(name: str, learning: bool) -> None:
    config, tally, text = both(name, learning)
    counted: Counter[tuple[int, int]] = Counter()
    for product in tally.products:
        # Yosys merges the noise of lanes that share an LFSR; RTLIL has one product per lane.
        merged = product.name == "noise"
        counted[product.a, product.b] += config.layer.lanes if merged else product.copies
    found = (factors(cell) for cell in cells(text) if cell.kind == "mul")
    assert counted == Counter(own for own in found if own is not None)


@EACH
@VARIANTS
def test_register_and_adder_bits_follow_the_rtlil(name: str, learning: bool) -> None:
    _, tally, text = both(name, learning)
    bits: Counter[str] = Counter()
    for cell in cells(text):
        bits[cell.kind] += cell.parameters.get("WIDTH", cell.parameters.get("Y_WIDTH", 0))
    registers = tally.bits["delay"] + tally.bits["result"]
    assert 0.65 * bits["dff"] < registers < 0.85 * bits["dff"]
    assert 0.45 < tally.bits["add"] / (bits["add"] + bits["sub"]) < 0.8


def test_power_of_two_products_are_not_counted() -> None:
    tally = GateTally()
    tally.scale("none", 8, 16, 12)
    tally.scale("odd", 8, 12, 12)
    (product,) = tally.products
    assert (product.name, product.a, product.b, product.out) == ("odd", 8, 2, 10)
