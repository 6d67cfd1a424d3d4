"""Linking cell by cell, the search for a clock, reports and errors of a build.

Only tests marked ``long`` place a design; elsewhere the placer is a stub.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.fpga import bitstream, build_report, netlist
from bitlif.fpga import place_and_route as placing
from bitlif.fpga.bitstream import BuildRequest
from bitlif.fpga.bitstream import build as build_request
from bitlif.fpga.board_top import prepare
from bitlif.fpga.boards import BOARDS
from bitlif.fpga.build_report import BitstreamReport
from bitlif.fpga.families import FAMILIES
from bitlif.fpga.linking import (
    CORE_NETLIST,
    LINKED,
    TOP_NETLIST,
    check_linked,
    link,
    synthesise_top,
)
from bitlif.fpga.netlist import PRODUCT, mapped_core
from bitlif.fpga.network_throughput import network_pace
from bitlif.fpga.place_and_route import MissesTiming, Placed, Use, place_on, read_placed
from bitlif.fpga.serial_clock import clock_for, line_at
from bitlif.fpga.synthesis import DoesNotFit
from bitlif.fpga.throughput import pace
from bitlif.hdl.export.instance import CoreInstance, black_box
from bitlif.hdl.export.network_verilog import network_verilog
from bitlif.hdl.export.verilog import core_name, core_verilog
from bitlif.hdl.pll import settings
from bitlif.hdl.uart.uart_top import UartTop
from bitlif.model.clocks import quiet_step
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, NetworkLayer, any_hash
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.network import Network
from bitlif.model.network_clocks import window_clocks
from bitlif.sim.backends.models import ModelCore
from bitlif.sim.compiled import build
from bitlif.tasks.stimulus import random_work

TINY = Config.load("tiny")
SMALL = TINY.replace(name="small", layer__lanes=1)
"""A core that fits the multipliers of a UP5K."""

Module = dict[str, Any]


def modules(folder: Path) -> tuple[Module, Module, Module]:
    """Return core, top before linking, and linked netlist."""
    names = ((CORE_NETLIST, core_name(SMALL)), (TOP_NETLIST, "top"), (LINKED, "top"))
    core, top, linked = (
        json.loads((folder / file).read_text())["modules"][module] for file, module in names
    )
    return core, top, linked


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Link a core into the top of a board, including the check of `link`."""
    folder, board = tmp_path_factory.mktemp("linked"), BOARDS["icebreaker"]
    mapped = mapped_core(core_verilog(SMALL), core_name(SMALL), board.family)
    front = UartTop(SMALL, divisor=24, core=CoreInstance(SMALL))
    rtlil, constraints = prepare(board, settings("ice40", 12, 24), front)
    (folder / "top.pcf").write_text(constraints)
    synthesis = FAMILIES[board.family].synthesis
    synthesise_top(rtlil, black_box(SMALL), core_name(SMALL), synthesis, folder)
    link(mapped, core_name(SMALL), folder)
    return folder


def check(core: Module, top: Module, linked: Module) -> dict[str, str]:
    return check_linked(core, core_name(SMALL), top, linked)


def test_linked_netlist_contains_every_cell_of_the_core(linked: Path) -> None:
    core, top, made = modules(linked)
    pairs = check(core, top, made)
    assert pairs.keys() == core["cells"].keys()
    assert len(set(pairs.values())) == len(pairs)
    assert len(made["cells"]) == len(core["cells"]) + len(top["cells"]) - 1
    assert len(pairs) > 1000


def table(cells: Module, pairs: dict[str, str]) -> tuple[str, Module]:
    """Return a linked look-up table of the core with two different nets at its inputs."""
    for name, twin in pairs.items():
        cell = cells[twin]
        if cell["type"] == "SB_LUT4" and cell["connections"]["I0"] != cell["connections"]["I1"]:
            wires = cell["connections"]["I0"] + cell["connections"]["I1"]
            if all(isinstance(bit, int) for bit in wires):
                return name, cell
    raise AssertionError


