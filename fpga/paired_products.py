"""Two products of 8 x 8 bits in one multiplier of an iCE40 UltraPlus.

An SB_MAC16 multiplies 16 x 16 bits, or twice 8 x 8 bits. Yosys uses the first mode alone. In a
mapped netlist, `pair_products` puts two small products with the same registers into one cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CELL, HALF = "SB_MAC16", 8
OPERANDS = ("A", "B")
REGISTERS = {"A": "A_REG", "B": "B_REG"}
HELD = {"A": "AHOLD", "B": "BHOLD"}
SIGNED = {"A": "A_SIGNED", "B": "B_SIGNED"}
STAGE = ("TOP_8x8_MULT_REG", "BOT_8x8_MULT_REG", "PIPELINE_16x16_MULT_REG1")
"""Registers of the product: all or none of them."""

UNUSED = ("CO", "ACCUMCO", "SIGNEXTOUT")
RESETS = ("IRSTTOP", "IRSTBOT")
PLAIN, EIGHT = 0b11, 0b10
"""Output selections: the 16 x 16 product without its adder, and the 8 x 8 product."""

Bit = int | str


@dataclass(frozen=True, slots=True)
class _Small:
    """A product of at most 8 x 8 bits.

    Attributes
    ----------
    name : str
    cell : mapping
        Of Yosys' JSON netlist.
    order : tuple of str
        The ports with the first and the second factor; a signed factor comes first.
    kind : tuple
        Everything in which two products of one cell must agree.
    """

    name: str
    cell: Mapping[str, Any]
    order: tuple[str, str]
    kind: tuple[Any, ...]


def pair_products(module: dict[str, Any]) -> int:
    """Put pairs of small products of a module into one multiplier each.

    Parameters
    ----------
    module : dict
        A module of Yosys' JSON netlist after ``synth_ice40 -dsp``; it is changed in place.

    Returns
    -------
    int
        Number of pairs.
    """
    used = set(_used(module))
    waiting: dict[tuple[Any, ...], _Small] = {}
    become: dict[int, Bit] = {}
    pairs = 0
    for name in sorted(module["cells"]):
        small = _small(name, module["cells"][name], used)
        if small is None:
            continue
        other = waiting.pop(small.kind, None)
        if other is None:
            waiting[small.kind] = small
            continue
        module["cells"][other.name] = _paired(other, small, become)
        del module["cells"][small.name]
        pairs += 1
    if become:
        _rename(module, become)
    return pairs


def _used(module: Mapping[str, Any]) -> Iterator[int]:
    """Yield the nets that inputs of cells and outputs of the module take."""
    for port in module["ports"].values():
        if port["direction"] != "input":
            yield from (bit for bit in port["bits"] if isinstance(bit, int))
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                yield from (bit for bit in bits if isinstance(bit, int))


def _small(name: str, cell: Mapping[str, Any], used: set[int]) -> _Small | None:
    """Return a cell as a product of 8 x 8 bits, or None if it is none."""
    if cell["type"] != CELL:
        return None
    values = {key: int(bits, 2) for key, bits in cell["parameters"].items()}
    wires = cell["connections"]
    stage = {values[key] for key in STAGE}
    if (
        {values["TOPOUTPUT_SELECT"], values["BOTOUTPUT_SELECT"]} != {PLAIN}
        or len(stage) > 1
        or values["PIPELINE_16x16_MULT_REG2"]
        or any(_bits(wires, port) != ("0",) for port in RESETS)
        or any(bit in used for port in UNUSED for bit in wires.get(port, ()))
    ):
        return None
    signs = {port: _sign(wires[port], values[SIGNED[port]]) for port in OPERANDS}
    if None in signs.values():
        return None
    order = ("B", "A") if signs["B"] and not signs["A"] else ("A", "B")
    kind = (
        stage.pop(),
        values["NEG_TRIGGER"],
        *(_bits(wires, port) for port in ("CLK", "CE")),
        *((signs[port], values[REGISTERS[port]], _bits(wires, HELD[port])) for port in order),
    )
    return _Small(name, cell, order, kind)


def _bits(wires: Mapping[str, list[Bit]], port: str) -> tuple[Bit, ...]:
    """Return the nets of a control input; an undefined or missing one is 0."""
    return tuple("0" if bit == "x" else bit for bit in wires.get(port, ())) or ("0",)


def _sign(bits: list[Bit], signed: int) -> bool | None:
    """Return whether a factor of at most 8 bits is signed; None if it is wider."""
    low, high = bits[:HALF], set(bits[HALF:])
    if high == {"0"}:
        # With a top bit of 0, the factor may be taken for either.
        return False
    return True if signed and high == {low[-1]} else None


def _paired(low: _Small, high: _Small, become: dict[int, Bit]) -> dict[str, Any]:
    """Return the cell of two products; note the nets of upper bits in `become`."""
    cell = {**low.cell, "parameters": dict(low.cell["parameters"])}
    wires = cell["connections"] = dict(low.cell["connections"])
    for into, first, second in zip(OPERANDS, low.order, high.order, strict=True):
        wires[into] = (
            low.cell["connections"][first][:HALF] + high.cell["connections"][second][:HALF]
        )
    # Copied from the first product, whose factors may have been exchanged.
    for names in (REGISTERS, SIGNED):
        for into, own in zip(OPERANDS, low.order, strict=True):
            cell["parameters"][names[into]] = low.cell["parameters"][names[own]]
    for into, own in zip(OPERANDS, low.order, strict=True):
        wires[HELD[into]] = low.cell["connections"].get(HELD[own], ["0"])
    signs = [own[0] for own in low.kind[-2:]]
    for into, sign in zip(OPERANDS, signs, strict=True):
        cell["parameters"][SIGNED[into]] = f"{int(sign):b}"
    for key in ("TOPOUTPUT_SELECT", "BOTOUTPUT_SELECT"):
        cell["parameters"][key] = f"{EIGHT:02b}"
    cell["parameters"]["MODE_8x8"] = "1"
    outputs = [own.cell["connections"]["O"] for own in (low, high)]
    for bits in outputs:
        top: Bit = bits[2 * HALF - 1] if any(signs) else "0"
        become.update((bit, top) for bit in bits[2 * HALF :] if isinstance(bit, int))
    wires["O"] = outputs[0][: 2 * HALF] + outputs[1][: 2 * HALF]
    return cell


def _rename(module: dict[str, Any], become: Mapping[int, Bit]) -> None:
    """Replace nets in all cells, ports and names of a module."""

    def renamed(bits: list[Bit]) -> list[Bit]:
        return [become.get(bit, bit) if isinstance(bit, int) else bit for bit in bits]

    for cell in module["cells"].values():
        cell["connections"] = {port: renamed(bits) for port, bits in cell["connections"].items()}
    for group in ("ports", "netnames"):
        for own in module[group].values():
            own["bits"] = renamed(own["bits"])
