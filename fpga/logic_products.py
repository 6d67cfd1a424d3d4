"""Which products are left to logic where a device has too few multipliers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .gate_tally import Product
from .yosys_mapping import MultiplierRules, map_product

Key = tuple[bool, bool]


def multipliers_of(products: Sequence[Product], rules: MultiplierRules) -> int:
    """Return the multipliers that products take, where two small ones may share one.

    Examples
    --------
    >>> from bitlif.fpga.yosys_mapping import ICE40_MULTIPLIER
    >>> multipliers_of([Product("small", 8, 8, True, copies=5)], ICE40_MULTIPLIER)
    3
    """
    total = 0
    halves: Counter[Key] = Counter()
    for product in products:
        blocks = map_product(product, rules).blocks
        key = _shared(product, rules)
        if key is None:
            total += blocks
        else:
            halves[key] += blocks
    return total + sum(-(-count // 2) for count in halves.values())


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
    hard = {
        index: own for index, own in enumerate(products) if map_product(own, rules).blocks
    }  # fmt: skip
    left: list[int] = []
    while hard and multipliers_of(list(hard.values()), rules) > most:
        chosen = min(_choices(hard, rules), key=lambda own: (_bits(hard, own), own))
        left += chosen
        for index in chosen:
            del hard[index]
    return sorted(left)


def _choices(hard: Mapping[int, Product], rules: MultiplierRules) -> list[tuple[int, ...]]:
    """Return the smallest groups of products, each of which frees a multiplier or more."""
    choices: list[tuple[int, ...]] = []
    groups: dict[Key, list[int]] = {}
    for index, product in hard.items():
        key = _shared(product, rules)
        if key is None:
            choices.append((index,))
        else:
            groups.setdefault(key, []).append(index)
    for own in groups.values():
        own.sort(key=lambda index: (hard[index].a * hard[index].b, index))
        choices.append(tuple(own[: 1 if len(own) % 2 else 2]))
    return choices


def _bits(hard: Mapping[int, Product], indices: Sequence[int]) -> int:
    return sum(hard[index].a * hard[index].b for index in indices)


def _shared(product: Product, rules: MultiplierRules) -> Key | None:
    """Return the class of products that can share a multiplier with this one; None: none can."""
    bits, signs = product.halves
    return signs if bits <= rules.half else None


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
