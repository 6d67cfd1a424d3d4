"""Which products are left to logic where a device has too few multipliers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .gate_tally import Product
from .yosys_mapping import MappedProduct, MultiplierRules, map_product

Key = tuple[bool, bool, bool]


def multipliers_of(products: Sequence[Product], rules: MultiplierRules) -> int:
    """Return the multipliers that products take, where two small ones may share one.

    Examples
    --------
    >>> from bitlif.fpga.yosys_mapping import ICE40_MULTIPLIER
    >>> multipliers_of([Product("small", 8, 8, True, copies=5)], ICE40_MULTIPLIER)
    3
    """
    total = 0.0
    halves: Counter[Key] = Counter()
    for product in products:
        blocks = map_product(product, rules).blocks
        key = _shared(product, rules)
        if key is None:
            total += blocks
        else:
            halves[key] += int(blocks)
    return math.ceil(total) + sum(-(-count // 2) for count in halves.values())


def left_to_logic(products: Sequence[Product], rules: MultiplierRules, most: int) -> list[int]:
    """Return the indices of products that are left to logic, so that `most` multipliers suffice.

    Each time, the product or the pair of products with the fewest bits that frees a multiplier is
    added to them.

    Parameters
    ----------
    products : sequence of Product
        Each with one copy.
    rules : MultiplierRules
    most : int

    Examples
    --------
    >>> from bitlif.fpga.yosys_mapping import ICE40_MULTIPLIER
    >>> products = [Product("large", 16, 16, True), *[Product("small", 8, 8, True)] * 3]
    >>> left_to_logic(products, ICE40_MULTIPLIER, 2)
    [1]
    """
    used = multipliers_of(products, rules)
    # Products that no other one can share a multiplier with, and those of each class, by bits.
    alone: list[int] = []
    groups: dict[Key, list[int]] = {}
    for index in sorted(range(len(products)), key=lambda own: (_bits(products[own]), own)):
        if map_product(products[index], rules).blocks:
            key = _shared(products[index], rules)
            (alone if key is None else groups.setdefault(key, [])).append(index)
    left: list[int] = []
    while used > most:
        choices = [alone[:1], *(own[: 1 if len(own) % 2 else 2] for own in groups.values())]
        own = min(
            filter(None, choices),
            key=lambda own: (sum(_bits(products[index]) for index in own), own),
        )
        used -= multipliers_of([products[index] for index in own], rules)
        left += own
        for rest in (alone, *groups.values()):
            if own[0] in rest[:1]:
                del rest[: len(own)]
    return sorted(left)


def map_products(products: Sequence[Product], rules: MultiplierRules | None) -> MappedProduct:
    """Return what all products of a design are mapped to.

    Products of sweeps are left to logic if `rules` do not allow multipliers for them.

    Examples
    --------
    >>> from bitlif.fpga.yosys_mapping import ICE40_MULTIPLIER
    >>> map_products([Product("small", 8, 8, True, copies=17)], ICE40_MULTIPLIER).blocks
    8
    """
    single = [replace(own, copies=1) for own in products for _ in range(own.copies)]
    left: set[int] = set()
    if rules is not None:
        left = {index for index, own in enumerate(single) if own.swept and not rules.sweeps}
        if rules.most:
            free = [index for index in range(len(single)) if index not in left]
            chosen = left_to_logic([single[index] for index in free], rules, rules.most)
            left |= {free[index] for index in chosen}
    hard = [own for index, own in enumerate(single) if index not in left]
    made = [map_product(own, rules) for own in hard]
    made += [map_product(single[index], None) for index in sorted(left)]
    return MappedProduct(
        0 if rules is None else multipliers_of(hard, rules),
        sum(own.soft for own in made),
        sum(own.registers for own in made),
    )


def _bits(product: Product) -> int:
    return product.a * product.b


def _shared(product: Product, rules: MultiplierRules) -> Key | None:
    """Return the class of products that can share a multiplier with this one; None: none can."""
    bits, signs = product.halves
    # Those of the noise have other registers around them than all others.
    noise = product.name == "noise" or ".\\neuron_" in product.name
    return (*signs, noise) if bits <= rules.half else None


def products_of(module: Mapping[str, Any]) -> dict[str, Product]:
    """Return the products of a module of Yosys' JSON netlist before they are mapped, by cell."""
    found = {}
    for name, cell in sorted(module["cells"].items()):
        if cell["type"] != "$mul":
            continue
        values = {key: int(bits, 2) for key, bits in cell["parameters"].items()}
        signed = bool(values["A_SIGNED"])
        a, b = (_shortest(cell["connections"][port], signed) for port in "AB")
        extended = (signed and a[-1] == "0", signed and b[-1] == "0")
        out = min(values["Y_WIDTH"], len(a) + len(b))
        found[name] = Product(name, len(a), len(b), signed, 1, out, extended)
    return found


def _shortest(bits: Sequence[int | str], signed: bool) -> Sequence[int | str]:
    """Return a factor without the copies of its sign, or without leading zeros."""
    kept = len(bits)
    while kept > 1 and bits[kept - 1] == (bits[kept - 2] if signed else "0"):
        kept -= 1
    return bits[:kept]
