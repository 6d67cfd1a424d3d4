"""What the gates of a configuration consist of, counted from its numbers alone.

The functions here and in `gate_count_neuron` and `gate_count_learning` follow `bitlif.hdl` in the
order in which it elaborates, with widths in place of signals. They add up the bits of adders,
registers and multiplexers, and list memories and products. A change of the gates needs the same
change here: ``tests/fpga/test_gate_count.py`` compares both. The cost of a count in cells of an
FPGA is measured elsewhere (`bitlif.fpga.estimate`).
"""

from __future__ import annotations

from collections.abc import Sequence

from bitlif.hdl.loadable import rate_shifts
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.gate_sizes import GateSizes, gate_sizes
from bitlif.model.signature import WIDTH

from .gate_count_learning import count_learning
from .gate_count_neuron import count_error, count_lfsrs, count_neuron, count_noise
from .gate_tally import GateTally, Memory, Wire, index_bits

COUNTER_BITS = 32
"""Width of the counters that a host reads."""


def count_core(config: Config, *, learning: bool) -> GateTally:
    """Return the gates of a layer core.

    Parameters
    ----------
    config : Config
    learning : bool
        Whether the core has learning hardware.
    """
    tally = GateTally()
    count_forward(tally, config, learning)
    count_emitter(tally, config)
    count_schedule(tally, config, learning, len(rate_shifts(config)))
    lanes = config.layer.lanes
    flags = [lanes, 2 * lanes] + ([lanes, lanes, lanes, 1, 1] if learning else [])
    count_observers(tally, config, flags, learning=learning)
    if learning:
        count_learning(tally, config)
    return tally


def _scale_bits(config: Config) -> int:
    """Return the bits of the noise scale; 0 without noise."""
    return config.noise.scale_bits if config.noise.drawn else 0


def count_forward(tally: GateTally, config: Config, learning: bool) -> None:
    """Count the forward pass: events, slots, noise and the neurons of all lanes."""
    sizes, ranges = config.layer, derive(config).ranges
    lanes, slots = sizes.lanes, sizes.slots
    slot = index_bits(slots)
    total = Wire.holding(ranges["weight sum"])
    current, membrane = (Wire.of(fmt) for fmt in (config.synapse.current, config.membrane.format))
    target = config.error.target_bits + 1
    targets = learning or config.membrane.reset == "teacher"
    gates = gate_sizes(config)
    tally.memories += [
        Memory("currents", slots, lanes * current.bits),
        Memory("membranes", slots, lanes * membrane.bits),
    ]
    _weights(tally, config, gates)
    _gather(tally, gates, total)
    # Slots: the issuing counter, and one counter per pipeline stage that needs its slot.
    tally.counter(slot)
    tally.delay(slot)
    for _ in range(3 + (2 if learning else 0)):
        tally.counter(slot)
    tally.delay(21 if learning else 12)
    tally.count("choose", 2 * slot)
    # State reads as zero in the first step of a window.
    tally.count("choose", lanes * (current.bits + membrane.bits))
    tally.delay(_scale_bits(config))
    if config.noise.drawn:
        count_lfsrs(tally, config.noise, lanes)
    if learning:
        tally.memories.append(Memory("targets", slots, lanes * target))
        tally.delay(config.error.reciprocal_bits)
    # Yosys merges the noise of lanes that share an LFSR, but not their tables.
    shared = config.noise.kind != "inverse_cdf"
    tally.times = len(set(config.noise.streams(lanes))) if shared else lanes
    if config.noise.drawn:
        count_noise(tally, config)
    tally.times = lanes
    count_neuron(tally, config, total)
    if targets and config.membrane.reset == "teacher":
        tally.delay(11)
    if learning:
        count_error(tally, config)
    tally.times = 1


def _weights(tally: GateTally, config: Config, gates: GateSizes) -> None:
    """Count the memory of the weights, and what a host's row and an updated one pass."""
    weight, others = config.synapse.weight.bits, gates.synapses - gates.lanes
    depth, width = gates.inputs * gates.rows, gates.synapses * weight
    tally.memories.append(
        Memory("weights", depth, width, gates.synapses, single_port=gates.single_weights)
    )
    tally.delay(width)
    tally.delay(gates.place_bits)
    tally.count("choose", others * weight + gates.lanes * weight + 2 * index_bits(depth))
    tally.count("compare", 2 * gates.row_slots * gates.place_bits)


def _gather(tally: GateTally, gates: GateSizes, total: Wire) -> None:
    """Count the addition of events, and the sums that the slots take."""
    rows, synapses = gates.rows, gates.synapses
    address, row = index_bits(gates.inputs * rows), index_bits(rows)
    tally.scale("event row", index_bits(gates.inputs), rows, address)
    tally.count("result", address)
    tally.delay(index_bits(gates.inputs))
    tally.delay(6)
    if rows > 1:
        tally.counter(row)
        tally.count("add", address)
        # Two banks: the sums of one step are read while those of the next are added up.
        tally.memories.append(Memory("sums", 2 << row, synapses * total.bits, reads=2))
        tally.delay(2 * (row + 1) + 5)
        tally.count("choose", 2 * synapses * total.bits)
        tally.counter(row)
        tally.counter(index_bits(gates.row_slots))
    else:
        tally.count("result", synapses * total.bits)
        tally.count("choose", synapses * total.bits)
    tally.times = synapses
    tally.count("add", total.bits)
    tally.times = 1
    # The sums of a row in a shift register.
    tally.count("result", synapses * total.bits)
    tally.count("choose", (synapses - gates.lanes) * total.bits)


