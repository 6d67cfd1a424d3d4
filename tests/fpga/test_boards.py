"""Board records: pins, clocks and tools; boards and families from outside the package."""

from __future__ import annotations

import re
import sys

import pytest
from echo_front import Echo

from bitlif.fpga.board_top import platform_of, prepare
from bitlif.fpga.boards import BOARDS, board_named
from bitlif.fpga.families import FAMILIES
from bitlif.fpga.tools import TOOLS
from bitlif.hdl.pll import settings

PINS = {
    "icebreaker": ("35", "6", "9"),
    "hx8k": ("J3", "B10", "B12"),
    "ulx3s-85f": ("G2", "M1", "L4"),
    "ecp5-evn": ("A10", "P2", "P3"),
    "orangecrab": ("A9", "N17", "M18"),
    "tang-nano-9k": ("52", "18", "17"),
    "tang-nano-20k": ("4", "70", "69"),
}
"""Pins of oscillator, rx and tx, from the schematics of the boards."""


@pytest.mark.parametrize("name", BOARDS)
def test_top_uses_only_clock_and_uart_pins(name: str) -> None:
    board = BOARDS[name]
    made = settings(board.pll, board.reference, board.aim)
    rtlil, constraints = prepare(board, made, Echo())
    line = r'set_io \S+ (\S+)|LOCATE COMP "\S+" SITE "(\S+)"|IO_LOC "\S+" (\S+);'
    assert tuple("".join(own) for own in re.findall(line, constraints)) == PINS[name]
    # Gowin's constraints have no clocks: nextpnr takes its option --freq for all of them.
    if board.family != "gowin":
        assert f"{board.reference}.0" in constraints or f"{board.reference}000000.0" in constraints
    for parameter, value in made.parameters:
        assert re.search(rf"parameter \\{parameter} {value}$|\\{parameter} .*", rtlil, re.M)
    assert "src" not in re.findall(r"attribute \\(\w+)", rtlil)


@pytest.mark.parametrize("name", BOARDS)
def test_top_is_reproducible(name: str) -> None:
    board = BOARDS[name]
    made = settings(board.pll, board.reference, board.aim)
    assert prepare(board, made, Echo()) == prepare(board, made, Echo())


@pytest.mark.parametrize("name", BOARDS)
def test_board_matches_its_platform(name: str) -> None:
    board = BOARDS[name]
    platform = platform_of(board)
    crystal = platform.lookup(board.clock, 0)
    assert crystal.clock.frequency == 1e6 * board.reference
    options = " ".join(board.arguments).lower()
    if board.pll == "rpll":
        assert board.device == platform.family
        assert options == f"--device {platform.part} --vopt family={board.packing[1]}".lower()
        # The chips with RAM in their package, R, are the plain ones to nextpnr.
        assert board.packing == ("-d", platform.family.replace("R-", "-"))
        return
    assert board.device.replace(" ", "").lower().endswith(platform.device.lower())
    if board.pll == "ecp5":
        assert platform._nextpnr_device_options[platform.device] in board.arguments
        assert f"--speed {platform.speed}" in options
        package = platform._nextpnr_package_options[platform.package]
    else:
        assert f"--{platform.device.removeprefix('iCE40').lower()}" in board.arguments
        package = platform.package
    assert f"--package {package}".lower() in options


@pytest.mark.parametrize("name", BOARDS)
def test_board_refers_to_known_tools_and_resources(name: str) -> None:
    board = BOARDS[name]
    assert {board.toolchain.placer, board.toolchain.packer} <= TOOLS.keys()
    assert set(board.limits) <= set(board.toolchain.resources)
    # An HX8K has no multipliers, so its core must not use any.
    assert ("-dsp" in FAMILIES[board.family].synthesis) == (
        board.limits["multipliers"] > 0 and board.pll == "ice40"
    )


def test_unknown_board_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"^board must be one of icebreaker, .*, not 'icebreakr'"):
        board_named("icebreakr")


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [own for own in sys.modules if own.startswith("amaranth_boards")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "amaranth_boards", None)
    with pytest.raises(ValueError, match=r"amaranth-boards, .*pip install '"):
        platform_of(BOARDS["icebreaker"])