def swap_inputs(made: Module, pairs: dict[str, str]) -> str:
    _, cell = table(made["cells"], pairs)
    wires = cell["connections"]
    wires["I0"], wires["I1"] = wires["I1"], wires["I0"]
    return r"cell \S+ of the core, port \w+, is connected to another net"


def change_table(made: Module, pairs: dict[str, str]) -> str:
    name, cell = table(made["cells"], pairs)
    own = cell["parameters"]["LUT_INIT"]
    cell["parameters"]["LUT_INIT"] = own[:-1] + ("0" if own[-1] == "1" else "1")
    return rf"cell {re.escape(name)} of the core has a different parameter"


def change_type(made: Module, pairs: dict[str, str]) -> str:
    name, twin = next(pair for pair in pairs.items() if made["cells"][pair[1]]["type"] == "SB_DFF")
    made["cells"][twin]["type"] = "SB_DFFN"
    return rf"cell {re.escape(name)} of the core has a different type"


def lose_cell(made: Module, pairs: dict[str, str]) -> str:
    name, twin = next(iter(pairs.items()))
    del made["cells"][twin]
    return rf"lacks cell {re.escape(name)} of the core"


def lose_port(made: Module, pairs: dict[str, str]) -> str:
    name, cell = table(made["cells"], pairs)
    del cell["connections"]["I0"]
    return rf"cell {re.escape(name)} of the core has different ports"


def add_cell(made: Module, pairs: dict[str, str]) -> str:
    made["cells"]["stranger"] = table(made["cells"], pairs)[1]
    return "has a cell that is in neither core nor top: stranger"


def ground_input(made: Module, pairs: dict[str, str]) -> str:
    _, cell = table(made["cells"], pairs)
    cell["connections"]["I0"] = ["0"]
    return r"cell \S+ of the core, port \w+, is connected to another net"


def join_nets(made: Module, pairs: dict[str, str]) -> str:
    """Replace one net by another everywhere, so that each cell alone looks right."""
    outputs = [
        made["cells"][twin]["connections"]["O"][0]
        for twin in pairs.values()
        if made["cells"][twin]["type"] == "SB_LUT4"
    ]
    one, other = outputs[:2]
    for cell in made["cells"].values():
        for port, bits in cell["connections"].items():
            cell["connections"][port] = [one if bit == other else bit for bit in bits]
    return "a net of the core is joined to another one"


def lose_top_cell(made: Module, pairs: dict[str, str]) -> str:
    name = next(cell for cell in made["cells"] if cell not in pairs.values())
    del made["cells"][name]
    return rf"lacks cell {re.escape(name)} of the top"


@pytest.mark.parametrize(
    "plant",
    [swap_inputs, change_table, change_type, lose_cell, lose_port, add_cell, ground_input,
     join_nets, lose_top_cell],
)  # fmt: skip
def test_changed_linked_netlist_is_detected(
    plant: Callable[[Module, dict[str, str]], str], linked: Path
) -> None:
    core, top, made = modules(linked)
    pairs = check(core, top, made)
    changed = copy.deepcopy(made)
    expected = plant(changed, pairs)
    with pytest.raises(ValueError, match=expected):
        check(core, top, changed)


def test_swapped_ports_are_detected(linked: Path) -> None:
    core, top, made = modules(linked)
    wires = next(
        cell["connections"] for cell in top["cells"].values() if cell["type"] == core_name(SMALL)
    )
    wires["digest"][0], wires["digest"][1] = wires["digest"][1], wires["digest"][0]
    with pytest.raises(ValueError, match=r"^port digest of the core is connected to another net"):
        check(core, top, made)


def test_top_without_the_core_is_rejected(linked: Path) -> None:
    core, _, made = modules(linked)
    with pytest.raises(ValueError, match=r"^the top must hold one bitlif_small, not 0$"):
        check(core, made, made)


