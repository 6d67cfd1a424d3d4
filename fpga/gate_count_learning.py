"""Gates of the learning hardware: traces, gradient and weight update; part of `gate_count`."""

from __future__ import annotations

from collections.abc import Sequence

from bitlif.hdl.loadable import rate_shifts
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.gate_sizes import GateSizes, gate_sizes

from .gate_count_neuron import count_leaky_sum, count_lfsrs
from .gate_tally import GateTally, Memory, Wire, index_bits

Shifts = Sequence[tuple[int, int, int]]
"""As `bitlif.hdl.loadable.rate_shifts` returns them."""

MARKED_STEPS = 3
"""Steps whose input spikes are kept at a time."""


def count_learning(tally: GateTally, config: Config) -> None:
    """Count traces, groups of errors, products, gradient memory and weight update."""
    sizes, gates = config.layer, gate_sizes(config)
    depth = gates.inputs * gates.groups
    address, place = index_bits(depth), index_bits(gates.inputs)
    gradient = Wire.holding(derive(config).ranges["gradient"])
    error, trace = Wire.of(config.error.format), Wire.of(config.trace.format)
    current = Wire.of(config.trace.current)
    wide = sizes.inputs > 32
    tally.memories += [
        Memory(
            "gradient", depth, gates.products * gradient.bits, single_port=gates.single_gradient
        ),
        Memory("traces", sizes.inputs, current.bits + trace.bits, block=wide),
        Memory("marks", sizes.inputs, 1, block=wide, copies=MARKED_STEPS),
    ]
    tally.delay(2 * MARKED_STEPS + place + 1)
    tally.count("choose", 2 * MARKED_STEPS * place)
    # Clearing of the memories.
    tally.counter(address)
    # Passes over the inputs, and the traces.
    tally.counter(place)
    tally.delay(place, 10)
    tally.delay(10)
    tally.count("choose", 2 * place + current.bits + trace.bits)
    c = derive(config).constants
    tally.delay(1 + current.bits)
    # The input is one bit wide: its product with a constant needs no gates.
    came = count_leaky_sum(tally, current, Wire(1, False), c.trace_current, config.trace.current)
    tally.delay(trace.bits, 5)
    count_leaky_sum(tally, trace, came, c.trace, config.trace.format)
    tally.delay(current.bits, 4)
    tally.delay(4)
    _groups(tally, gates, error)
    # Products of errors and traces, added to the gradient.
    tally.delay(3 * 9)
    tally.count("add", address)
    tally.count("result", address)
    tally.delay(address, 2)
    tally.delay(trace.bits)
    tally.delay(trace.bits)
    tally.count("choose", trace.bits + 3 * address)
    tally.times = gates.products
    tally.delay(error.bits, 2)
    tally.delay(gradient)
    tally.product("gradient", error, trace)
    tally.count("add", gradient.bits)
    tally.count("choose", gradient.bits)
    if gates.single_gradient:
        tally.delay(gradient)
    tally.times = 1
    count_update(tally, config, gates, gradient, rate_shifts(config))


def _groups(tally: GateTally, gates: GateSizes, error: Wire) -> None:
    """Count the shift register of errors, and what lists their groups."""
    count, base = index_bits(gates.groups + 1), index_bits(gates.inputs * gates.groups)
    kept = gates.lanes * (gates.slots if gates.keeps_errors else gates.group_slots)
    tally.count("result", kept * error.bits)
    tally.count("compare", gates.lanes * error.bits)
    tally.counter(index_bits(gates.group_slots))
    tally.counter(count)
    tally.delay(count)
    if gates.groups == 1:
        return
    high, width = index_bits(gates.groups), gates.products * error.bits
    if gates.keeps_errors:
        tally.count("result", 2 * gates.groups)
        tally.delay(gates.groups)
        tally.count("choose", (gates.groups - 1) * width + gates.groups * base)
    else:
        tally.memories.append(Memory("errors", 2 << high, base + width))
        tally.count("add", base)
        tally.count("result", base)
        tally.delay(base + high + 2)


def count_update(
    tally: GateTally, config: Config, gates: GateSizes, gradient: Wire, shifts: Shifts
) -> None:
    """Count the update of all weights: the walk over them, and the pipelines of the lanes."""
    sizes = config.layer
    place, slot = index_bits(sizes.inputs), index_bits(sizes.slots)
    row, group = index_bits(gates.row_slots), index_bits(gates.group_slots)
    weights, sums = index_bits(sizes.inputs * gates.rows), index_bits(sizes.inputs * gates.groups)
    for bits in (slot, place, row, group):
        tally.counter(bits)
    for bits in (weights, index_bits(gates.rows), sums, sums):
        tally.count("add", bits)
        tally.count("result", bits)
    tally.delay(weights + row + slot, 8)
    tally.delay(sums + 2 * row + 2 * group)
    tally.delay(16)
    tally.count("choose", 2 * (weights + sums))
    # The P weights and the P sums of a slot.
    tally.count("choose", (gates.synapses - sizes.lanes) * config.synapse.weight.bits)
    tally.count("choose", (gates.products - sizes.lanes) * gradient.bits)
    count_update_pipes(tally, config, gradient, shifts)


def count_update_pipes(tally: GateTally, config: Config, gradient: Wire, shifts: Shifts) -> None:
    """Count what updates P weights: random bits, scaling by the rate, rounding, saturation."""
    learning, lanes = config.learning, config.layer.lanes
    if learning.random_bits:
        count_lfsrs(tally, config.learning, lanes)
        streams = set(learning.lfsr.streams(lanes))
        tally.delay(len(streams) * learning.random_bits, 4)
    most = max(right for _, _, right in shifts)
    lifts = [left + most - right for left, _, right in shifts]
    scale = Wire(learning.rate_bits + max(lifts), False)
    weight = Wire.of(config.synapse.weight)
    tally.times = lanes
    tally.delay(learning.rate_bits + index_bits(len(shifts)))
    if len(shifts) > 1:
        tally.count("choose", scale.bits * (len(shifts) - 1))
        tally.count("result", scale.bits)
    else:
        tally.delay(learning.rate_bits)
    tally.delay(gradient.bits, 2)
    if gradient.bits > 18:
        low = tally.product("update low", Wire(16, False), scale)
        high = tally.product("update high", Wire(gradient.bits - 16), scale)
        product = tally.sum(high << 16, low, passed=16)
        tally.count("result", product.bits)
    else:
        product = tally.product("update", gradient, scale)
        tally.delay(product.bits)
    dropped = most + learning.random_bits
    if dropped:
        product = tally.sum(product, Wire(dropped, False))
    change = product >> dropped
    tally.count("result", change.bits)
    tally.delay(weight.bits, 5)
    total = tally.sum(weight, change)
    tally.saturate(total, weight)
    tally.count("result", weight.bits + 1)
    tally.times = 1
