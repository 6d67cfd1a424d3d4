"""Which memories of a core go to the large single-port RAM of an FPGA.

The RAM is coarse and cannot be initialised, so only memories with one port are candidates
(`bitlif.hdl.single_port`). They go there as long as there is enough of it, largest first. Yosys
chooses between block RAM, distributed RAM and registers for all others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bitlif.hdl.core_signals import SINGLE_PORT

_MEMORY = re.compile(
    r"^((?:  \(\* .* \*\)\n)+)(  reg (?:\[(\d+):0\] )?(?:\w+|\\\S+ ) *\[(\d+):0\];)",
    re.MULTILINE,
)
"""A memory with attributes in Verilog: the attributes, the declaration, its highest bit and row."""
_PARTS = re.compile(rf"\(\* {SINGLE_PORT} = 32'd(\d+) \*\)")


@dataclass(frozen=True, slots=True)
class LargeRam:
    """The large RAM of a device.

    Attributes
    ----------
    depth, width : int
        Rows and bits per row of one.
    granularity : int
        Bits per write enable.
    count : int
        How many the device has.
    """

    depth: int
    width: int
    granularity: int
    count: int

    def blocks(self, rows: int, bits: int, parts: int) -> int:
        """Return how many hold a memory, whose rows consist of parts with a write enable each.

        >>> LargeRam(16384, 16, 4, 4).blocks(10240, 18, 3)
        2
        """
        units = parts * -(-(bits // parts) // self.granularity)
        return -(-rows // self.depth) * -(-units * self.granularity // self.width)


def chosen(sizes: Sequence[tuple[int, int, int]], ram: LargeRam | None) -> list[int]:
    """Return how many large RAMs each single-port memory gets; 0 for one that does not fit.

    Parameters
    ----------
    sizes : sequence of (int, int, int)
        Rows, bits per row, and parts of a row with a write enable each.
    ram : LargeRam or None
        None: the device has none.

    Examples
    --------
    >>> chosen([(640, 80, 10), (10240, 16, 2), (10240, 48, 1)], LargeRam(16384, 16, 4, 4))
    [0, 1, 3]
    """
    counts = [0] * len(sizes)
    if ram is None:
        return counts
    left = ram.count
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place][0] * sizes[place][1]):
        needed = ram.blocks(*sizes[place])
        if needed <= left:
            counts[place] = needed
            left -= needed
    return counts


def with_large_ram(text: str, ram: LargeRam | None) -> str:
    """Return the Verilog of a core in which the chosen memories have the attribute for large RAM.

    Parameters
    ----------
    text : str
        As `bitlif.hdl.export.verilog.core_verilog` returns it.
    ram : LargeRam or None
    """
    found = [
        (memory, int(parts[1]))
        for memory in _MEMORY.finditer(text)
        if (parts := _PARTS.search(memory[1]))
    ]
    sizes = [(int(one[4]) + 1, int(one[3] or 0) + 1, parts) for one, parts in found]
    for (memory, _), count in reversed(list(zip(found, chosen(sizes, ram), strict=True))):
        if count:
            at = memory.start(2)
            text = f'{text[:at]}  (* ram_style = "huge" *)\n{text[at:]}'
    return text