def test_linked_netlist_is_the_simulated_one(
    linked: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mapped = mapped_core(core_verilog(SMALL), core_name(SMALL), "ice40")
    asked: list[Path] = []

    def modelled(name: str, call: list[str], folder: Path, *rest: object) -> None:
        asked.append(folder)
        raise BitlifError("enough")

    monkeypatch.setattr(netlist, "run_tool", modelled)
    with pytest.raises(BitlifError, match="enough"):
        build.library(SMALL, "netlist:ice40")
    simulated = (asked[0] / PRODUCT).read_bytes()
    assert simulated == mapped.read_bytes()
    core = json.loads((linked / CORE_NETLIST).read_text())["modules"]
    assert core == {core_name(SMALL): json.loads(simulated)["modules"][core_name(SMALL)]}
    shutil.rmtree(asked[0].parent)


def test_cache_key_covers_everything_in_a_netlist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlist, "cached", lambda key, product, make: Path(key))
    text, weights = core_verilog(SMALL), np.full((6, 4), 5)
    top = core_name(SMALL)
    first = mapped_core(text, top, "ice40")
    assert mapped_core(core_verilog(SMALL), top, "ice40") == first
    others = [
        mapped_core(core_verilog(SMALL, weights=weights), top, "ice40"),
        mapped_core(core_verilog(SMALL, learning=False), top, "ice40"),
        mapped_core(text, top, "ice40hx"),
        mapped_core(text, top, "ecp5"),
    ]
    monkeypatch.setattr(netlist, "tool_version", lambda name: "Yosys 0")
    others.append(mapped_core(text, top, "ice40"))
    assert len({first, *others}) == 1 + len(others)


# -- output of the placer ------------------------------------------------------------------------

REPORT = {
    "fmax": {"clk": {"achieved": 26.5, "constraint": 24.0}},
    "utilization": {
        "ICESTORM_LC": {"used": 2640, "available": 5280},
        "ICESTORM_RAM": {"used": 9, "available": 30},
        "ICESTORM_DSP": {"used": 6, "available": 8},
        "ICESTORM_SPRAM": {"used": 0, "available": 4},
    },
}


def test_placement_report_is_parsed() -> None:
    placed = read_placed(json.dumps(REPORT), BOARDS["icebreaker"], 3, 24.0)
    assert (placed.seed, placed.fmax_mhz, placed.meets) == (3, 26.5, True)
    assert placed.use["cells"].percent == 50
    assert placed.use["multipliers"] == Use(6, 8)
    assert not Placed(1, 26.6, 26.5, {}).meets


TOO_LARGE = """Info: Device utilisation:
Info: 	         ICESTORM_LC:    6000/   5280   113%
Info: 	        ICESTORM_RAM:       9/     30    30%
Info: 	        ICESTORM_DSP:      10/      8   125%
ERROR: Unable to place cell 'x', no BELs remaining to implement cell type 'ICESTORM_DSP'
"""
CROWDED = "ERROR: Unable to find legal placement for all cells, design is probably at limit\n"


