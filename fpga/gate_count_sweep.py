"""Gates of the backward sweep of a layer; part of `gate_count_network`.

The functions follow `bitlif.hdl.sweep_pass` and the passes that it starts.
"""

from __future__ import annotations

from bitlif.hdl.loadable import SweptUpdate, swept_update
from bitlif.model.adjoint import AdjointFilter, SweepShift
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.derive import derive
from bitlif.model.fixed import Format
from bitlif.model.gate_sizes import GateSizes, gate_sizes
from bitlif.model.interval import Interval
from bitlif.model.network_clocks import ADJOINT, CREDIT, MARK_BITS
from bitlif.model.sweep_sections import SweepRounding

from .gate_count_learning import count_update, count_update_pipes
from .gate_count_neuron import count_lfsrs, count_times
from .gate_tally import GateTally, Memory, Wire, index_bits

BLOCK_ROWS = 32
"""Rows above which a memory of a window is in block RAM."""

UPDATE = 7
"""Clock cycles from the read of a weight to its write, in an update by spike."""


def sweep_draws(config: NetworkConfig, number: int) -> int:
    """Return the number of distinct LFSRs of a layer's sweep."""
    own = config.layers[number]
    if number < config.learned_from or own.sweep.rounding is not SweepRounding.STOCHASTIC:
        return 0
    return len(set(own.sweep.lfsr.streams(own.config.layer.lanes)))


def credit_total(config: NetworkConfig, number: int) -> Wire:
    """Return the exact sum of credit of a hidden layer."""
    after = config.layers[number + 1]
    sign = config.layers[number].sweep.feedback == "sign"
    factor = Interval(-1, 1) if sign else Interval.of(after.config.synapse.weight)
    product = factor * Interval.of(after.sweep.current)
    return Wire.holding(product.times(after.config.layer.neurons))


def count_sweep(tally: GateTally, config: NetworkConfig, number: int) -> None:
    """Count the sweep of a layer that is learned, and the update of its weights."""
    own = config.layers[number].config
    sizes, steps, hidden = gate_sizes(own), own.window.steps, config.is_hidden(number)
    words, width = _inputs(tally, config, number)
    # First rows of a step in the memories of the window, and the step.
    for count in (sizes.slots, words, words, 1):
        tally.counter(index_bits(count * steps))
    tally.delay(12)
    _adjoints(tally, config, number)
    if hidden:
        _derivatives(tally, config, number)
        total = credit_total(config, number)
        tally.memories.append(
            Memory("credit", sizes.slots, sizes.lanes * total.bits, columns=sizes.lanes)
        )
    else:
        bits = sizes.lanes * own.error.format.bits
        _step_memory(tally, "errors of a window", sizes.slots * steps, bits)
    current = config.layers[number].sweep.current.bits
    _current_rows(tally, sizes, current)
    if number > config.learned_from:
        _credit(tally, config, number)
    update = swept_update(config.derived_sweep(number))
    if config.layers[number].sweep.update == "spike":
        _spike_update(tally, config, number, words, width)
    else:
        _window_update(tally, own, update, words, width, current)


