"""Gates of the learning hardware: traces, gradient and weight update; part of `gate_count`."""

from __future__ import annotations

from bitlif.hdl.loadable import rate_shifts
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.gate_sizes import gate_sizes

from .gate_count_neuron import count_leaky_sum, count_lfsrs
from .gate_tally import GateTally, Memory, Wire, index_bits


def count_learning(tally: GateTally, config: Config) -> None:
    """Count traces, products, gradient memory and weight update."""
    sizes, derived = config.layer, derive(config)
    lanes, slots = sizes.lanes, sizes.slots
    depth = sizes.inputs * slots
    address, place, slot = index_bits(depth), index_bits(sizes.inputs), index_bits(slots)
    gradient = Wire.holding(derived.ranges["gradient"])
    error, trace = Wire.of(config.error.format), Wire.of(config.trace.format)
    current = Wire.of(config.trace.current)
    wide, gates = sizes.inputs > 32, gate_sizes(config)
    tally.memories += [
        Memory(
            "gradient",
            sizes.inputs * gates.groups,
            gates.products * gradient.bits,
            single_port=gates.single_gradient,
        ),
        Memory("traces", sizes.inputs, current.bits + trace.bits, block=wide),
        Memory("marks", sizes.inputs, 1, block=wide),
        Memory("errors", slots, address + lanes * error.bits),
    ]
    tally.counter(address)
    # Trace sweep.
    tally.counter(place)
    tally.delay(place, 10)
    tally.delay(10)
    tally.count("choose", 4 * place + current.bits + trace.bits)
    c = derived.constants
    tally.delay(1 + current.bits)
    # The input is one bit wide: its product with a constant needs no gates.
    came = count_leaky_sum(tally, current, Wire(1, False), c.trace_current, config.trace.current)
    tally.delay(trace.bits, 5)
    count_leaky_sum(tally, trace, came, c.trace, config.trace.format)
    tally.delay(current.bits, 4)
    tally.delay(4)
    # Products of errors and traces, added to the gradient.
    tally.count("add", address)
    tally.count("result", address)
    tally.counter(index_bits(slots + 1))
    tally.counter(slot)
    tally.counter(place)
    tally.delay(place)
    tally.count("add", address)
    tally.count("result", address)
    tally.delay(address, 2)
    tally.delay(trace.bits, 2)
    tally.count("choose", 3 * address)
    tally.times = lanes
    tally.count("compare", error.bits)
    tally.delay(error.bits, 2)
    tally.product("gradient", error, trace)
    tally.delay(gradient)
    tally.count("add", gradient.bits)
    tally.count("choose", gradient.bits)
    tally.times = 1
    _update(tally, config, gradient, address)


def _update(tally: GateTally, config: Config, gradient: Wire, address: int) -> None:
    """Count the weight update: random bits, scaling by the rate, rounding, saturation."""
    sizes, learning = config.layer, config.learning
    place, slot = index_bits(sizes.inputs), index_bits(sizes.slots)
    tally.counter(slot)
    tally.counter(place)
    tally.counter(address)
    tally.count("add", address)
    tally.count("result", address)
    tally.delay(address, 8)
    tally.delay(slot, 7)
    tally.delay(14)
    tally.count("choose", 3 * address)
    if learning.random_bits:
        count_lfsrs(tally, config, noise=False)
        streams = set(learning.lfsr.streams(sizes.lanes))
        tally.delay(len(streams) * learning.random_bits, 4)
    shifts = rate_shifts(config)
    most = max(right for _, _, right in shifts)
    lifts = [left + most - right for left, _, right in shifts]
    scale = Wire(learning.rate_bits + max(lifts), False)
    weight = Wire.of(config.synapse.weight)
    tally.times = sizes.lanes
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
