"""The boards that a bitstream can be built for: one record each, in one registry.

A record holds everything that is special about a board; `register_board` adds one from outside the
package. Pins are those of ``amaranth_boards``, or of a platform in this package. Nothing here needs
Amaranth, so that estimates work without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bitlif.model.errors import BitlifError, BitlifTypeError, nearest_of
from bitlif.model.text import quoted

from .families import BLOCKS, CELLS, LARGE, MULTIPLIERS, REGISTERS, Toolchain, family_named


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board.

    Attributes
    ----------
    name : str
        As commands take it.
    title : str
    platform : tuple of str
        Module in ``amaranth_boards``, and class in it; or the full name of a module elsewhere, with
        a dot in it, and class.
    family : str
        A key of `bitlif.fpga.families.FAMILIES`. The placed core is the netlist that the backend
        ``netlist:FAMILY`` simulates.
    device : str
    limits : dict of str to int
        Resources of the device, by the keys of the toolchain's ``resources``.
    arguments : tuple of str
        nextpnr's arguments for the device.
    packing : tuple of str
        The packer's options.
    clock : str
        Resource of the crystal oscillator.
    reference : int
        Its frequency in MHz.
    aim : int
        Clock to ask for in the first placement, in MHz: slightly more than can be expected.
    programmer : tuple of str
        Command that loads a bitstream, to which the file name is appended.
    pad : bool
        iCE40 only: whether the oscillator's pin is the PLL's dedicated pin.
    header : tuple of str or None
        Pins of connector ``io`` for rx and tx, where the board has no UART.
    note : str
        What a user must know about the serial port.
    """

    name: str
    title: str
    platform: tuple[str, str]
    family: str
    device: str
    limits: Mapping[str, int]
    arguments: tuple[str, ...]
    clock: str
    reference: int
    aim: int
    programmer: tuple[str, ...] = ()
    packing: tuple[str, ...] = ()
    pad: bool = False
    header: tuple[str, str] | None = None
    note: str = ""

    @property
    def toolchain(self) -> Toolchain:
        """Return the tools of the board's family."""
        return family_named(self.family).toolchain

    @property
    def pll(self) -> str:
        """Return the kind of PLL of the board's family."""
        return family_named(self.family).pll

    def limit(self, kind: str) -> int:
        """Return how much the device has of a kind of resource.

        Where a device counts no flip-flops, each logic cell has one.
        """
        return self.limits.get(kind, 0 if kind == LARGE else self.limits[CELLS])


_ECP5_85 = {CELLS: 83640, REGISTERS: 83640, BLOCKS: 208, MULTIPLIERS: 156}
_GW1NR_9 = {
    CELLS: 8640, REGISTERS: 6480, BLOCKS: 26, MULTIPLIERS: 20, "distributed RAMs": 270,
}  # fmt: skip
_GW2AR_18 = {
    CELLS: 20736, REGISTERS: 15552, BLOCKS: 46, MULTIPLIERS: 48, "distributed RAMs": 648,
}  # fmt: skip
_ECP5_25 = {CELLS: 24288, REGISTERS: 24288, BLOCKS: 56, MULTIPLIERS: 28}

