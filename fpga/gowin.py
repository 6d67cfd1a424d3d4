"""The family of Gowin's GW1N and GW2A, for which Yosys makes one netlist.

Yosys has no simulation models of the block RAMs and multipliers: ``gowin_cells.v`` covers the modes
of its mapping. Not covered, because boards were seen to differ or the vendor withdrew them: the
reset of a block RAM's output (Yosys issue 6163), its output registers, and read-before-write on two
ports.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .family import (
    BLOCKS,
    CELLS,
    MULTIPLIERS,
    REGISTERS,
    CellLimits,
    CellModels,
    Device,
    Fabric,
    Family,
    Toolchain,
)
from .yosys_mapping import GOWIN_MEMORY, GOWIN_MULTIPLIER

RAM_LUTS, RAM_REGISTERS = 8, 6
"""Look-up tables and registers whose place a distributed RAM takes."""

MODELS = Path(__file__).with_name("gowin_cells.v")

LUT, RAM, FLIP_FLOP, BLOCK_RAM = "LUT[1-4]", "RAM16SDP[124]", "DFF[A-Z]*", "(SDP|DP)(X9)?B|SPX?9?"

_MEMORY = {
    "READ_MODE[01]?|BLK_SEL(_[01])?": "0",
    "RESET_MODE": "SYNC|ASYNC",
    "INIT_RAM_[0-3][0-9A-F]": "[0-9x]+",
}
_MODES = {"WRITE_MODE[01]": "0|1"}
_BYTES, _NINES = "1|2|4|8|16", "9|18"
_WIDTH, _WIDTHS = "BIT_WIDTH", "BIT_WIDTH_[01]"
_ONE, _TWO = "CLK|CE|WRE|AD|DI|DO", "(CLK|CE|AD)[AB]|DI|DO"
_PAIR = f"({_ONE})[AB]"


def _memory(ports: str, parameters: Mapping[str, str], *clocks: str) -> CellLimits:
    return CellLimits(
        _MEMORY | dict(parameters), ports, zeros="RESET[AB]?|BLKSEL[AB]?", ones="OCE[AB]?",
        clocks=clocks,
    )  # fmt: skip


_FACTORS = CellLimits(
    {"[A-Z0-9]+_REG|[AB]REG": "0", "MULT_RESET_MODE": "SYNC|ASYNC"},
    "A|B|ASIGN|BSIGN|DOUT",
    zeros="SI[AB]|[AB]SEL|CE|CLK|RESET",
)

LIMITS = {
    "SP": _memory(_ONE, {"WRITE_MODE": "0|1|2", _WIDTH: f"{_BYTES}|32"}),
    "SPX9": _memory(_ONE, {"WRITE_MODE": "0|1|2", _WIDTH: f"{_NINES}|36"}),
    "SDPB": _memory(_TWO, {_WIDTHS: f"{_BYTES}|32"}, "CLKA", "CLKB"),
    "SDPX9B": _memory(_TWO, {_WIDTHS: f"{_NINES}|36"}, "CLKA", "CLKB"),
    "DPB": _memory(_PAIR, _MODES | {_WIDTHS: _BYTES}, "CLKA", "CLKB"),
    "DPX9B": _memory(_PAIR, _MODES | {_WIDTHS: _NINES}, "CLKA", "CLKB"),
    "MULT9X9": _FACTORS,
    "MULT18X18": _FACTORS,
    "MULT36X36": _FACTORS,
}


def count(module: Mapping[str, Any]) -> dict[str, int]:
    """Return the resources of a module of Yosys' JSON, by kind.

    A logic cell is a look-up table with a register, as on an iCE40. nextpnr places a register
    beside the look-up table that drives it; any other register takes a cell of its own, whose table
    passes its input on. A carry chain begins with a cell of its own, and a distributed RAM takes
    the place of eight cells.
    """
    cells = module["cells"].values()
    types = Counter(cell["type"] for cell in cells)

    def number(pattern: str) -> int:
        return sum(n for kind, n in types.items() if re.fullmatch(pattern, kind))

    registers, rams = number(FLIP_FLOP), number(RAM)
    return {
        CELLS: number(LUT) + number("ALU") + _chains(cells) + RAM_LUTS * rams
        + registers - _pairs(cells),
        REGISTERS: registers + RAM_REGISTERS * rams,
        BLOCKS: number(BLOCK_RAM),
        MULTIPLIERS: types["MULT18X18"] + math.ceil(types["MULT9X9"] / 2) + 4 * types["MULT36X36"],
    }  # fmt: skip


def _nets(cells: Any, pattern: str, *ports: str) -> Iterator[int | str]:
    """Yield the nets at ports of cells of a type."""
    for cell in cells:
        if re.fullmatch(pattern, cell["type"]):
            for port in ports:
                yield from cell["connections"].get(port, ())


def _pairs(cells: Any) -> int:
    """Return the number of look-up tables that share a cell with a register.

    Those behind a multiplexer of look-up tables do not.
    """
    wide = set(_nets(cells, "MUX2_LUT5", "I0", "I1"))
    return len((set(_nets(cells, LUT, "F")) - wide) & set(_nets(cells, FLIP_FLOP, "D")))


def _chains(cells: Any) -> int:
    """Return the number of carry chains: their first carry comes from no other adder."""
    carries = set(_nets(cells, "ALU", "COUT"))
    return sum(net not in carries for net in _nets(cells, "ALU", "CIN"))


_GUESSES = {
    CELLS: {
        "constant": 200.0, "learning": 200.0, "add": 1.2, "chain": 1.5, "compare": 0.5,
        "choose": 0.8, "parity": 0.5, "table": 0.3, "soft": 2.0, "held": 1.5, "delay": 0.8,
        "result": 0.3, "product": 1.0, "answer": 0.8, "distributed": 8.0, "choice": 0.5,
    },
    REGISTERS: {
        "constant": 150.0, "learning": 150.0, "delay": 0.7, "result": 0.8, "product": 1.0,
        "answer": 0.7, "held": 1.0, "distributed": 6.0,
    },
}  # fmt: skip

TOOLS = Toolchain(
    "nextpnr-himbaechel", "gowin_pack", "cst", "--vopt cst=", "json", "--write", "fs",
    {CELLS: "LUT4", REGISTERS: "DFF", BLOCKS: "BSRAM", MULTIPLIERS: "MULT18X18",
     "distributed RAMs": "RAM16SDP4"},
    # An adder or a distributed RAM takes the place of look-up tables, two narrow multipliers that
    # of one, and a wide one that of four.
    shares={
        CELLS: {"ALU": 1, "RAM16SDP4": RAM_LUTS},
        REGISTERS: {"RAM16SDP4": RAM_REGISTERS},
        MULTIPLIERS: {"MULT9X9": 0.5, "MULT36X36": 4},
    },
    bitstream_option="-o",
    pads="iopadmap -bits -inpad IBUF O:I -outpad OBUF I:O",
    count=count,
)  # fmt: skip

GOWIN = Family(
    name="gowin",
    # Yosys maps a GW2A alike. Multiplexers of look-up tables cost more cells than they save.
    synthesis="synth_gowin -family gw1n -noiopads -nowidelut",
    fabric=Fabric("gowin", GOWIN_MEMORY, _GUESSES),
    multiplier=GOWIN_MULTIPLIER,
    register_cells=FLIP_FLOP,
    models=CellModels(
        f"-map {MODELS.name} -map +/gowin/cells_sim.v",
        f"{LUT}|MUX2_LUT[5-8]|ALU|{FLIP_FLOP}|{RAM}|VCC|GND|{'|'.join(LIMITS)}",
        LIMITS,
        (MODELS,),
        {"GND": "0", "VCC": "1"},
    ),
    pll="rpll",
    toolchain=TOOLS,
    device=Device(
        "gw1nr9",
        "Gowin GW1NR-9C",
        ("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C"),
        50,
        "".join(
            f'IO_LOC "{port}" {pin};\n'
            for port, pin in (("clk", 52), ("rst", 4), ("i", 18), ("o", 17))
        ),
    ),
)