def count_emitter(tally: GateTally, config: Config) -> None:
    """Count the spike output."""
    sizes = config.layer
    lanes, slots = sizes.lanes, sizes.slots
    slot, unit = index_bits(slots), index_bits(slots * lanes)
    tally.memories.append(Memory("spikes", 2 << slot, slot + lanes, block=slots > 4))
    tally.counter(index_bits(slots + 1))
    tally.counter(index_bits(slots + 1))
    tally.delay(2 * index_bits(slots + 1))
    tally.count("result", lanes + unit)
    tally.count("choose", 2 * lanes)
    tally.scale("spike base", slot, lanes, unit)
    if lanes > 1:
        tally.count("add", unit)


def count_schedule(tally: GateTally, config: Config, learning: bool, shifts: int) -> None:
    """Count the step counter and the learning schedule, with a number of shifts of the rate."""
    tally.counter(index_bits(config.window.steps))
    tally.counter(index_bits(config.window.steps))
    phases = len(config.schedule)
    windows = max(phase.windows for phase in config.schedule).bit_length()
    # The host can access a whole row, even where the core uses a part of it.
    width = _scale_bits(config) + config.error.reciprocal_bits + config.learning.rate_bits
    width += index_bits(shifts) + windows
    if learning:
        tally.counter(windows)
        tally.delay(windows)
        tally.counter(index_bits(phases))
    tally.memories.append(Memory("schedule", phases, width, block=phases > 8))


def count_observers(
    tally: GateTally, config: Config, flags: Sequence[int], *, learning: bool
) -> None:
    """Count the signature and the activity counters, each with a number of flags."""
    lanes = config.layer.lanes
    membrane = config.membrane.format.bits
    tally.times = lanes
    tally.count("result", WIDTH)
    tally.count("parity", WIDTH + membrane)
    if learning:
        tally.count("choose", max(membrane, config.synapse.weight.bits))
    tally.times = 1
    tally.count("parity", (lanes - 1) * WIDTH)
    for flag in flags:
        tally.count("result", COUNTER_BITS + 1 + flag + flag.bit_length())
        tally.count("add", COUNTER_BITS + flag)


def count_top(config: Config, *, learning: bool) -> GateTally:
    """Return the gates around a core that depend on its configuration: registers and UART."""
    tally = GateTally()
    count_elements(tally, config, learning, len(rate_shifts(config)))
    trace = config.trace
    if learning:
        tally.count("choose", trace.current.bits + trace.format.bits)
    count_streams(tally, config, learning)
    return tally


def count_elements(
    tally: GateTally, config: Config, learning: bool, shifts: int, *, errors: bool = True
) -> None:
    """Count the access to single elements of the memories of a layer.

    Parameters
    ----------
    tally : GateTally
    config : Config
    learning : bool
    shifts : int
        Number of shifts of the rate.
    errors : bool
        Whether the layer has an error table, if it learns.
    """
    sizes, error = config.layer, config.error
    lanes, neurons = sizes.lanes, sizes.neurons
    index, unit = index_bits(sizes.inputs * neurons), max(1, index_bits(neurons))
    row, slot, lane = (
        index_bits(gate_sizes(config).weight_addresses),
        index_bits(sizes.slots),
        index_bits(lanes),
    )
    current, membrane = config.synapse.current.bits, config.membrane.format.bits
    # Element pointer: divided by neurons and lanes, one bit per clock cycle.
    tally.count("result", 2 * index + index_bits(index) + row + 2 * unit + slot + lane)
    tally.count("add", index + index_bits(index) + row + 2 * unit + lane + 1)
    tally.count("choose", 3 * row + 3 * unit + 3 * index + 2 * slot + 2 * lane)
    # Element read: selects a lane, then a memory.
    tally.count("choose", lanes * (config.synapse.weight.bits + current + membrane))
    shown = config.synapse.weight.bits + current + membrane + _scale_bits(config)
    streams = set(config.noise.streams(lanes))
    shown += len(streams) * config.noise.lfsr.width
    widest = [32, config.noise.lfsr.width] if streams else [32]
    if learning:
        entries = 2 * error.entry.bits * errors
        written = error.reciprocal_bits + config.learning.rate_bits + index_bits(shifts)
        written += max(phase.windows for phase in config.schedule).bit_length()
        shown += entries + written
        # A written word replaces its part of a row.
        tally.count("choose", written + _scale_bits(config) + entries)
        if config.learning.random_bits:
            streams = set(config.learning.lfsr.streams(lanes))
            shown += len(streams) * config.learning.lfsr.width
            widest.append(config.learning.lfsr.width)
    tally.count("choose", shown)
    tally.count("result", 2 * max(widest))


def count_streams(tally: GateTally, config: Config, learning: bool) -> None:
    """Count the streams of events and targets."""
    sizes = config.layer
    unit = max(1, index_bits(sizes.neurons))
    tally.count("result", 2 * index_bits(sizes.inputs) + 2 * unit)
    tally.count("compare", 8 * (-(-sizes.inputs.bit_length() // 8)))
    if learning or config.membrane.reset == "teacher":
        target = config.error.target_bits + 1
        tally.count("result", 2 * sizes.lanes * target)
        tally.count("compare", sizes.lanes * target)
