"""Families and boards from outside the package: one record makes each known everywhere."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest
from echo_front import Echo

from bitlif.fpga.board_top import prepare
from bitlif.fpga.boards import BOARDS, Board, board_named, register_board
from bitlif.fpga.estimate import calibration, clock_of, error_of, estimate
from bitlif.fpga.families import (
    CELLS,
    FAMILIES,
    Device,
    Fabric,
    Family,
    family_named,
    family_of_device,
    register_family,
)
from bitlif.fpga.measure_area import board_of
from bitlif.fpga.tools import TOOLS
from bitlif.hdl.pll import PLLS, settings
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, BitlifTypeError
from bitlif.scripts.main import main
from bitlif.sim.backends.open import backend_names, require_backend

TINY = Config.load("tiny")

ICESUGAR = Board(
    name="lab-board",
    title="Muse Lab iCESugar",
    platform=("icesugar", "ICESugarPlatform"),
    family="ice40",
    device="iCE40 UP5K",
    limits=BOARDS["icebreaker"].limits,
    arguments=("--up5k", "--package", "sg48"),
    clock="clk12",
    reference=12,
    aim=26,
)
"""A board of a known family, which the package does not bring."""

LP = dataclasses.replace(
    FAMILIES["ice40hx"],
    name="ice40lp",
    synthesis="synth_ice40 -device lp",
    device=Device("lp8k", "iCE40 LP8K", ("--lp8k", "--package", "cm81"), 40),
)
"""A family of a known fabric, which the package does not bring."""

TINYFPGA = Board(
    name="tinyfpga-bx",
    title="TinyFPGA BX",
    platform=("tinyfpga_bx", "TinyFPGABXPlatform"),
    family="ice40lp",
    device="iCE40 LP8K",
    limits=BOARDS["hx8k"].limits,
    arguments=("--lp8k", "--package", "cm81"),
    clock="clk16",
    reference=16,
    aim=40,
)


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """Restore both registries after each test."""
    families, boards = dict(FAMILIES), dict(BOARDS)
    yield
    FAMILIES.clear()
    FAMILIES.update(families)
    BOARDS.clear()
    BOARDS.update(boards)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_family_refers_to_known_tools_and_plls(name: str) -> None:
    family = FAMILIES[name]
    assert family.name == name
    assert {family.toolchain.placer, family.toolchain.packer} <= TOOLS.keys()
    assert family.pll in PLLS
    assert family_of_device(family.device.name) is family
    assert all(file.exists() for file in family.models.files)
    assert family.models.limits.keys() <= set(family.models.cells.split("|"))
    assert board_of(name).family == name


def test_new_board_is_listed_and_elaborates(capsys: pytest.CaptureFixture[str]) -> None:
    register_board(ICESUGAR)
    assert board_named("lab-board") is ICESUGAR
    assert main(["build", "--list", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["lab-board"]
    assert (shown["backend"], shown["device"]) == ("netlist:ice40", "iCE40 UP5K")
    made = settings(ICESUGAR.pll, ICESUGAR.reference, ICESUGAR.aim)
    rtlil, constraints = prepare(ICESUGAR, made, Echo())
    assert "SB_PLL40" in rtlil
    assert constraints.count("set_io") == 3


def test_unmeasured_board_borrows_the_clock_of_the_same_device() -> None:
    register_board(ICESUGAR)
    own, other = clock_of("lab-board"), clock_of("icebreaker")
    assert own.mhz == other.mhz
    assert "no placement of this board" in own.note
    assert own.note.endswith("icebreaker")
    # With another speed grade, the slowest board of the family.
    register_board(dataclasses.replace(BOARDS["ulx3s-85f"], name="ulx3s-45f", arguments=("--45k",)))
    assert clock_of("ulx3s-45f").mhz == min(
        clock_of(name).mhz for name in ("ulx3s-85f", "ecp5-evn", "orangecrab")
    )


def test_new_board_is_estimated_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    register_board(ICESUGAR)
    assert main(["estimate", "digits", "--board", "lab-board"]) == 1
    assert main(["estimate", "tiny", "--board", "lab-board", "--inference"]) in (0, 1)
    shown = " ".join(capsys.readouterr().out.split())
    assert "lab-board: no placement of this board has been measured" in shown
    assert main(["fit", "tiny", "--board", "lab-board", "--vary", "lanes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["board"] == "lab-board"


def test_new_family_has_boards_estimates_and_a_backend(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(BitlifError, match=r"family must be one of ice40, .*'ice40lp'"):
        register_board(TINYFPGA)
    register_family(LP)
    register_board(TINYFPGA)
    assert family_named("ice40lp") is LP
    assert family_of_device("lp8k") is LP
    assert "netlist:ice40lp" in backend_names()
    require_backend("backend must be one of", "netlist:ice40lp")
    # Families of one fabric share coefficients; this one has no multipliers either.
    assert estimate(TINY, "ice40lp") == estimate(TINY, "ice40hx")
    assert error_of("ice40lp", CELLS) == error_of("ice40", CELLS)
    assert clock_of("tinyfpga-bx").placements == 0
    assert clock_of("tinyfpga-bx").mhz == TINYFPGA.aim
    assert main(["estimate", "tiny"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "tinyfpga-bx: no placement of this board has been measured" in shown
    assert "family ice40lp has not been calibrated" in shown


def test_family_of_an_unknown_fabric_needs_a_calibration() -> None:
    fabric = Fabric("own", LP.fabric.memory, LP.fabric.guesses)
    register_family(dataclasses.replace(LP, fabric=fabric))
    with pytest.raises(BitlifError, match=r"'ice40lp' has no calibration: .* --fit$"):
        estimate(TINY, "ice40lp")
    with pytest.raises(BitlifError, match=r"'ice40lp' has no board"):
        board_of("ice40lp")


@pytest.mark.parametrize("record", [None, "x", BOARDS, Board])
def test_record_of_another_type_is_an_error(record: Any) -> None:
    with pytest.raises(BitlifTypeError, match=r"^board must be a Board, not "):
        register_board(record)
    with pytest.raises(BitlifTypeError, match=r"^family must be a Family, not "):
        register_family(record)


def test_fingerprint_changes_with_synthesis_and_models() -> None:
    own: Family = FAMILIES["ecp5"]
    models = dataclasses.replace(own.models, techmap="-map other.v")
    others = [
        dataclasses.replace(own, synthesis="synth_ecp5 -abc9"),
        dataclasses.replace(own, models=models),
        dataclasses.replace(own, models=dataclasses.replace(own.models, files=())),
    ]
    assert len({family.fingerprint for family in (own, *others)}) == 4


def test_names_are_registered_once() -> None:
    with pytest.raises(BitlifError, match=r"family 'ecp5' is already registered"):
        register_family(FAMILIES["ecp5"])
    with pytest.raises(BitlifError, match=r"board 'hx8k' is already registered"):
        register_board(BOARDS["hx8k"])
    with pytest.raises(BitlifError, match=r"device must be one of up5k, .*, not 'up4k'"):
        family_of_device("up4k")


def test_calibration_knows_only_registered_names() -> None:
    known = calibration()
    assert known["clocks"].keys() <= BOARDS.keys()
    assert known.keys() - {"clocks", "core"} <= FAMILIES.keys()
