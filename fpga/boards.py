"""The boards that a bitstream can be built for: everything that is special about one is here.

Nothing here needs Amaranth: estimates need only what a board has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bitlif.model.errors import BitlifError, nearest_of
from bitlif.model.text import quoted


@dataclass(frozen=True, slots=True)
class Route:
    """The tools between a netlist and a bitstream, and their files.

    Attributes
    ----------
    pll : str
        Kind of PLL, of `bitlif.hdl.pll`.
    placer, packer : str
        Of `bitlif.fpga.tools.TOOLS`.
    constraints, constraints_option : str
        Suffix of the file that `prepare` writes, and nextpnr's option for it.
    routed, routed_option : str
        Suffix of what nextpnr leaves, and its option.
    bitstream : str
        Suffix of what is loaded.
    resources : dict of str to str
        Name in nextpnr's report of each kind of resource.
    parts : dict of str to str
        Of a cell that holds several things: the types of these in a netlist, regular expressions.
    """

    pll: str
    placer: str
    packer: str
    constraints: str
    constraints_option: str
    routed: str
    routed_option: str
    bitstream: str
    resources: Mapping[str, str]
    parts: Mapping[str, str] = field(default_factory=dict)


ICE40 = Route(
    "ice40", "nextpnr-ice40", "icepack", "pcf", "--pcf", "asc", "--asc", "bin",
    {"cells": "ICESTORM_LC", "block RAMs": "ICESTORM_RAM", "multipliers": "ICESTORM_DSP",
     "large RAMs": "ICESTORM_SPRAM"},
    {"look-up tables": "SB_LUT4", "flip-flops": "SB_DFF[A-Z]*"},
)  # fmt: skip
ECP5 = Route(
    "ecp5", "nextpnr-ecp5", "ecppack", "lpf", "--lpf", "config", "--textcfg", "bit",
    {"cells": "TRELLIS_COMB", "flip-flops": "TRELLIS_FF", "block RAMs": "DP16KD",
     "multipliers": "MULT18X18D"},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Board:
    """A board and how it is built for.

    Attributes
    ----------
    title : str
    platform : tuple of str
        Module of ``amaranth_boards``, and class in it.
    family : str
        Of `bitlif.fpga.netlist.NETLIST_FAMILIES`: the core that is placed is the one that this
        backend simulates.
    route : Route
    device : str
    limits : dict of str to int
        What the device has, by the names in the route's ``resources``.
    arguments : tuple of str
        Of nextpnr.
    packing : tuple of str
        Of the packer, besides its files.
    clock : str
        Resource of the crystal.
    reference : int
        Its MHz.
    aim : int
        MHz to ask for where nothing is known yet: a little more than wanted.
    programmer : tuple of str
        Command that loads the bitstream, whose name is added.
    pad : bool
        The crystal's pin is the PLL's own (iCE40).
    header : tuple of str
        Pins of connector ``io`` that are rx and tx, where the board has no UART.
    note : str
        What a user must know of the line.
    """

    title: str
    platform: tuple[str, str]
    family: str
    route: Route
    device: str
    limits: Mapping[str, int]
    arguments: tuple[str, ...]
    packing: tuple[str, ...]
    clock: str
    reference: int
    aim: int
    programmer: tuple[str, ...]
    pad: bool = False
    header: tuple[str, str] | None = None
    note: str = ""


ECP5_85 = {"cells": 83640, "flip-flops": 83640, "block RAMs": 208, "multipliers": 156}
ECP5_25 = {"cells": 24288, "flip-flops": 24288, "block RAMs": 56, "multipliers": 28}

BOARDS = {
    "icebreaker": Board(
        "1BitSquared iCEBreaker", ("icebreaker", "ICEBreakerPlatform"), "ice40", ICE40,
        "iCE40 UP5K",
        {"cells": 5280, "block RAMs": 30, "multipliers": 8, "large RAMs": 4},
        ("--up5k", "--package", "sg48"), (), "clk12", 12, 26, ("iceprog",),
        pad=True, note="second port of the USB chip",
    ),
    "hx8k": Board(
        "Lattice iCE40-HX8K breakout board", ("ice40_hx8k_b_evn", "ICE40HX8KBEVNPlatform"),
        "ice40hx", ICE40, "iCE40 HX8K",
        {"cells": 7680, "block RAMs": 32, "multipliers": 0, "large RAMs": 0},
        ("--hx8k", "--package", "ct256"), (), "clk12", 12, 60, ("iceprog", "-S"),
        note="second port of the USB chip",
    ),
    "ulx3s-85f": Board(
        "Radiona ULX3S 85F", ("ulx3s", "ULX3S_85F_Platform"), "ecp5", ECP5, "LFE5U-85F",
        ECP5_85, ("--85k", "--package", "CABGA381", "--speed", "6"), ("--compress",),
        "clk25", 25, 100, ("openFPGALoader", "-b", "ulx3s"), note="port US1",
    ),
    "ecp5-evn": Board(
        "Lattice ECP5-5G evaluation board", ("ecp5_5g_evn", "ECP55GEVNPlatform"), "ecp5", ECP5,
        "LFE5UM5G-85F", ECP5_85, ("--um5g-85k", "--package", "CABGA381", "--speed", "8"),
        ("--compress",), "clk12", 12, 120, ("openFPGALoader", "-b", "ecp5_evn"),
        note="UART only with two jumpers moved (user guide, 6.2)",
    ),
    "orangecrab": Board(
        "OrangeCrab r0.2", ("orangecrab_r0_2", "OrangeCrabR0_2_25FPlatform"), "ecp5", ECP5,
        "LFE5U-25F", ECP5_25, ("--25k", "--package", "CSFBGA285", "--speed", "8"),
        ("--compress", "--freq", "38.8"), "clk", 48, 120,
        ("dfu-util", "-d", "1209:5af0", "-a", "0", "-D"),
        header=("0", "1"), note="a 3.3 V USB-UART cable: its TX to header pin 0, its RX to pin 1",
    ),
}  # fmt: skip
"""The boards, by the names that commands take."""


def board_named(name: str) -> Board:
    """Return a board.

    Raises
    ------
    BitlifError
        If there is none of this name.
    """
    if name not in BOARDS:
        known = ", ".join(BOARDS)
        raise BitlifError(
            f"board must be one of {known}, not {quoted(name)}{nearest_of(name, BOARDS)}"
        )
    return BOARDS[name]