def _inputs(tally: GateTally, config: NetworkConfig, number: int) -> tuple[int, int]:
    """Count the memory of the input spikes; return words of a step, and bits of a word."""
    steps = config.layers[number].config.window.steps
    if number:
        before = config.layers[number - 1].config.layer
        _step_memory(tally, "inputs of a window", before.slots * steps, before.lanes)
        return before.slots, before.lanes
    inputs = config.layers[0].config.layer.inputs
    width = min(inputs, MARK_BITS)
    words = -(-inputs // width)
    depth, place = words * steps, index_bits(words * steps)
    tally.memories.append(Memory("inputs of a window", depth, width, block=depth > BLOCK_ROWS))
    # The place of a mark, and the word that is written back with it.
    tally.counter(place)
    tally.count("add", place)
    tally.delay(place + index_bits(width) + 2 + width)
    tally.count("compare", place)
    tally.count("choose", 3 * width + 2 * place)
    # Clearing.
    tally.counter(index_bits(depth + 1))
    return words, width


def _step_memory(tally: GateTally, name: str, depth: int, width: int) -> None:
    """Count a memory of a window whose rows are written in order."""
    tally.memories.append(Memory(name, depth, width, block=depth > BLOCK_ROWS))
    tally.counter(index_bits(depth))
    tally.count("add", index_bits(depth))


def _adjoints(tally: GateTally, config: NetworkConfig, number: int) -> None:
    """Count the pass that computes credit, adjoint membranes and adjoint currents."""
    layer = config.layers[number]
    own, sweep, swept = layer.config, layer.sweep, config.derived_sweep(number).constants
    hidden, lanes, slot = bool(swept.hidden), own.layer.lanes, index_bits(own.layer.slots)
    latency = 1 + 2 * ADJOINT + (CREDIT if hidden else 0)
    tally.counter(slot)
    for _ in range(4):
        tally.counter(slot)
    tally.delay(2 * latency + 6)
    tally.memories += [
        Memory("adjoint membranes", own.layer.slots, lanes * sweep.membrane.bits),
        Memory("adjoint currents", own.layer.slots, lanes * sweep.current.bits),
    ]
    if sweep_draws(config, number):
        count_lfsrs(tally, sweep, lanes)
        # The draw of a slot waits until its last sum is rounded.
        tally.delay(sweep_draws(config, number) * sweep.random_bits, latency - 4)
    tally.times = lanes
    membrane, current = Wire.of(sweep.membrane), Wire.of(sweep.current)
    taken = Wire.of(own.error.format)
    if hidden:
        total, bits = credit_total(config, number), sweep.surrogate.bits
        taken = Wire.of(sweep.credit)
        tally.count("choose", total.bits)
        if bits == 1:
            product = total
            tally.count("choose", total.bits)
        else:
            product = tally.product("credit of a slot", total, Wire(bits, False))
        product <<= swept.credit.take.bit_length() - 1
        tally.count("result", total.bits + bits - 1)
        _narrow(tally, product, swept.credit.shift, sweep.credit)
        tally.delay(CREDIT + 1)
    _adjoint(tally, membrane, taken, swept.membrane, sweep.membrane)
    _adjoint(tally, current, membrane, swept.current, sweep.current)
    tally.times = 1


def _adjoint(tally: GateTally, state: Wire, taken: Wire, own: AdjointFilter, fmt: Format) -> None:
    """Count an adjoint filter of one lane."""
    total = count_times(tally, taken, own.take, 0)
    if own.keep:
        # The state reads as zero in the last step, or after a spike.
        tally.count("choose", state.bits)
        total = tally.sum(count_times(tally, state, own.keep, 0), total)
    tally.count("result", total.bits)
    _narrow(tally, total, own.shift, fmt)


def _narrow(tally: GateTally, value: Wire, shift: SweepShift, fmt: Format) -> None:
    """Count a rounding and a saturation of the sweep."""
    dropped = shift.right + shift.random_bits
    if dropped:
        tally.count("add", (value << shift.left).bits)
    rounded = (value << shift.left) >> dropped
    tally.count("result", rounded.bits)
    shape = Wire.of(fmt)
    if tally.saturate(rounded, shape):
        tally.count("result", shape.bits + 1)
    else:
        tally.delay(shape)


def _derivatives(tally: GateTally, config: NetworkConfig, number: int) -> None:
    """Count the surrogate derivatives of a hidden layer, and their memory."""
    layer = config.layers[number]
    own, surrogate = layer.config, config.derived_sweep(number).constants.surrogate
    lanes, bits = own.layer.lanes, layer.sweep.surrogate.bits
    _step_memory(
        tally, "derivatives of a window", own.layer.slots * own.window.steps, lanes * (1 + bits)
    )
    tally.delay(2 * lanes + 1, 7)
    tally.times = lanes
    threshold = Wire.constant(abs(derive(own).constants.threshold))
    difference = tally.sum(Wire.of(own.membrane.format), threshold, minus=True)
    tally.count("result", 2 * difference.bits)
    tally.count("add", difference.bits)
    tally.count("compare", difference.bits)
    tally.delay(5)
    if surrogate.reciprocal:
        distance = Wire(difference.bits, False)
        product = count_times(tally, distance, surrogate.reciprocal, 0)
        place = index_bits(len(surrogate.table))
        tally.saturate(product >> surrogate.shift, Wire(place, False))
        tally.count("result", place + bits)
        tally.memories.append(
            Memory("surrogate", len(surrogate.table), bits, copies=lanes, table=True)
        )
    tally.times = 1


def _current_rows(tally: GateTally, sizes: GateSizes, bits: int) -> None:
    """Count the adjoint currents of a step, in rows of S."""
    width = sizes.synapses * bits
    tally.memories.append(Memory("current rows", sizes.rows, width, columns=sizes.row_slots))
    tally.delay(width)
    tally.counter(index_bits(sizes.rows))
    tally.counter(index_bits(sizes.row_slots))


def _walk(tally: GateTally, words: int, width: int, rows: int) -> None:
    """Count a walk over the bits that are set in some words."""
    place = index_bits(words + 1)
    tally.counter(place)
    tally.delay(place)
    tally.count("result", width)
    # The lowest bit of a word: which it is, and the word without it.
    tally.count("add", width)
    tally.count("choose", 2 * width)
    tally.count("compare", 2 * width)
    tally.counter(index_bits(rows))
    tally.delay(2)


def _credit(tally: GateTally, config: NetworkConfig, number: int) -> None:
    """Count the pass that adds up the credit of the layer before."""
    layer, before = config.layers[number], config.layers[number - 1]
    sizes, lanes, slots = gate_sizes(layer.config), *_sized(before.config)
    total = credit_total(config, number - 1)
    levels = (sizes.synapses - 1).bit_length()
    latency = 4 + levels
    _walk(tally, slots, lanes, sizes.rows)
    address = index_bits(sizes.inputs * sizes.rows)
    tally.count("add", index_bits(slots * before.config.window.steps))
    tally.scale("credit neuron", index_bits(slots), lanes, index_bits(sizes.inputs))
    tally.scale("credit row", index_bits(sizes.inputs), sizes.rows, address)
    tally.count("add", (index_bits(sizes.inputs) if lanes > 1 else 0) + address)
    tally.count("choose", address)
    weight, current = Wire.of(layer.config.synapse.weight), Wire.of(layer.sweep.current)
    tally.times = sizes.synapses
    if before.sweep.feedback == "sign":
        product = Wire(current.bits + 1)
        tally.count("add", current.bits)
        tally.count("choose", current.bits)
        tally.count("result", product.bits)
    else:
        product = tally.product("credit", weight, current)
        tally.delay(product.bits)
    tally.times = 1
    if short := sizes.rows * sizes.row_slots - sizes.slots:
        tally.count("choose", short * sizes.lanes * current.bits)
    level = [product] * sizes.synapses
    while len(level) > 1:
        pairs = [tally.sum(one, two) for one, two in zip(level[::2], level[1::2], strict=False)]
        tally.count("result", sum(own.bits for own in pairs))
        if len(level) % 2:
            tally.delay(level[-1])
            pairs.append(level[-1])
        level = pairs
    tally.count("add", total.bits)
    tally.count("result", total.bits)
    tally.delay(index_bits(lanes) + index_bits(slots) + 3, latency)
    tally.count("compare", lanes)


def _sized(config: Config) -> tuple[int, int]:
    return config.layer.lanes, config.layer.slots


def _window_update(
    tally: GateTally, own: Config, swept: SweptUpdate, words: int, width: int, current: int
) -> None:
    """Count the gradient of a window, and the update by it."""
    sizes, gradient = gate_sizes(own), Wire.holding(swept.gradient)
    depth = sizes.inputs * sizes.rows
    address = index_bits(depth)
    tally.memories.append(Memory("gradient", depth, sizes.synapses * gradient.bits))
    _walk(tally, words, width, sizes.rows)
    tally.scale("gradient input", index_bits(words), width, index_bits(sizes.inputs))
    tally.scale("gradient row", index_bits(sizes.rows), sizes.inputs, address)
    tally.count("add", index_bits(sizes.inputs) + address)
    tally.delay(address + 2, 3)
    tally.delay(sizes.synapses * gradient.bits)
    tally.times = sizes.synapses
    tally.count("add", gradient.bits)
    tally.count("result", gradient.bits)
    tally.count("choose", gradient.bits)
    tally.times = 1
    # Clearing, and the ports of the gradient.
    tally.counter(address)
    tally.count("choose", 4 * address)
    count_update(tally, own, sizes, gradient, swept.shifts)


def _spike_update(
    tally: GateTally, config: NetworkConfig, number: int, words: int, width: int
) -> None:
    """Count the updates by spike, and the walk over the weights for the signature."""
    layer = config.layers[number]
    own, sizes = layer.config, gate_sizes(layer.config)
    weight, row = own.synapse.weight.bits, index_bits(sizes.inputs * sizes.rows)
    part, slot = index_bits(sizes.row_slots), index_bits(sizes.slots)
    _walk(tally, words, width, sizes.slots)
    tally.counter(part)
    tally.counter(index_bits(sizes.rows))
    tally.scale("update input", index_bits(words), width, index_bits(sizes.inputs))
    tally.scale("update row", index_bits(sizes.inputs), sizes.rows, row)
    tally.count("add", index_bits(sizes.inputs) + row)
    # A row of weights is kept for all of its slots.
    tally.count("result", sizes.synapses * weight)
    tally.count("choose", sizes.synapses * weight)
    others = sizes.synapses - sizes.lanes
    tally.count("choose", others * (weight + layer.sweep.current.bits))
    tally.delay(row + part + slot + 3, UPDATE + 2)
    swept = swept_update(config.derived_sweep(number))
    count_update_pipes(tally, own, Wire.holding(swept.gradient), swept.shifts)
    # The signature.
    for bits in (slot, part, index_bits(sizes.inputs), index_bits(sizes.rows)):
        tally.counter(bits)
    tally.scale("signed row", index_bits(sizes.inputs), sizes.rows, row)
    tally.count("add", row)
    tally.count("choose", others * weight + row)
    tally.delay(part + slot + 2, 2)
