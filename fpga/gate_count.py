"""What a configuration's gates consist of, counted from its integers: nothing is elaborated.

This file walks through `bitlif.hdl` as `elaborate` does, with widths instead of signals, and adds
up what is met: bits of adders, of registers, of multiplexers; memories; products. A change there
belongs here too. What a count costs in cells of an FPGA is not known here: that is measured, and
`bitlif.fpga.estimate` holds the result.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bitlif.hdl.loadable import rate_shifts
from bitlif.model.config.config import Config
from bitlif.model.constants import Filter
from bitlif.model.derive import derive
from bitlif.model.fixed import Format, signed_digits
from bitlif.model.interval import Interval
from bitlif.model.signature import WIDTH

COUNTER_BITS = 32


def span(count: int) -> int:
    """Return the bits of a number below `count`.

    >>> span(1), span(2), span(65)
    (0, 1, 7)
    """
    return (count - 1).bit_length()


@dataclass(frozen=True, slots=True)
class Wire:
    """A signal's width, and whether it is signed; sums and products are as wide as Amaranth's."""

    bits: int
    signed: bool = True

    @classmethod
    def of(cls, fmt: Format) -> Wire:
        """Return a stored signal's."""
        return cls(fmt.bits, fmt.signed)

    @classmethod
    def holding(cls, interval: Interval) -> Wire:
        """Return the narrowest that holds an interval."""
        return cls(interval.bits, interval.signed)

    @classmethod
    def constant(cls, value: int) -> Wire:
        """Return that of a constant."""
        return cls(max(1, value.bit_length()), False)

    def _extended(self, other: Wire) -> int:
        return self.bits + (other.signed and not self.signed)

    def __add__(self, other: Wire) -> Wire:
        signed = self.signed or other.signed
        return Wire(max(self._extended(other), other._extended(self)) + 1, signed)

    def __sub__(self, other: Wire) -> Wire:
        return Wire((self + other).bits, True)

    def __mul__(self, other: Wire) -> Wire:
        return Wire(self.bits + other.bits, self.signed or other.signed)

    def __lshift__(self, by: int) -> Wire:
        return Wire(self.bits + by, self.signed)

    def __rshift__(self, by: int) -> Wire:
        return Wire(max(self.bits - by, 1), self.signed)


@dataclass(frozen=True, slots=True)
class Store:
    """A memory with one read and one write port of one clock.

    Attributes
    ----------
    name : str
    depth, width : int
        Rows, and bits of one.
    columns : int
        Parts of a row that are written one by one.
    block : bool
        Whether block RAM is asked for.
    copies : int
    table : bool
        Whether it is only read.
    transparent : bool
        Whether what is read at an address that is being written is the new word.
    """

    name: str
    depth: int
    width: int
    columns: int = 1
    block: bool = False
    copies: int = 1
    table: bool = False
    transparent: bool = False


@dataclass(frozen=True, slots=True)
class Product:
    """A product of two variables, or of one and a constant that is no power of two.

    Attributes
    ----------
    name : str
    a, b : int
        Bits of the factors, a sign included.
    signed : bool
    copies : int
    out : int
        Bits of the product that are used, 0 for all.
    """

    name: str
    a: int
    b: int
    signed: bool
    copies: int = 1
    out: int = 0