@pytest.mark.parametrize(
    ("log", "why"),
    [
        (TOO_LARGE, r"cells 6000 of 5280, multipliers 10 of 8"),
        (CROWDED, "no room is left between its parts"),
    ],
)
def test_design_that_does_not_fit_names_the_resources(
    log: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(name: str, call: list[str], folder: Path, own: str, made: str) -> None:
        (folder / own).write_text(log)
        raise BitlifError(f"{name} failed")

    monkeypatch.setattr(placing, "run_tool", fails)
    with pytest.raises(
        DoesNotFit,
        match=rf"^tiny does not fit the 1BitSquared iCEBreaker \({why}\): take fewer lanes "
        r"\(layer.lanes is 2\), .*or another board$",
    ):
        place_on(BOARDS["icebreaker"], TINY, 24.0, 1, tmp_path)


def test_other_placer_failures_are_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(name: str, call: list[str], folder: Path, own: str, made: str) -> None:
        raise BitlifError(f"{name} failed (bad pin); its log is {folder / own}")

    monkeypatch.setattr(placing, "run_tool", fails)
    with pytest.raises(BitlifError, match=r"^nextpnr-ice40 failed \(bad pin\); its log is "):
        place_on(BOARDS["icebreaker"], TINY, 24.0, 1, tmp_path)


# -- the clock and the line ----------------------------------------------------------------------


@pytest.mark.parametrize("name", BOARDS)
def test_baud_rate_is_within_tolerance_at_every_clock(name: str) -> None:
    board = BOARDS[name]
    for wanted in np.linspace(17, 130, 50):
        clock = clock_for(board, float(wanted), 1_000_000)
        line = line_at(clock.mhz, 1_000_000)
        assert clock.mhz <= wanted
        assert abs(line.error) <= 0.01
        assert clock.mhz / line.divisor == pytest.approx(line.actual / 1e6)


def test_requested_clock_must_suit_the_baud_rate() -> None:
    board = BOARDS["icebreaker"]
    assert clock_for(board, 24.9, 1_000_000, exactly=True).mhz == 24.75
    with pytest.raises(BitlifError, match=r"^baud must .* the clock, 25\.500 MHz, .* 980769$"):
        clock_for(board, 25.5, 1_000_000, exactly=True)
    with pytest.raises(BitlifError, match=r"1/4 of it, not 12000000"):
        clock_for(board, 24, 12_000_000, exactly=True)


# -- the stages ----------------------------------------------------------------------------------


def build_bitstream(
    config: Config | NetworkConfig, board: str, folder: Path, **options: Any
) -> BitstreamReport:
    return build_request(BuildRequest(config=config, board=board, **options), folder)


@dataclass
class Tools:
    """A stub of the placer: fmax by seed, reduced by `loss` per further clock."""

    fmax: dict[int, float]
    loss: float = 0.0
    asked: list[tuple[float, int]] = field(default_factory=list)

    def place(self, board: object, config: Config, mhz: float, seed: int, folder: Path) -> Placed:
        self.asked.append((mhz, seed))
        (folder / f"routed-{seed}.asc").write_text(f"routed at {mhz} with {seed}")
        (folder / f"nextpnr-{seed}.log").write_text("placed")
        rounds = len({own for own, _ in self.asked}) - 1
        return Placed(seed, mhz, self.fmax[seed] - self.loss * rounds, {"cells": Use(1, 2)})


@pytest.fixture
def stood_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Tools]:
    """Replace all tools by stubs; return a function that sets the fmax of the placer."""

    def mapped(text: str, top: str, family: str) -> Path:
        (tmp_path / "cached").mkdir(exist_ok=True)
        made = {"modules": {top: {"cells": {"a": {"type": "SB_LUT4"}}}}}
        (tmp_path / "cached" / PRODUCT).write_text(json.dumps(made))
        (tmp_path / "cached" / "yosys.log").write_text("mapped")
        return tmp_path / "cached" / PRODUCT

    def top(rtlil: str, ports: str, core: str, synthesis: str, folder: Path) -> None:
        (folder / TOP_NETLIST).write_text(hashlib.sha256(rtlil.encode()).hexdigest())

    def linked(core: Path, name: str, folder: Path) -> None:
        (folder / CORE_NETLIST).write_text("")
        cells = {"a": {"type": "SB_LUT4"}, "b": {"type": "SB_LUT4"}, "c": {"type": "SB_DFFSR"}}
        made = {"modules": {"top": {"cells": cells}}, "of": (folder / TOP_NETLIST).read_text()}
        (folder / LINKED).write_text(json.dumps(made))

    def pack(name: str, call: list[str], folder: Path, log: str, made: str) -> None:
        (folder / made).write_bytes((folder / call[-2]).read_bytes())
        (folder / log).write_text("packed")

    def given(fmax: dict[int, float], loss: float = 0.0) -> Tools:
        tools = Tools(fmax, loss)
        monkeypatch.setattr(bitstream, "place_on", tools.place)
        return tools

    monkeypatch.setattr(bitstream, "mapped_core", mapped)
    monkeypatch.setattr(bitstream, "synthesise_top", top)
    monkeypatch.setattr(bitstream, "link", linked)
    monkeypatch.setattr(bitstream, "run_tool", pack)
    monkeypatch.setattr(build_report, "tool_version", lambda name: f"{name} 1")
    return given


