"""Onto which blocks Yosys puts memories and products: its rules, not a fit.

A memory goes where it is cheapest by the costs in Yosys' descriptions of the families
(``brams.txt``, ``lutrams.txt``), against one for each bit in registers; a product becomes
multipliers where `synth_ice40 -dsp` and `synth_ecp5` say so (``mul2dsp.v``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .gate_count import Product, Store

FAMILIES = ("ice40", "ice40hx", "ecp5")

ICE40_WIDTHS, ICE40_BITS, ICE40_COST = (2, 4, 8, 16), 4096, 64
ECP5_WIDTHS, ECP5_BITS, ECP5_COST = (1, 2, 4, 9, 18, 36), 16384, 128
ECP5_BYTE = 9
DISTRIBUTED_DEPTH, DISTRIBUTED_WIDTH, DISTRIBUTED_COST = 16, 4, 4
EXTRA_COST = 2
"""What a memory of any kind costs beside its blocks, measured on memories about the border."""
TABLE_COST = 16
"""Bits of a memory that is only read for the cost of one in registers."""


@dataclass(frozen=True, slots=True)
class Held:
    """Where a memory is.

    Attributes
    ----------
    blocks : int
        Block RAMs.
    distributed : int
        Look-up RAMs of 16 words of 4 bits (ECP5).
    registers, table : int
        Bits in registers, and of a table in logic.
    answer, choice : int
        Registers of what is read, where it does not come out of a block, and bits that are chosen
        between look-up RAMs.
    """

    blocks: int = 0
    distributed: int = 0
    registers: int = 0
    table: int = 0
    answer: int = 0
    choice: int = 0


def hold(store: Store, family: str) -> Held:
    """Return where a memory is, its copies together.

    Examples
    --------
    >>> hold(Store("weights", 650, 10), "ice40").blocks, hold(Store("sums", 10, 16), "ecp5")
    (2, Held(blocks=0, distributed=4, registers=0, table=0, answer=16, choice=0))
    """
    bits, copies = store.depth * store.width, store.copies
    logic = bits / TABLE_COST if store.table else bits
    # Block RAM that is to answer with what is being written needs a way past it.
    extra = EXTRA_COST + store.width if store.transparent else EXTRA_COST
    if family == "ecp5":
        blocks, cost = _ecp5_blocks(store), ECP5_COST
        columns = -(-(store.width // store.columns) // DISTRIBUTED_WIDTH) * store.columns
        distributed = -(-store.depth // DISTRIBUTED_DEPTH) * columns
        choice = (-(-store.depth // DISTRIBUTED_DEPTH) - 1) * store.width
        price = DISTRIBUTED_COST * distributed + choice / 2
        free = not (store.block or store.table)
        if free and price + EXTRA_COST < logic and price < cost * blocks:
            return Held(
                distributed=copies * distributed,
                answer=copies * store.width,
                choice=copies * choice,
            )
    else:
        blocks, cost = _ice40_blocks(store), ICE40_COST
    if store.block or cost * blocks + extra < logic:
        return Held(blocks=copies * blocks)
    if store.table:
        return Held(table=copies * bits)
    return Held(registers=copies * bits, answer=copies * store.width)


def _ice40_blocks(store: Store) -> int:
    """Return the least block RAMs.

    What is too deep for one lies side by side in wider words, and each bit of a word has a write
    enable: columns cost nothing.
    """
    return min(
        -(-(-(-store.depth // (ICE40_BITS // width)) * store.width) // width)
        for width in ICE40_WIDTHS
    )


def _ecp5_blocks(store: Store) -> int:
    """Return the least block RAMs; here bytes of nine bits have a write enable each."""
    counts = []
    for width in ECP5_WIDTHS:
        depth = ECP5_BITS // (width if width < ECP5_BYTE else width // ECP5_BYTE * 8)
        column, unit = store.width // store.columns, min(width, ECP5_BYTE)
        parts = store.columns if store.columns > 1 else 1
        units = parts * -(-column // unit)
        counts.append(-(-units // (width // unit)) * -(-store.depth // depth))
    return min(counts)


@dataclass(frozen=True, slots=True)
class Multiplied:
    """What products become.

    Attributes
    ----------
    blocks : int
        Multipliers.
    soft : int
        Bits to be added of what is left to logic.
    registers : int
        Bits of the product that have registers of their own: iCE40's multipliers bring some.
    """

    blocks: int = 0
    soft: int = 0
    registers: int = 0


def multiply(product: Product, family: str) -> Multiplied:
    """Return what a product becomes, its copies together.

    Examples
    --------
    >>> multiply(Product("bin", 17, 13, True), "ice40")
    Multiplied(blocks=1, soft=0, registers=0)
    >>> multiply(Product("bin", 17, 13, True), "ecp5")
    Multiplied(blocks=1, soft=0, registers=30)
    """
    if family == "ice40hx":
        parts = [(product.a, product.b, False)]
    else:
        most, least = (16, 11) if family == "ice40" else (18, 0)
        a, b = max(product.a, product.b), min(product.a, product.b)
        parts = list(_parts(a, b, product.out or a + b, most, least))
    blocks = sum(block for _, _, block in parts)
    soft = sum(_terms(a, b, product.signed) for a, b, block in parts if not block)
    inside = family == "ice40" and blocks
    own = 0 if inside else product.out or product.a + product.b
    copies = product.copies
    return Multiplied(copies * blocks, copies * soft, copies * own)


def _terms(a: int, b: int, signed: bool) -> int:
    """Return the bits that are to be added: a row for each bit of one factor but two.

    Rows of signed products reach up to the product's top.
    """
    rows = min(a, b)
    return max(0, rows - 2) * max(a, b) + (rows * rows // 2 if signed else 0)


def _parts(a: int, b: int, out: int, most: int, least: int) -> Iterator[tuple[int, int, bool]]:
    """Yield the parts that a product is cut into, and whether each becomes a multiplier."""
    if min(a, b) < 2 or out < least:
        yield a, b, False
    elif a > most:
        yield from _parts(most, b, most + b, most, least)
        yield from _parts(a - most, b, a - most + b, most, least)
    elif b > most:
        yield from _parts(a, most, a + most, most, least)
        yield from _parts(a, b - most, a + b - most, most, least)
    else:
        yield a, b, True