@dataclass(slots=True)
class Tally:
    """What was met so far.

    Attributes
    ----------
    bits : Counter
        Bits by what they belong to: ``add`` (adders, subtracters and comparisons), ``delay``
        (registers that take over another one), ``result`` (registers behind logic), ``choose``
        (multiplexers), ``parity`` (terms of exclusive ors).
    stores : list of Store
    products : list of Product
    times : int
        What is counted stands there so many times.
    """

    bits: Counter[str] = field(default_factory=Counter)
    stores: list[Store] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    times: int = 1

    def count(self, kind: str, bits: int) -> None:
        """Count bits of a kind."""
        self.bits[kind] += self.times * max(0, bits)
        if kind == "add" and bits > 0:
            self.bits["chain"] += self.times

    def delay(self, wire: Wire | int, clocks: int = 1) -> None:
        """Count registers one behind the other."""
        self.count("delay", clocks * (wire if isinstance(wire, int) else wire.bits))

    def counter(self, bits: int) -> None:
        """Count a register that steps, and the comparison with its last value."""
        self.count("add", bits)
        self.count("result", bits)
        self.count("compare", bits)

    def sum(self, one: Wire, two: Wire, *, passed: int = 0, minus: bool = False) -> Wire:
        """Count an adder, `passed` lowest bits of which are those of one term; return its sum."""
        total = one - two if minus else one + two
        self.count("add", total.bits - passed)
        return total

    def product(self, name: str, one: Wire, two: Wire) -> Wire:
        """Count a product, and the register behind it."""
        mixed = one.signed != two.signed
        a, b = (own.bits + (mixed and not own.signed) for own in (one, two))
        self.products.append(Product(name, a, b, one.signed or two.signed, self.times))
        return one * two

    def scale(self, name: str, bits: int, constant: int, out: int) -> None:
        """Count a product with a constant that is left to Yosys, without the constant's zeros."""
        zeros = (constant & -constant).bit_length() - 1
        odd = constant >> zeros
        if odd > 1:
            own = Product(name, bits, odd.bit_length(), False, self.times, out - zeros)
            self.products.append(own)

    def saturate(self, given: Wire, shape: Wire) -> bool:
        """Count what holds a value within a shape; return whether anything is needed."""
        room = shape.bits - (shape.signed and not given.signed)
        if given.signed <= shape.signed and given.bits <= room:
            return False
        self.count("choose", shape.bits)
        self.count("compare", given.bits - shape.bits + 1)
        return True


def tally_core(config: Config, *, learning: bool) -> Tally:
    """Return what a layer core consists of.

    Parameters
    ----------
    config : Config
    learning : bool
        Whether it has learning hardware.
    """
    tally = Tally()
    _forward(tally, config, learning)
    _emitter(tally, config)
    _schedule(tally, config, learning)
    _observe(tally, config, learning)
    if learning:
        _learning(tally, config)
    return tally


def _leaky_sum(tally: Tally, state: Wire, taken: Wire, own: Filter, fmt: Format) -> Wire:
    first = len(signed_digits(own.keep)) < len(signed_digits(own.take))
    kept = _times(tally, state, own.keep, own.bias if first else 0)
    came = _times(tally, taken, own.take, 0 if first else own.bias)
    total = tally.sum(kept, came)
    tally.count("result", total.bits)
    shape = Wire.of(fmt)
    if tally.saturate(total >> own.shift, shape):
        tally.count("result", shape.bits + 1)
    else:
        tally.delay(shape)
    return shape


def _times(tally: Tally, value: Wire, constant: int, bias: int) -> Wire:
    """Count a product with a constant, in shifted sums."""
    terms = [(value << shift, shift) for shift, _ in signed_digits(constant)]
    if bias:
        terms.append((Wire.constant(bias), bias.bit_length() - 1))
    halves = []
    for (one, low), (two, high) in zip(terms[::2], terms[1::2], strict=False):
        # Below the higher term's first bit the sum is the other term.
        total = tally.sum(one, two, passed=max(low, high))
        tally.count("result", total.bits - min(low, high))
        halves.append((total, min(low, high)))
    if len(terms) % 2:
        wire, low = terms[-1]
        if not bias:
            tally.delay(wire.bits - low)
        halves.append((wire, low))
    total, below = halves[0]
    if len(halves) == 1:
        tally.delay(total.bits - below)
    else:
        for other, low in halves[1:]:
            total = tally.sum(total, other, passed=max(below, low))
            below = min(below, low)
        tally.count("result", total.bits - below)
    return total


