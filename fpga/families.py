"""FPGA families: one record each, in one registry.

A record holds everything that is special about a family: how Yosys synthesises for it, its memories
and multipliers, the simulation models of its cells, its PLL, and the tools between a netlist and a
bitstream. `register_family` adds one from outside the package; it then has boards, estimates and a
backend ``netlist:NAME``. Nothing here needs Amaranth.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bitlif.model.errors import BitlifError, BitlifTypeError, nearest_of
from bitlif.model.text import quoted

from .family import (
    BLOCKS,
    CELLS,
    LARGE,
    MULTIPLIERS,
    REGISTERS,
    CellLimits,
    CellModels,
    Device,
    Fabric,
    Family,
    Toolchain,
)
from .gowin import GOWIN
from .large_ram import LargeRam
from .yosys_mapping import (
    ECP5_MEMORY,
    ECP5_MULTIPLIER,
    ICE40_MEMORY,
    ICE40_MULTIPLIER,
)

__all__ = [
    "BLOCKS",
    "CELLS",
    "FAMILIES",
    "LARGE",
    "MULTIPLIERS",
    "REGISTERS",
    "CellLimits",
    "CellModels",
    "Device",
    "Fabric",
    "Family",
    "Toolchain",
    "family_named",
    "family_of_device",
    "register_family",
]


def _unequal_widths(cell: Mapping[str, Any]) -> str:
    """Return a sentence where a 36-bit port of a DP16KD takes pins that the other port uses."""
    width_a, width_b = (int(cell["parameters"][f"DATA_WIDTH_{port}"], 2) for port in "AB")
    writes_b = cell["connections"]["WEB"] != ["0"]
    if (width_b == 36 and width_a != 36) or (width_a == 36 and writes_b):
        return "36 bits on one port and pins of them in use by the other"
    return ""


ICE40_TOOLS = Toolchain(
    "nextpnr-ice40", "icepack", "pcf", "--pcf", "asc", "--asc", "bin",
    {CELLS: "ICESTORM_LC", BLOCKS: "ICESTORM_RAM", MULTIPLIERS: "ICESTORM_DSP",
     LARGE: "ICESTORM_SPRAM"},
    {"look-up tables": "SB_LUT4", REGISTERS: "SB_DFF[A-Z]*"},
)  # fmt: skip
ECP5_TOOLS = Toolchain(
    "nextpnr-ecp5", "ecppack", "lpf", "--lpf", "config", "--textcfg", "bit",
    {CELLS: "TRELLIS_COMB", REGISTERS: "TRELLIS_FF", BLOCKS: "DP16KD", MULTIPLIERS: "MULT18X18D"},
    unconstrained=("--lpf-allow-unconstrained",),
)  # fmt: skip


def _not_always_on(cell: Mapping[str, Any]) -> str:
    """Return a sentence where a large RAM of a UP5K can be switched off."""
    return "" if cell["connections"]["POWEROFF"] == ["1"] else "port POWEROFF other than 1"


ICE40_FILE = Path(__file__).with_name("ice40_cells.v")
# The first model of a cell counts. With EQUIV, Yosys' own one of SB_SPRAM256KA is empty; otherwise
# Yosys would read its reset word by word, 16,384 of them.
ICE40_MODELS = f"-D EQUIV -map {ICE40_FILE.name} -map +/ice40/cells_sim.v"
ICE40_LIMITS = {
    "SB_SPRAM256KA": CellLimits(
        {}, "ADDRESS|DATAIN|MASKWREN|WREN|CHIPSELECT|CLOCK|POWEROFF|DATAOUT",
        zeros="STANDBY|SLEEP", check=_not_always_on,
    )
}  # fmt: skip
ICE40_CELLS = "SB_LUT4|SB_CARRY|SB_DFF[A-Z]*|SB_RAM40_4K(NR|NW|NRNW)?"
ECP5_MODELS = Path(__file__).with_name("ecp5_cells.v")
ECP5_LIMITS = {
    "DP16KD": CellLimits(
        {
            "DATA_WIDTH_[AB]": "1|2|4|9|18|36",
            "WRITEMODE_[AB]": "NORMAL|WRITETHROUGH|READBEFOREWRITE",
            "REGMODE_[AB]": "NOREG",
            "RESETMODE|ASYNC_RESET_RELEASE": "SYNC|ASYNC",
            "CSDECODE_[AB]": "0b000",
            "CLK[AB]MUX": "CLK[AB]|INV",
            "GSR": "AUTO|ENABLED|DISABLED",
            "INITVAL_[0-3][0-9A-F]": "[0-9x]+",
        },
        r"(DI|DO|AD)[AB]\d+|(CE|OCE|CLK|WE|RST)[AB]",
        zeros="CS[AB][012]",
        clocks=("CLKA", "CLKB"),
        check=_unequal_widths,
    ),
    "MULT18X18D": CellLimits(
        {"REG_.*_CLK": "NONE"}, r"[ABP]\d+|SIGNED[AB]", zeros=r"C\d+|SOURCE[AB]"
    ),
}

_LUTS = {
    "constant": 200.0, "learning": 200.0, "add": 1.0, "chain": 1.0, "compare": 0.5, "choose": 0.8,
    "parity": 0.4, "table": 0.3, "soft": 2.0, "held": 1.5,
}  # fmt: skip
_FLIP_FLOPS = {
    "constant": 150.0, "learning": 150.0, "delay": 0.7, "result": 0.8, "product": 1.0,
    "answer": 0.7, "held": 1.0,
}  # fmt: skip
ICE40_FABRIC = Fabric(
    "ice40",
    ICE40_MEMORY,
    # A logic cell contains a register: one that follows no logic takes a cell of its own.
    {CELLS: _LUTS | {"delay": 0.5, "result": 0.1, "product": 0.5}, REGISTERS: _FLIP_FLOPS},
)
ECP5_FABRIC = Fabric(
    "ecp5",
    ECP5_MEMORY,
    {CELLS: _LUTS | {"distributed": 6.0, "choice": 0.5}, REGISTERS: _FLIP_FLOPS},
)

_RECORDS = (
    Family(
        name="ice40",
        synthesis="synth_ice40 -device u -dsp -spram",
        fabric=ICE40_FABRIC,
        multiplier=ICE40_MULTIPLIER,
        register_cells="SB_DFF[A-Z]*",
        models=CellModels(
            ICE40_MODELS, f"{ICE40_CELLS}|SB_MAC16|SB_SPRAM256KA", ICE40_LIMITS, (ICE40_FILE,)
        ),
        pll="ice40",
        toolchain=ICE40_TOOLS,
        device=Device("up5k", "iCE40 UP5K", ("--up5k", "--package", "sg48"), 50),
        large=LargeRam(depth=16384, width=16, granularity=4, count=4),
    ),
    Family(
        name="ice40hx",
        # Without -dsp: an HX8K has no multipliers.
        synthesis="synth_ice40 -device hx",
        fabric=ICE40_FABRIC,
        multiplier=None,
        register_cells="SB_DFF[A-Z]*",
        models=CellModels(ICE40_MODELS, ICE40_CELLS, files=(ICE40_FILE,)),
        pll="ice40",
        toolchain=ICE40_TOOLS,
        device=Device("hx8k", "iCE40 HX8K", ("--hx8k", "--package", "ct256"), 50),
    ),
    Family(
        name="ecp5",
        synthesis="synth_ecp5",
        fabric=ECP5_FABRIC,
        multiplier=ECP5_MULTIPLIER,
        register_cells="TRELLIS_FF",
        models=CellModels(
            # The first model of a cell counts: Yosys' files have empty modules for some.
            f"-map {ECP5_MODELS.name} -map +/ecp5/cells_sim.v",
            "LUT4|CCU2C|PFUMX|L6MUX21|TRELLIS_FF|TRELLIS_DPR16X4|DP16KD|MULT18X18D",
            ECP5_LIMITS,
            (ECP5_MODELS,),
        ),
        pll="ecp5",
        toolchain=ECP5_TOOLS,
        device=Device(
            "ecp5", "ECP5-25k, speed 6", ("--25k", "--package", "CABGA381", "--speed", "6"), 100
        ),
    ),
    GOWIN,
)

FAMILIES: dict[str, Family] = {family.name: family for family in _RECORDS}
"""The registry of families, by name."""


def register_family(family: Family) -> None:
    """Add a family to `FAMILIES`.

    Raises
    ------
    BitlifTypeError
        If it is not a `Family`.
    BitlifError
        If there is a family of this name.
    """
    if not isinstance(family, Family):
        raise BitlifTypeError(f"family must be a Family, not {quoted(family)}")
    if family.name in FAMILIES:
        raise BitlifError(f"family {quoted(family.name)} is already registered")
    FAMILIES[family.name] = family


def family_named(name: str) -> Family:
    """Return a family.

    Raises
    ------
    BitlifError
        If there is no such family.
    """
    if name not in FAMILIES:
        raise BitlifError(
            f"family must be one of {', '.join(FAMILIES)}, not {quoted(name)}"
            f"{nearest_of(name, FAMILIES)}"
        )
    return FAMILIES[name]


def family_of_device(name: str) -> Family:
    """Return the family whose cores are placed on a device, by the name of the device.

    Raises
    ------
    BitlifError
        If there is no such device.

    Examples
    --------
    >>> family_of_device("up5k").name
    'ice40'
    """
    devices = {family.device.name: family for family in FAMILIES.values()}
    if name not in devices:
        raise BitlifError(f"device must be one of {', '.join(devices)}, not {quoted(name)}")
    return devices[name]