def test_highest_met_clock_and_fastest_seed_are_chosen(
    stood_in: Callable[..., Tools], tmp_path: Path
) -> None:
    stages: list[tuple[str, bool]] = []
    tools = stood_in({1: 70.0, 2: 73.1})
    request = BuildRequest(config=TINY, board="hx8k", seeds=(1, 2))
    report = build_request(
        request, tmp_path / "out",
        notify=lambda stage, seconds: stages.append((stage, seconds is None)),
    )  # fmt: skip
    best = clock_for(BOARDS["hx8k"], 73.1, 1_000_000).mhz
    assert tools.asked == [(60.0, 1), (60.0, 2), (best, 1), (best, 2)]
    assert report.clock["mhz"] == best >= 72
    assert (report.seed, report.fmax_mhz) == (2, 73.1)
    assert [own["meets"] for own in report.placements] == [True, True, False, True]
    assert report.backend == "netlist:ice40hx"
    assert report.use["look-up tables"] == {"used": 2, "available": 7680, "percent": 0.0}
    assert report.use["flip-flops"]["used"] == 1
    assert stages[0] == ("core in Verilog", True)
    assert {what for what, _ in stages} == set(report.seconds)
    assert abs(report.line["error_percent"]) <= 1


def test_folder_holds_hashed_files_of_the_chosen_seed(
    stood_in: Callable[..., Tools], tmp_path: Path
) -> None:
    stood_in({1: 70.0, 2: 73.1})
    out = tmp_path / "out"
    report = build_bitstream(TINY, "hx8k", out, seeds=(1, 2))
    assert json.loads((out / "report.json").read_text())["hashes"] == report.hashes
    for name, digest in report.hashes.items():
        if name != "configuration":
            found = (out / report.files[name]).read_bytes()
            assert hashlib.sha256(found).hexdigest() == digest
    assert Config.load(str(out / "config.toml")) == TINY
    assert not list(out.glob("routed-*"))
    assert {own.name for own in (out / "logs").iterdir()} >= {"nextpnr-2.log", "yosys-core.log"}
    assert [own.name for own in tmp_path.iterdir() if own.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["../../../victim", "-h", "a b/c", "é" * 200])
def test_any_configuration_name_gives_valid_file_names(
    name: str, stood_in: Callable[..., Tools], tmp_path: Path
) -> None:
    stood_in({1: 70.0})
    out = tmp_path / "a" / "b" / "out"
    report = build_bitstream(TINY.replace(name=name), "hx8k", out)
    for file in report.files.values():
        assert (out / file).exists()
        assert Path(file).parts == (file,)
    assert report.config == name
    # The only other folder is the cache of the stub.
    assert {own.name for own in tmp_path.iterdir()} == {"a", "cached"}
    assert [own.name for own in (tmp_path / "a").iterdir()] == ["b"]
    assert [own.name for own in (tmp_path / "a" / "b").iterdir()] == ["out"]


def test_missed_clock_is_followed_by_lower_ones(
    stood_in: Callable[..., Tools], tmp_path: Path
) -> None:
    tools = stood_in({1: 59.0}, loss=1.0)
    with pytest.raises(
        MissesTiming,
        match=r"^tiny misses 5\d\.\d+ MHz on the Lattice .* best of 1 seeds reaches 59\.00 MHz; "
        r"take fewer lanes \(layer.lanes is 2\), more --seeds or another board$",
    ):
        build_bitstream(TINY, "hx8k", tmp_path / "out")
    clocks = [mhz for mhz, _ in tools.asked]
    assert len(clocks) == 1 + bitstream.ROUNDS
    assert clocks == sorted(clocks, reverse=True)
    assert list(tmp_path.iterdir()) == [tmp_path / "cached"]


