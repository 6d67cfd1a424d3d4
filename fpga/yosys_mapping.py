"""Rules by which Yosys maps memories and products to the hard blocks of an FPGA.

A memory with one port goes to large RAM where there is enough of it (`bitlif.fpga.large_ram`). Any
other goes to the cheapest of block RAM, distributed RAM and registers, by the costs in Yosys'
descriptions of the families (``brams.txt``, ``lutrams.txt``). A product becomes hard
multipliers by the rules of ``synth_ice40 -dsp``, ``synth_ecp5`` and ``synth_gowin``
(``mul2dsp.v``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .gate_tally import Memory, Product
from .large_ram import LargeRam, chosen

ICE40_WIDTHS, ICE40_BITS = (2, 4, 8, 16), 4096
ECP5_WIDTHS, ECP5_BITS, ECP5_BYTE = (1, 2, 4, 9, 18, 36), 16384, 9
EXTRA_COST = 2
"""Cost of any memory besides its blocks: measured on memories near the break-even sizes."""
TABLE_COST = 16
"""Bits of a read-only memory in logic that cost as much as one bit in registers."""


@dataclass(frozen=True, slots=True)
class DistributedRam:
    """RAM made of look-up tables.

    Attributes
    ----------
    depth, width : int
        Words and bits per word of one.
    cost : int
        Yosys' cost of one, relative to one bit in registers.
    scaled : bool
        Whether one with unused bits costs less in proportion.
    """

    depth: int
    width: int
    cost: int
    scaled: bool = False


@dataclass(frozen=True, slots=True)
class MemoryRules:
    """Memories of a family.

    Attributes
    ----------
    blocks : callable
        Takes a `Memory` and returns the least number of block RAMs that hold one copy.
    cost : int
        Yosys' cost of a block RAM, relative to one bit in registers.
    distributed : DistributedRam or None
    """

    blocks: Callable[[Memory], int]
    cost: int
    distributed: DistributedRam | None = None


@dataclass(frozen=True, slots=True)
class MultiplierStep:
    """A kind of multiplier, where a family has several.

    Attributes
    ----------
    width : int
        Bits of a factor; wider products are split.
    larger, smaller : int
        Fewest bits of the larger and of the smaller factor.
    share : float
        How many multipliers of the usual kind it takes the place of.
    """

    width: int
    larger: int
    smaller: int
    share: float


@dataclass(frozen=True, slots=True)
class MultiplierRules:
    """Hard multipliers of a family.

    Attributes
    ----------
    width : int
        Bits of a factor.
    least : int
        Bits of the smallest product that is not left to logic.
    registers : bool
        Whether multipliers have registers for their products.
    half : int
        Bits of the factors of which one multiplier holds two products; 0: none.
    sweeps : bool
        Whether they are used for the products of the sweep of a network. Where they are not,
        Yosys would map some of these wrongly (`bitlif.fpga.synthesis`).
    most : int
        Multipliers of the family's devices. Products beyond them are left to logic; 0: all are
        mapped to multipliers.
    steps : tuple of MultiplierStep
        Kinds of multipliers in the order in which they are tried, where there are several. `width`
        is then that of the kind that counts as one.
    """

    width: int
    least: int = 0
    registers: bool = False
    half: int = 0
    sweeps: bool = True
    most: int = 0
    steps: tuple[MultiplierStep, ...] = ()


@dataclass(frozen=True, slots=True)
class MappedMemory:
    """A memory after mapping, all of its copies together.

    Attributes
    ----------
    blocks : int
        Block RAMs.
    distributed : int
        Distributed RAMs.
    registers, table : int
        Bits in registers, and bits of a table in logic.
    answer : int
        Registers of the read data, where they are outside a block RAM.
    choice : int
        Bits of the multiplexers between distributed RAMs.
    large : int
        Large RAMs.
    """

    blocks: int = 0
    distributed: int = 0
    registers: int = 0
    table: int = 0
    answer: int = 0
    choice: int = 0
    large: int = 0

    @property
    def kind(self) -> str:
        """Return the kind of memory."""
        if self.large:
            return "large RAM"
        if self.blocks:
            return "block RAM"
        if self.distributed:
            return "distributed RAM"
        return "logic" if self.table else "registers"


def map_memory(memory: Memory, rules: MemoryRules) -> MappedMemory:
    """Return what a memory is mapped to.

    Examples
    --------
    >>> map_memory(Memory("weights", 650, 10), ICE40_MEMORY).blocks
    2
    >>> map_memory(Memory("sums", 10, 16), ECP5_MEMORY)
    MappedMemory(blocks=0, distributed=4, registers=0, table=0, answer=16, choice=0, large=0)
    """
    bits, copies = memory.depth * memory.width, memory.copies
    logic = bits / TABLE_COST if memory.table else bits
    # Transparent block RAM needs a bypass for the word that is being written.
    extra = EXTRA_COST + memory.width if memory.transparent else EXTRA_COST
    # A block RAM and a distributed RAM have one read port: each further one takes a copy.
    blocks = memory.reads * rules.blocks(memory)
    ram = rules.distributed
    if ram is not None and not (memory.block or memory.table):
        rows = -(-memory.depth // ram.depth)
        count = rows * -(-(memory.width // memory.columns) // ram.width) * memory.columns
        count, answer = memory.reads * count, memory.reads * memory.width
        choice = (rows - 1) * answer
        full = memory.reads * rows * memory.width / ram.width if ram.scaled else count
        price = ram.cost * full + choice / 2
        if price + EXTRA_COST < logic and price < rules.cost * blocks:
            return MappedMemory(
                distributed=copies * count, answer=copies * answer, choice=copies * choice
            )
    if memory.block or rules.cost * blocks + extra < logic:
        return MappedMemory(blocks=copies * blocks)
    if memory.table:
        return MappedMemory(table=copies * bits)
    return MappedMemory(registers=copies * bits, answer=copies * memory.reads * memory.width)


def map_memories(
    memories: Sequence[Memory], rules: MemoryRules, ram: LargeRam | None
) -> list[MappedMemory]:
    """Return what the memories of a core are mapped to, by rules of a family with a large RAM.

    Examples
    --------
    >>> sums = Memory("gradient", 10240, 48, single_port=True)
    >>> [own.kind for own in map_memories([sums], ICE40_MEMORY, LargeRam(16384, 16, 4, 4))]
    ['large RAM']
    >>> [own.kind for own in map_memories([sums], ICE40_MEMORY, None)]
    ['block RAM']
    """
    single = [own for own in memories if own.single_port]
    sizes = [(own.depth, own.width, own.columns) for own in single]
    large = dict(zip(map(id, single), chosen(sizes, ram), strict=True))
    return [
        MappedMemory(large=count) if (count := large.get(id(own), 0)) else map_memory(own, rules)
        for own in memories
    ]


def _ice40_blocks(memory: Memory) -> int:
    """Return the least number of block RAMs on an iCE40.

    A memory that is too deep for one block is stored as wider words of fewer rows. Each bit of a
    word has a write enable, so columns need no extra blocks.
    """
    return min(
        -(-(-(-memory.depth // (ICE40_BITS // width)) * memory.width) // width)
        for width in ICE40_WIDTHS
    )


def _ecp5_blocks(memory: Memory) -> int:
    """Return the least number of block RAMs on an ECP5, which has a write enable per 9 bits."""
    counts = []
    for width in ECP5_WIDTHS:
        depth = ECP5_BITS // (width if width < ECP5_BYTE else width // ECP5_BYTE * 8)
        column, unit = memory.width // memory.columns, min(width, ECP5_BYTE)
        parts = memory.columns if memory.columns > 1 else 1
        units = parts * -(-column // unit)
        counts.append(-(-units // (width // unit)) * -(-memory.depth // depth))
    return min(counts)


ICE40_MEMORY = MemoryRules(_ice40_blocks, cost=64)
ECP5_MEMORY = MemoryRules(_ecp5_blocks, cost=128, distributed=DistributedRam(16, 4, cost=4))
GOWIN_MEMORY = MemoryRules(
    _ecp5_blocks, cost=128, distributed=DistributedRam(16, 4, cost=4, scaled=True)
)
"""Block RAMs have the widths and write enables of an ECP5's."""
ICE40_MULTIPLIER = MultiplierRules(16, least=11, registers=True, half=8, sweeps=False, most=8)
ECP5_MULTIPLIER = MultiplierRules(18)
GOWIN_MULTIPLIER = MultiplierRules(
    18,
    steps=(
        MultiplierStep(36, 22, 22, 4), MultiplierStep(18, 10, 4, 1), MultiplierStep(9, 4, 4, 0.5),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MappedProduct:
    """A product after mapping, all of its copies together.

    Attributes
    ----------
    blocks : float
        Hard multipliers; a narrow one is half of one.
    soft : int
        Bits of the adders of the parts that are left to logic.
    registers : int
        Bits of the product in registers outside the multipliers.
    """

    blocks: float = 0
    soft: int = 0
    registers: int = 0


def map_product(product: Product, rules: MultiplierRules | None) -> MappedProduct:
    """Return what a product is mapped to; to logic alone if `rules` is None.

    Examples
    --------
    >>> map_product(Product("bin", 17, 13, True), ICE40_MULTIPLIER)
    MappedProduct(blocks=1, soft=0, registers=0)
    >>> map_product(Product("bin", 17, 13, True), ECP5_MULTIPLIER)
    MappedProduct(blocks=1, soft=0, registers=30)
    """
    out = product.out or product.a + product.b
    if rules is None:
        parts = [(product.a, product.b, 0.0)]
    else:
        a, b = max(product.a, product.b), min(product.a, product.b)
        parts = list(_parts(a, b, out, rules))
    blocks = sum(block for _, _, block in parts)
    soft = sum(_adder_bits(a, b, product.signed) for a, b, block in parts if not block)
    inside = rules is not None and rules.registers and blocks
    copies = product.copies
    return MappedProduct(copies * blocks, copies * soft, 0 if inside else copies * out)


def _adder_bits(a: int, b: int, signed: bool) -> int:
    """Return the bits of the adders of a product in logic: one row per bit of a factor, less two.

    Rows of signed products extend to the top bit of the product.
    """
    rows = min(a, b)
    return max(0, rows - 2) * max(a, b) + (rows * rows // 2 if signed else 0)


def _parts(a: int, b: int, out: int, rules: MultiplierRules) -> Iterator[tuple[int, int, float]]:
    """Yield the widths of partial products, and how many hard multipliers each takes."""
    if rules.steps:
        yield from _stepped(a, b, rules.steps)
        return
    most = rules.width
    if min(a, b) < 2 or out < rules.least:
        yield a, b, 0
    elif a > most:
        yield from _parts(most, b, most + b, rules)
        yield from _parts(a - most, b, a - most + b, rules)
    elif b > most:
        yield from _parts(a, most, a + most, rules)
        yield from _parts(a, b - most, a + b - most, rules)
    else:
        yield a, b, 1


def _stepped(a: int, b: int, steps: Sequence[MultiplierStep]) -> Iterator[tuple[int, int, float]]:
    """Yield the same for several kinds of multipliers: what is too small for one is tried next."""
    if not steps:
        yield a, b, 0
        return
    own, a, b = steps[0], max(a, b), min(a, b)

    def split(a: int, b: int) -> Iterator[tuple[int, int, float]]:
        if a < own.larger or b < own.smaller:
            yield from _stepped(a, b, steps[1:])
        elif a > own.width:
            yield from split(own.width, b)
            yield from split(a - own.width, b)
        elif b > own.width:
            yield from split(a, own.width)
            yield from split(a, b - own.width)
        else:
            yield a, b, own.share

    yield from split(a, b)
