"""Synthesis of cores with Yosys, and the parsing of nextpnr's output; nothing is placed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from amaranth.sim import Simulator

from bitlif.fpga import synthesis
from bitlif.fpga.families import family_of_device
from bitlif.fpga.synthesis import (
    BUSES,
    DoesNotFit,
    Harness,
    harness_verilog,
    place,
    read_report,
    synthesise,
)
from bitlif.fpga.tools import TOOLS, find_tool, tool_version
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError

from fake_tools import fake

TINY = Config.load("tiny")

REPORT = {
    "critical_paths": [
        {
            "from": "posedge $glbnet$clk",
            "to": "posedge $glbnet$clk",
            "path": [
                {"type": "clk-to-q", "delay": 0.5, "from": {"cell": "a"}, "to": {"cell": "a"}},
                {"type": "routing", "delay": 1.0, "from": {"cell": "a"}, "to": {"cell": "b"}},
                {"type": "logic", "delay": 2.0, "from": {"cell": "b"}, "to": {"cell": "b"}},
                {"type": "setup", "delay": 0.25, "from": {"cell": "b"}, "to": {"cell": "c"}},
            ],
        },
        {
            "from": "<async>",
            "to": "posedge $glbnet$clk",
            "path": [{"type": "routing", "delay": 9.0, "from": {"cell": "x"}, "to": {"cell": "y"}}],
        },
    ],
    "fmax": {"$glbnet$clk": {"achieved": 101.5, "constraint": 100.0}},
    "utilization": {
        "TRELLIS_COMB": {"used": 1000, "available": 24288},
        "TRELLIS_FF": {"used": 800, "available": 24288},
        "MULT18X18D": {"used": 3, "available": 28},
        "DP16KD": {"used": 2, "available": 56},
    },
}


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, int]]:
    """Synthesise `tiny` for two families, and variants of it for one."""
    folder = tmp_path_factory.mktemp("netlists")
    ecp5, up5k = family_of_device("ecp5"), family_of_device("up5k")
    return {
        "ecp5": synthesise(TINY, ecp5, folder / "ecp5"),
        "up5k": synthesise(TINY, up5k, folder / "up5k"),
        "one lane": synthesise(TINY.replace(layer__lanes=1), ecp5, folder / "one"),
        "inference": synthesise(TINY, ecp5, folder / "inference", learning=False),
        "axi": synthesise(TINY, ecp5, folder / "axi", bus="axi"),
    }


def test_core_is_synthesised_for_two_families(cells: dict[str, dict[str, int]]) -> None:
    assert cells["ecp5"]["LUT4"] > 300
    assert cells["ecp5"]["TRELLIS_FF"] > 500
    assert cells["up5k"]["SB_LUT4"] > 300
    assert any(name.startswith("SB_RAM40") for name in cells["up5k"])


def test_netlist_has_no_latches_or_unmapped_cells(cells: dict[str, dict[str, int]]) -> None:
    for own in cells.values():
        assert not [name for name in own if name.startswith("$") or "LATCH" in name.upper()]


def test_netlist_depends_on_the_configuration(cells: dict[str, dict[str, int]]) -> None:
    assert cells["one lane"] != cells["ecp5"]
    assert cells["one lane"]["LUT4"] < cells["ecp5"]["LUT4"]


def test_inference_omits_the_learning_hardware(cells: dict[str, dict[str, int]]) -> None:
    assert cells["inference"]["TRELLIS_FF"] < 0.8 * cells["ecp5"]["TRELLIS_FF"]


def test_registers_and_streams_of_axi_are_synthesised_with_the_core(
    cells: dict[str, dict[str, int]],
) -> None:
    for kind in ("MULT18X18D", "TRELLIS_DPR16X4"):
        assert cells["axi"][kind] == cells["ecp5"][kind]
    assert cells["axi"]["LUT4"] > 1.2 * cells["ecp5"]["LUT4"]


def test_unknown_bus_is_refused() -> None:
    with pytest.raises(BitlifError, match=r"^bus must be 'none' or 'axi', not 'apb'$"):
        harness_verilog(TINY, bus="apb")


@pytest.mark.parametrize("bus", BUSES)
def test_harness_output_depends_on_the_core(bus: str) -> None:
    harness = Harness(TINY, learning=True, bus=bus)
    shown = set()

    async def shift(ctx: object) -> None:
        for clock in range(400):
            ctx.set(harness.i, clock % 3 == 0)  # type: ignore[attr-defined]
            await ctx.tick()  # type: ignore[attr-defined]
            shown.add(ctx.get(harness.o))  # type: ignore[attr-defined]

    simulator = Simulator(harness)
    simulator.add_clock(1e-6)
    simulator.add_testbench(shift)
    simulator.run()
    assert shown == {0, 1}


def test_report_is_parsed() -> None:
    placed = read_report(json.dumps(REPORT), family_of_device("ecp5"), 7)
    assert (placed.seed, placed.mhz, placed.cells, placed.flops) == (7, 101.5, 1000, 800)
    assert (placed.multipliers, placed.memories, placed.available) == (3, 2, 24288)
    assert placed.path == "a to c: 3.8 ns, 1.0 in wires, 1 cells"


def test_report_without_multipliers_is_parsed() -> None:
    use = {name: {"used": 5, "available": 7680} for name in ("ICESTORM_LC", "ICESTORM_RAM")}
    placed = read_report(json.dumps({**REPORT, "utilization": use}), family_of_device("hx8k"), 1)
    assert (placed.cells, placed.multipliers, placed.memories, placed.available) == (5, 0, 5, 7680)


@pytest.mark.parametrize("name", TOOLS)
def test_tool_is_found_by_variable_then_path_then_package(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, package, _ = TOOLS[name]
    own = fake(tmp_path, "own", "")
    native = fake(tmp_path, name, "")
    search = {"PATH": str(tmp_path)}
    assert find_tool(name, {**search, variable: own}) == [own]
    assert find_tool(name, search) == [native]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_tool(name) == [native]
    Path(native).unlink()
    command = find_tool(name)
    assert command[:2] == [sys.executable, "-P"]
    assert package in command[-1]


@pytest.mark.parametrize("name", TOOLS)
def test_missing_tool_names_the_package(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = TOOLS[name][0]
    search = {"PATH": str(tmp_path)}
    monkeypatch.setitem(TOOLS, name, (variable, "no_such_package", "run"))
    with pytest.raises(ValueError, match=rf"^{name} is needed.*{variable}: pip install 'yowasp-"):
        find_tool(name, search)
    with pytest.raises(ValueError, match=rf"^{variable} must name a program, not 'nowhere'$"):
        find_tool(name, {**search, variable: "nowhere"})


def test_tool_version_is_the_last_line_of_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOSYS", fake(tmp_path, "tool", "", "Yosys 0.70\nTool 7"))
    assert tool_version("yosys") == "Tool 7"
    monkeypatch.setenv("ICEPACK", str(tmp_path / "tool"))
    Path(tmp_path / "tool").write_text("#!/bin/sh\n")
    assert tool_version("icepack") == str(tmp_path / "tool")


def test_yosys_failure_names_error_and_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "harness_verilog", lambda config, **other: "module top(; end")
    with pytest.raises(ValueError, match=r"^yosys failed \(.*\); its log is .*yosys\.log$") as info:
        synthesise(TINY, family_of_device("ecp5"), tmp_path / "broken")
    assert Path(str(info.value).rpartition(" is ")[2]).exists()


def test_silent_tool_failure_leaves_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOSYS", fake(tmp_path, "tool", "print('half'); sys.exit(3)"))
    monkeypatch.setattr(synthesis, "harness_verilog", lambda config, **other: "")
    with pytest.raises(ValueError, match=r"^yosys failed \(exit code 3\); its log is "):
        synthesise(TINY, family_of_device("ecp5"), tmp_path)
    assert (tmp_path / "yosys.log").read_text() == "half\n"


def router(folder: Path, log: str, report: str, code: int) -> str:
    """Return a stub of nextpnr that writes these two files."""
    return fake(
        folder,
        "router",
        f"""