def test_met_clock_is_kept_when_faster_ones_are_missed(
    stood_in: Callable[..., Tools], tmp_path: Path
) -> None:
    tools = stood_in({1: 62.0}, loss=1.5)
    report = build_bitstream(TINY, "hx8k", tmp_path / "out")
    assert report.clock["mhz"] == 60.0 == tools.asked[-1][0]


def test_requested_clock_is_met_or_missed(stood_in: Callable[..., Tools], tmp_path: Path) -> None:
    tools = stood_in({1: 50.0})
    assert build_bitstream(TINY, "hx8k", tmp_path / "out", mhz=48).clock["mhz"] == 48.0
    with pytest.raises(
        MissesTiming, match=r"misses 54\.000 MHz .* take a lower --mhz, such as 50,"
    ):
        build_bitstream(TINY, "hx8k", tmp_path / "missed", mhz=54)
    assert [mhz for mhz, _ in tools.asked] == [48.0, 54.0]
    assert not (tmp_path / "missed").exists()


def test_failed_tool_leaves_its_log_and_no_result(
    stood_in: Callable[..., Tools], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stood_in({1: 70.0})

    def fails(name: str, call: list[str], folder: Path, log: str, made: str) -> None:
        (folder / log).write_text("no")
        raise BitlifError(f"{name} failed (no); its log is {folder / log}")

    monkeypatch.setattr(bitstream, "run_tool", fails)
    with pytest.raises(BitlifError, match=r"^icepack failed \(no\)") as info:
        build_bitstream(TINY, "hx8k", tmp_path / "out", mhz=48)
    assert Path(str(info.value).rpartition(" is ")[2]).read_text() == "no"
    assert not (tmp_path / "out").exists()


def test_folder_with_files_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("")
    with pytest.raises(BitlifError, match=r"^folder of a bitstream must be new or empty, not '"):
        build_bitstream(TINY, "hx8k", tmp_path)


# -- networks ------------------------------------------------------------------------------------

NETWORK = NetworkConfig.of(
    NetworkLayer(config=TINY.replace(layer__lanes=1)),
    NetworkLayer(config=TINY.replace(layer__inputs=4, layer__lanes=1)),
    name="pair",
)


@pytest.mark.parametrize("learning", [True, False])
def test_network_is_built_with_its_configuration_and_pace(
    learning: bool, stood_in: Callable[..., Tools], tmp_path: Path
) -> None:
    stood_in({1: 80.0})
    out = tmp_path / "out"
    request = BuildRequest(config=NETWORK, board="hx8k", mhz=48.0, learning=learning)
    report = build_request(request, out)
    assert NetworkConfig.load(str(out / "config.toml")) == NETWORK
    assert (out / "core.sv").read_text() == network_verilog(NETWORK, learning=learning)
    assert report.hashes["configuration"] == any_hash(NETWORK)
    assert report.memories == []
    assert report.widths == {
        "lanes": [1, 1], "synapses": [1, 1], "products": [1, 1] if learning else [0, 0],
        "single_port": ["none", "none"],
    }  # fmt: skip
    assert report.pace == asdict(network_pace(NETWORK, report.clock["mhz"], learning=learning))
    assert json.loads((out / "report.json").read_text())["pace"] == report.pace


@pytest.mark.parametrize("learning", [True, False])
def test_pace_of_a_network_is_that_of_the_formula(learning: bool) -> None:
    own = network_pace(NETWORK, 50.0, learning=learning)
    work = random_work(NETWORK.outer, 0, own.windows)
    assert work.targets is not None
    model = Network(NETWORK)
    run = model.run(work.events)
    clocks = window_clocks(NETWORK, work.events, run, learn=False, learning_core=learning)
    assert own.run_clocks == clocks.mean()
    assert own.runs_per_s == 50e6 / own.run_clocks
    assert own.learning == learning
    if learning:
        learned = model.learn(work.events, work.targets, record=("adjoints", "membrane"))
        assert own.learned_clocks == window_clocks(NETWORK, work.events, learned, learn=True).mean()
        assert own.learned_per_s == 50e6 / own.learned_clocks
        assert own.learned_clocks > own.run_clocks
    else:
        assert (own.learned_clocks, own.learned_per_s) == (0, 0)


def test_host_loads_the_weights_of_a_network() -> None:
    weights = np.zeros((6, 4), np.int64)
    with pytest.raises(BitlifError, match=r"^weights must be None for a network, whose host loads"):
        BuildRequest(config=NETWORK, board="ulx3s-85f", weights=weights)


def test_network_that_does_not_fit_names_the_lanes_of_its_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(name: str, call: list[str], folder: Path, own: str, made: str) -> None:
        (folder / own).write_text(TOO_LARGE)
        raise BitlifError(f"{name} failed")

    monkeypatch.setattr(placing, "run_tool", fails)
    with pytest.raises(
        DoesNotFit, match=r"fewer lanes \(layer.0.lanes is 1, layer.1.lanes is 1\), neurons"
    ):
        place_on(BOARDS["icebreaker"], NETWORK, 24.0, 1, tmp_path)


# -- pace ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("learning", [True, False])
def test_pace_follows_the_cycle_counts(learning: bool) -> None:
    own = pace(TINY, 50.0, learning=learning)
    assert own.quiet_steps_per_s == pytest.approx(50e6 / own.quiet_clocks)
    assert own.steps_per_s == pytest.approx(50e6 / own.clocks)
    assert own.peak_operations_per_s == 100e6
    assert 0 < own.operations_per_s < own.peak_operations_per_s
    assert own.learning == learning


@pytest.mark.parametrize("learning", [True, False])
def test_quiet_step_is_the_shortest(learning: bool) -> None:
    quiet = TINY.replace(error__rule="clipped")
    silent = Events.from_times([], [], steps=16, units=6)
    with ModelCore(quiet, learning=learning) as core:
        core.load(np.zeros((6, 4), np.int64))
        out = core.run(silent, np.zeros((1, 4), np.int64), learn=learning)
        least = int(out.step_clocks.min())
    assert quiet_step(quiet, learn=learning, learning_core=learning) <= least
    spiked = out.raster.any(axis=2)
    if not learning:
        # Steps overlap, so equal steps may alternate between two numbers of clock cycles.
        expected = quiet_step(quiet, learn=False, learning_core=False)
        assert expected in out.step_clocks[~spiked]


# -- real placements, in the nightly run ---------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(
    ("config", "board"),
    [
        (SMALL, "icebreaker"), (TINY, "hx8k"), (TINY, "orangecrab"), (TINY, "ulx3s-85f"),
        (NETWORK, "orangecrab"),
    ],
)  # fmt: skip
def test_bitstream_is_reproducible(
    config: Config | NetworkConfig, board: str, tmp_path: Path
) -> None:
    first = build_bitstream(config, board, tmp_path / "first")
    again = build_bitstream(config, board, tmp_path / "again", mhz=first.clock["mhz"])
    assert first.hashes == again.hashes
    assert first.fmax_mhz >= first.clock["mhz"]
    stream = (tmp_path / "first" / first.files["bitstream"]).read_bytes()
    assert len(stream) > 50_000
    for word in (str(tmp_path).encode(), b"/tmp", b"2026"):
        assert word not in stream


@pytest.mark.long
def test_too_large_design_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(DoesNotFit, match=r"multipliers \d+ of 8\): take fewer lanes"):
        build_bitstream(TINY, "icebreaker", tmp_path / "out")