_RECORDS = (
    Board(
        name="icebreaker",
        title="1BitSquared iCEBreaker",
        platform=("icebreaker", "ICEBreakerPlatform"),
        family="ice40",
        device="iCE40 UP5K",
        limits={CELLS: 5280, BLOCKS: 30, MULTIPLIERS: 8, LARGE: 4},
        arguments=("--up5k", "--package", "sg48"),
        clock="clk12",
        reference=12,
        aim=26,
        programmer=("iceprog",),
        pad=True,
        note="second port of the USB chip",
    ),
    Board(
        name="hx8k",
        title="Lattice iCE40-HX8K breakout board",
        platform=("ice40_hx8k_b_evn", "ICE40HX8KBEVNPlatform"),
        family="ice40hx",
        device="iCE40 HX8K",
        limits={CELLS: 7680, BLOCKS: 32, MULTIPLIERS: 0, LARGE: 0},
        arguments=("--hx8k", "--package", "ct256"),
        clock="clk12",
        reference=12,
        aim=60,
        programmer=("iceprog", "-S"),
        note="second port of the USB chip",
    ),
    Board(
        name="ulx3s-85f",
        title="Radiona ULX3S 85F",
        platform=("ulx3s", "ULX3S_85F_Platform"),
        family="ecp5",
        device="LFE5U-85F",
        limits=_ECP5_85,
        arguments=("--85k", "--package", "CABGA381", "--speed", "6"),
        packing=("--compress",),
        clock="clk25",
        reference=25,
        aim=100,
        programmer=("openFPGALoader", "-b", "ulx3s"),
        note="port US1",
    ),
    Board(
        name="ecp5-evn",
        title="Lattice ECP5-5G evaluation board",
        platform=("ecp5_5g_evn", "ECP55GEVNPlatform"),
        family="ecp5",
        device="LFE5UM5G-85F",
        limits=_ECP5_85,
        arguments=("--um5g-85k", "--package", "CABGA381", "--speed", "8"),
        packing=("--compress",),
        clock="clk12",
        reference=12,
        aim=120,
        programmer=("openFPGALoader", "-b", "ecp5_evn"),
        note="UART only with two jumpers moved (user guide, 6.2)",
    ),
    Board(
        name="orangecrab",
        title="OrangeCrab r0.2",
        platform=("orangecrab_r0_2", "OrangeCrabR0_2_25FPlatform"),
        family="ecp5",
        device="LFE5U-25F",
        limits=_ECP5_25,
        arguments=("--25k", "--package", "CSFBGA285", "--speed", "8"),
        packing=("--compress", "--freq", "38.8"),
        clock="clk",
        reference=48,
        aim=120,
        programmer=("dfu-util", "-d", "1209:5af0", "-a", "0", "-D"),
        header=("0", "1"),
        note="a 3.3 V USB-UART cable: its TX to header pin 0, its RX to pin 1",
    ),
    Board(
        name="tang-nano-9k",
        title="Sipeed Tang Nano 9K",
        platform=("tang_nano_9k", "TangNano9kPlatform"),
        family="gowin",
        device="GW1NR-9C",
        limits=_GW1NR_9,
        arguments=("--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C"),
        packing=("-d", "GW1N-9C"),
        clock="clk27",
        reference=27,
        aim=50,
        programmer=("openFPGALoader", "-b", "tangnano9k"),
        note="second port of the USB chip",
    ),
    Board(
        name="tang-nano-20k",
        title="Sipeed Tang Nano 20K",
        platform=("bitlif.fpga.tang_nano_20k", "TangNano20kPlatform"),
        family="gowin",
        device="GW2AR-18C",
        limits=_GW2AR_18,
        arguments=("--device", "GW2AR-LV18QN88C8/I7", "--vopt", "family=GW2A-18C"),
        packing=("-d", "GW2A-18C"),
        clock="clk27",
        reference=27,
        aim=80,
        programmer=("openFPGALoader", "-b", "tangnano20k"),
        note="second port of the USB chip",
    ),
)

BOARDS: dict[str, Board] = {board.name: board for board in _RECORDS}
"""The registry of boards, by the names that commands take."""


def register_board(board: Board) -> None:
    """Add a board to `BOARDS`.

    Raises
    ------
    BitlifTypeError
        If it is not a `Board`.
    BitlifError
        If there is a board of this name, or no such family.
    """
    if not isinstance(board, Board):
        raise BitlifTypeError(f"board must be a Board, not {quoted(board)}")
    if board.name in BOARDS:
        raise BitlifError(f"board {quoted(board.name)} is already registered")
    family_named(board.family)
    BOARDS[board.name] = board


def board_named(name: str) -> Board:
    """Return a board.

    Raises
    ------
    BitlifError
        If there is no such board.
    """
    if name not in BOARDS:
        known = ", ".join(BOARDS)
        raise BitlifError(
            f"board must be one of {known}, not {quoted(name)}{nearest_of(name, BOARDS)}"
        )
    return BOARDS[name]