words = sys.argv[1:]
open(words[words.index("--log") + 1], "w").write({log!r})
if {report!r}:
    open(words[words.index("--report") + 1], "w").write({report!r})
sys.exit({code})
""",
    )


def test_placement_has_the_figures_of_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTPNR_ECP5", router(tmp_path, "", json.dumps(REPORT), 0))
    assert place(tmp_path, family_of_device("ecp5"), 2).mhz == 101.5


def test_core_that_does_not_fit_names_the_resource(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = "Info:   ICESTORM_LC:  6000/  5280   113%\nInfo:  ICESTORM_RAM:     3/    30    10%\n"
    log += "ERROR: Unable to place cell 'x', no BELs remaining\n"
    monkeypatch.setenv("NEXTPNR_ICE40", router(tmp_path, log, "", 255))
    with pytest.raises(DoesNotFit, match=r"does not fit iCE40 UP5K: ICESTORM_LC 6000 of 5280$"):
        place(tmp_path, family_of_device("up5k"), 1)


def test_nextpnr_failure_names_error_and_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTPNR_ICE40", router(tmp_path, "ERROR: no such file\n", "", 255))
    with pytest.raises(
        ValueError, match=r"^nextpnr-ice40 failed \(no such file\); .*nextpnr-1.log"
    ):
        place(tmp_path, family_of_device("up5k"), 1)