def _forward(tally: Tally, config: Config, learning: bool) -> None:
    sizes, ranges = config.layer, derive(config).ranges
    lanes, slots = sizes.lanes, sizes.slots
    slot, weight = span(slots), config.synapse.weight.bits
    address = span(sizes.inputs * slots)
    total = Wire.holding(ranges["weight sum"])
    current, membrane = (Wire.of(fmt) for fmt in (config.synapse.current, config.membrane.format))
    target = config.error.target_bits + 1
    targets = learning or config.membrane.reset == "teacher"
    tally.stores += [
        Store("sums", slots, lanes * total.bits, transparent=True),
        Store("currents", slots, lanes * current.bits),
        Store("membranes", slots, lanes * membrane.bits),
        Store("weights", sizes.inputs * slots, lanes * weight, columns=lanes),
    ]
    # The walk over events: a row's first address, the row, the sums.
    tally.counter(slot)
    tally.scale("event row", span(sizes.inputs), slots, address)
    tally.count("add", address)
    tally.count("result", address)
    tally.delay(span(sizes.inputs))
    tally.delay(slot, 2)
    tally.delay(lanes * weight)
    tally.count("choose", lanes * total.bits + 3 * slot)
    tally.times = lanes
    tally.count("add", total.bits)
    tally.times = 1
    # The pass over slots: issue, and one counter wherever a pipe must know its slot.
    tally.counter(slot)
    tally.counter(slot)
    tally.delay(slot)
    for _ in range(3 + (2 if learning else 0)):
        tally.counter(slot)
    tally.delay(21 if learning else 12)
    tally.count("choose", 2 * slot)
    # The memories of the state answer zero in a fresh window.
    tally.count("choose", lanes * (current.bits + membrane.bits))
    tally.delay(config.noise.scale_bits)
    _lfsrs(tally, config, noise=True)
    if learning:
        tally.stores.append(Store("targets", slots, lanes * target))
        tally.delay(config.error.reciprocal_bits)
    # Lanes that share an LFSR share all of their noise; Yosys does not see that of tables.
    shared = config.noise.kind != "inverse_cdf"
    tally.times = len(set(config.noise.lfsr.streams(lanes))) if shared else lanes
    _noise(tally, config)
    tally.times = lanes
    _neuron(tally, config, total)
    if targets and config.membrane.reset == "teacher":
        tally.delay(11)
    if learning:
        _error(tally, config)
    tally.times = 1


def _lfsrs(tally: Tally, config: Config, *, noise: bool) -> None:
    source = config.noise.lfsr if noise else config.learning.lfsr
    leap = config.noise.leap if noise else config.learning.leap
    streams = dict.fromkeys(source.streams(config.layer.lanes))
    for stream in streams:
        tally.count("result", source.width)
        tally.count("parity", leap * (len(stream.taps) - 1))
        tally.count("choose", max(0, source.width - leap))


def _noise(tally: Tally, config: Config) -> None:
    """Count a draw, and what scales it."""
    noise, derived = config.noise, derive(config)
    draw = Wire.holding(Interval(noise.pmf.levels[0], noise.pmf.levels[-1]))
    _draw(tally, config, draw)
    c = derived.constants
    product = tally.product("noise", Wire(noise.scale_bits, False), draw)
    if c.noise_bias:
        tally.sum(product, Wire.constant(c.noise_bias), passed=c.noise_shift - 1)
    tally.count("result", derived.ranges["noise"].bits)


