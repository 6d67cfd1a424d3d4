"""Every board: what it is, its pins, and that a top can be prepared for it."""

from __future__ import annotations

import re
import sys

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from bitlif.fpga.board_top import platform_of, prepare
from bitlif.fpga.boards import BOARDS, board_named
from bitlif.fpga.netlist import NETLIST_FAMILIES
from bitlif.fpga.tools import TOOLS
from bitlif.hdl.pll import settings

PINS = {
    "icebreaker": ("35", "6", "9"),
    "hx8k": ("J3", "B10", "B12"),
    "ulx3s-85f": ("G2", "M1", "L4"),
    "ecp5-evn": ("A10", "P2", "P3"),
    "orangecrab": ("A9", "N17", "M18"),
}
"""Crystal, line in, line out: by the boards' schematics."""


class Echo(wiring.Component):
    """A front that gives back what comes in, a clock later."""

    def __init__(self) -> None:
        super().__init__({"rx": In(1), "tx": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.tx.eq(self.rx)
        return m


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_gets_its_clock_and_its_line_and_no_other_pin(name: str) -> None:
    board = BOARDS[name]
    made = settings(board.route.pll, board.reference, board.aim)
    rtlil, constraints = prepare(board, made, Echo())
    found = re.findall(r'set_io \S+ (\S+)|LOCATE COMP "\S+" SITE "(\S+)"', constraints)
    assert tuple(one or two for one, two in found) == PINS[name]
    assert f"{board.reference}.0" in constraints or f"{board.reference}000000.0" in constraints
    for parameter, value in made.parameters:
        assert re.search(rf"parameter \\{parameter} {value}$|\\{parameter} .*", rtlil, re.M)
    assert "src" not in re.findall(r"attribute \\(\w+)", rtlil)


@pytest.mark.parametrize("name", BOARDS)
def test_a_top_is_the_same_whenever_it_is_prepared(name: str) -> None:
    board = BOARDS[name]
    made = settings(board.route.pll, board.reference, board.aim)
    assert prepare(board, made, Echo()) == prepare(board, made, Echo())


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_is_what_its_platform_says(name: str) -> None:
    board = BOARDS[name]
    platform = platform_of(board)
    crystal = platform.lookup(board.clock, 0)
    assert crystal.clock.frequency == 1e6 * board.reference
    assert board.device.replace(" ", "").lower().endswith(platform.device.lower())
    options = " ".join(board.arguments).lower()
    if board.route.pll == "ecp5":
        assert platform._nextpnr_device_options[platform.device] in board.arguments
        assert f"--speed {platform.speed}" in options
        package = platform._nextpnr_package_options[platform.package]
    else:
        assert f"--{platform.device.removeprefix('iCE40').lower()}" in board.arguments
        package = platform.package
    assert f"--package {package}".lower() in options


@pytest.mark.parametrize("name", BOARDS)
def test_tools_and_names_of_a_board_are_known(name: str) -> None:
    board = BOARDS[name]
    assert {board.route.placer, board.route.packer} <= TOOLS.keys()
    assert NETLIST_FAMILIES[board.family].router == board.route.placer
    assert set(board.limits) <= set(board.route.resources)
    # An HX8K has no multipliers, and its core must want none.
    assert ("-dsp" in NETLIST_FAMILIES[board.family].synthesis) == (
        board.limits["multipliers"] > 0 and board.route.pll == "ice40"
    )


def test_unknown_board_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"^board must be one of icebreaker, .*, not 'icebreakr'"):
        board_named("icebreakr")


def test_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [own for own in sys.modules if own.startswith("amaranth_boards")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "amaranth_boards", None)
    with pytest.raises(ValueError, match=r"amaranth-boards, .*pip install '"):
        platform_of(BOARDS["icebreaker"])