def _draw(tally: Tally, config: Config, draw: Wire) -> None:
    noise = config.noise
    if noise.kind == "inverse_cdf":
        # A sign is the top bit's affair: the table's own is always zero.
        half = 1 << (noise.word_bits - 1)
        tally.stores.append(Store("quantiles", half, draw.bits - 1, copies=tally.times, table=True))
        tally.count("choose", noise.word_bits - 1)
        tally.count("result", draw.bits)
        tally.count("add", draw.bits)
        tally.count("result", draw.bits + 1)
        return
    bits = 1 if noise.kind == "popcount" else noise.word_bits
    words = noise.draw_bits // bits
    terms = []
    for _ in range(words // 2):
        pair = tally.sum(Wire(bits, False), Wire(bits, True), minus=True)
        tally.count("result", pair.bits)
        terms.append(pair << 1)
    if words % 2:
        last = Wire(bits + 2)
        tally.count("add", bits)
        tally.count("result", last.bits)
        terms.append(last)
    while len(terms) > 1:
        pairs = [
            tally.sum(one, two, passed=1) for one, two in zip(terms[::2], terms[1::2], strict=False)
        ]
        terms = pairs + terms[2 * len(pairs) :]
    tally.count("result", draw.bits)


def _neuron(tally: Tally, config: Config, weights: Wire) -> None:
    derived = derive(config)
    c, ranges = derived.constants, derived.ranges
    membrane = Wire.of(config.membrane.format)
    current = _leaky_sum(
        tally, Wire.of(config.synapse.current), weights, c.current, config.synapse.current
    )
    before = _leaky_sum(tally, membrane, current, c.membrane, config.membrane.format)
    scaled = Wire.holding(ranges["noise"])
    noisy = tally.sum(before, scaled)
    tally.count("add", noisy.bits)
    if c.keep_noise:
        tally.saturate(noisy, membrane)
        tally.count("result", membrane.bits)
    else:
        tally.delay(membrane)
    tally.count("result", membrane.bits)
    tally.delay(membrane.bits, 2)
    tally.delay(current.bits, 6)
    tally.delay(12)


def _error(tally: Tally, config: Config) -> None:
    c, error = derive(config).constants, config.error
    entry, one = Wire.of(error.entry), Wire(error.target_bits + 1, False)
    membrane = Wire.of(config.membrane.format)
    tally.stores.append(Store("table", error.entries, 2 * entry.bits, copies=tally.times))
    distance = tally.sum(membrane, Wire.constant(c.threshold), minus=True)
    tally.count("result", distance.bits)
    product = tally.product("bin", distance, Wire(error.reciprocal_bits, False))
    tally.saturate(product >> c.bin_shift, Wire(error.index_bits))
    tally.count("result", error.index_bits)
    # The host's address goes before the bin.
    tally.count("choose", error.index_bits)
    tally.delay(2 * entry.bits)
    both = tally.sum(entry, entry)
    tally.count("result", both.bits)
    tally.delay(entry)
    toward = tally.product("target", one, both)
    away = Wire(entry.bits + error.target_bits + 1)
    if c.error_bias:
        tally.count("add", away.bits - c.error_bias.bit_length() + 1)
    tally.count("result", away.bits - error.target_bits)
    exact = tally.sum(toward, away, minus=True)
    tally.count("result", exact.bits)
    shape = Wire.of(error.format)
    tally.saturate(exact >> c.error_shift, shape)
    tally.count("result", shape.bits + 1)


def _emitter(tally: Tally, config: Config) -> None:
    sizes = config.layer
    lanes, slots = sizes.lanes, sizes.slots
    slot, unit = span(slots), span(slots * lanes)
    tally.stores.append(Store("spikes", slots, slot + lanes, block=slots > 4))
    tally.counter(span(slots + 1))
    tally.counter(span(slots + 1))
    tally.count("result", lanes + unit)
    tally.count("choose", 2 * lanes)
    tally.scale("spike base", slot, lanes, unit)
    if lanes > 1:
        tally.count("add", unit)


def _schedule(tally: Tally, config: Config, learning: bool) -> None:
    tally.counter(span(config.window.steps))
    phases = len(config.schedule)
    shifts = span(len(rate_shifts(config)))
    windows = max(phase.windows for phase in config.schedule).bit_length()
    # A host reads and writes all of a row, whatever the core uses of it.
    width = config.noise.scale_bits + config.error.reciprocal_bits + config.learning.rate_bits
    width += shifts + windows
    if learning:
        tally.counter(windows)
        tally.delay(windows)
        tally.counter(span(phases))
    tally.stores.append(Store("schedule", phases, width, block=phases > 8))


def _observe(tally: Tally, config: Config, learning: bool) -> None:
    """Count the signature and the counters."""
    lanes = config.layer.lanes
    membrane = config.membrane.format.bits
    tally.times = lanes
    tally.count("result", WIDTH)
    tally.count("parity", WIDTH + membrane)
    if learning:
        tally.count("choose", max(membrane, config.synapse.weight.bits))
    tally.times = 1
    tally.count("parity", (lanes - 1) * WIDTH)
    flags = [lanes, 2 * lanes] + ([lanes, lanes, lanes, 1, 1] if learning else [])
    for flag in flags:
        tally.count("result", COUNTER_BITS + 1 + flag + flag.bit_length())
        tally.count("add", COUNTER_BITS + flag)


def _learning(tally: Tally, config: Config) -> None:
    sizes, derived = config.layer, derive(config)
    lanes, slots = sizes.lanes, sizes.slots
    depth = sizes.inputs * slots
    address, place, slot = span(depth), span(sizes.inputs), span(slots)
    gradient = Wire.holding(derived.ranges["gradient"])
    error, trace = Wire.of(config.error.format), Wire.of(config.trace.format)
    current = Wire.of(config.trace.current)
    wide = sizes.inputs > 32
    tally.stores += [
        Store("gradient", depth, lanes * gradient.bits),
        Store("traces", sizes.inputs, current.bits + trace.bits, block=wide),
        Store("marks", sizes.inputs, 1, block=wide),
        Store("errors", slots, address + lanes * error.bits),
    ]
    tally.counter(address)
    # Traces.
    tally.counter(place)
    tally.delay(place, 10)
    tally.delay(10)
    tally.count("choose", 4 * place + current.bits + trace.bits)
    c = derived.constants
    tally.delay(1 + current.bits)
    # A pulse takes nothing: each of the constant's bits follows it or is zero.
    came = _leaky_sum(tally, current, Wire(1, False), c.trace_current, config.trace.current)
    tally.delay(trace.bits, 5)
    _leaky_sum(tally, trace, came, c.trace, config.trace.format)
    tally.delay(current.bits, 4)
    tally.delay(4)
    # Products.
    tally.count("add", address)
    tally.count("result", address)
    tally.counter(span(slots + 1))
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


def _update(tally: Tally, config: Config, gradient: Wire, address: int) -> None:
    sizes, learning = config.layer, config.learning
    place, slot = span(sizes.inputs), span(sizes.slots)
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
        _lfsrs(tally, config, noise=False)
        streams = set(learning.lfsr.streams(sizes.lanes))
        tally.delay(len(streams) * learning.random_bits, 4)
    shifts = rate_shifts(config)
    most = max(right for _, _, right in shifts)
    lifts = [left + most - right for left, _, right in shifts]
    scale = Wire(learning.rate_bits + max(lifts), False)
    weight = Wire.of(config.synapse.weight)
    tally.times = sizes.lanes
    tally.delay(learning.rate_bits + span(len(shifts)))
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


def tally_top(config: Config, *, learning: bool) -> Tally:
    """Return what depends on the configuration of a core's surroundings: registers and UART."""
    tally = Tally()
    sizes, error = config.layer, config.error
    lanes, neurons = sizes.lanes, sizes.neurons
    index, unit = span(sizes.inputs * neurons), max(1, span(neurons))
    row, slot, lane = span(sizes.inputs * sizes.slots), span(sizes.slots), span(lanes)
    current, membrane = config.synapse.current.bits, config.membrane.format.bits
    # The pointer at an element: its division by neurons and lanes, a bit a clock.
    tally.count("result", 2 * index + span(index) + row + 2 * unit + slot + lane)
    tally.count("add", index + span(index) + row + 2 * unit + lane + 1)
    tally.count("choose", 3 * row + 3 * unit + 3 * index + 2 * slot + 2 * lane)
    # What an element shows: the choice among lanes, then among memories.
    tally.count("choose", lanes * (config.synapse.weight.bits + current + membrane))
    shown = config.synapse.weight.bits + current + membrane + config.noise.scale_bits
    streams = set(config.noise.lfsr.streams(lanes))
    shown += len(streams) * config.noise.lfsr.width
    widest = [32, config.noise.lfsr.width]
    if learning:
        trace, entry = config.trace, error.entry.bits
        shown += trace.current.bits + trace.format.bits + 2 * entry
        written = error.reciprocal_bits + config.learning.rate_bits
        written += span(len(rate_shifts(config)))
        written += max(phase.windows for phase in config.schedule).bit_length()
        shown += written
        # A word goes into its place in a row.
        tally.count("choose", written + config.noise.scale_bits + 2 * entry)
        if config.learning.random_bits:
            streams = set(config.learning.lfsr.streams(lanes))
            shown += len(streams) * config.learning.lfsr.width
            widest.append(config.learning.lfsr.width)
    tally.count("choose", shown)
    tally.count("result", 2 * max(widest))
    # The streams.
    tally.count("result", 2 * span(sizes.inputs) + 2 * unit)
    tally.count("compare", 8 * (-(-sizes.inputs.bit_length() // 8)))
    if learning or config.membrane.reset == "teacher":
        target = error.target_bits + 1
        tally.count("result", 2 * lanes * target)
        tally.count("compare", lanes * target)
    return tally
