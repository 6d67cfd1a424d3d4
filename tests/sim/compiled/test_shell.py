"""The Verilog wrapper of a core: names, widths, and values when compiled."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from bitlif import Config
from bitlif.hdl.export.verilog import core_name, core_verilog
from bitlif.sim.backends.gates import GateCore
from bitlif.sim.compiled import build
from bitlif.sim.compiled.design import design_of
from bitlif.sim.compiled.shell import SHELL, shell_header, shell_verilog

from agreement import run_both
from strategies import random_configs, with_gates

TINY = Config.load("tiny")
PHASES = [{"windows": 1, "sigma": 0.3, "rate": 0.5 / (k + 1)} for k in range(4)] + [{"sigma": 0.1}]
ONE = {"layer__inputs": 1, "layer__neurons": 1, "layer__lanes": 1, "schedule": [{"sigma": 0.2}]}


def named(config: Config) -> str:
    sizes = config.layer
    return (
        f"{sizes.inputs}x{sizes.neurons} on {sizes.lanes} and {config.gates.synapses}, "
        f"{config.membrane.reset}"
    )


SHAPES = (
    TINY,
    TINY.replace(membrane__reset="teacher"),
    TINY.replace(**ONE),
    TINY.replace(layer__neurons=8, layer__lanes=3, schedule=PHASES, learning__random_bits=0),
    TINY.replace(layer__neurons=9, layer__lanes=2, gates={"synapses": 6, "single_port": "all"}),
    *(with_gates(config, number) for number, config in enumerate(random_configs(3))),
)


def verilog_ports(text: str, name: str) -> list[tuple[str, int, bool]]:
    """Return names, bits and directions of a module's ports as declared in the Verilog."""
    found = re.search(rf"^module {name}\(([^)]*)\);(.*?)^endmodule", text, re.M | re.S)
    assert found is not None
    head, body = found.groups()
    declared = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\S+);$", body, re.MULTILINE)
    assert sorted(port for _, _, port in declared) == sorted(re.findall(r"[^\s,]+", head))
    return [(port, int(top or 0) + 1, kind == "input") for kind, top, port in declared]


@pytest.mark.parametrize("learning", [True, False], ids=["learning", "inference"])
@pytest.mark.parametrize("config", SHAPES, ids=named)
def test_wrapper_has_all_ports_and_probes(config: Config, learning: bool, tmp_path: Path) -> None:
    text = core_verilog(config, learning=learning)
    ports = design_of(config, learning=learning, probed=True).ports
    ours = [(port.name, port.bits, port.input) for port in ports]
    assert sorted(ours) == sorted(verilog_ports(text, core_name(config)))
    assert [port.name for port in ports[:2]] == ["clk", "rst"]
    assert len({port.plain for port in ports}) == len(ports)
    assert not any("__" in port.plain for port in ports)
    teaches = learning or config.membrane.reset == "teacher"
    assert any(port.plain == "i_targets_payload" for port in ports) == teaches
    assert any(port.plain == "learn" for port in ports) == learning
    seen = set(design_of(config, learning=learning, probed=True).probes)
    learned = {"errors", "traces", "gradient"} if learning else set()
    assert seen == {"current", "membrane", "draws"} | learned
    # Verilator checks every name and width. The core disables warnings, so the wrapper comes first.
    environment = {**os.environ, "VERILATOR_ROOT": str(build._verilator_root())}
    for probed in (True, False):
        shell = shell_verilog(design_of(config, learning=learning, probed=probed))
        (tmp_path / "core.sv").write_text(text)
        (tmp_path / "shell.sv").write_text(shell)
        call = ["--lint-only", "-Wall", "-Wno-DECLFILENAME", "-Wno-UNUSEDSIGNAL"]
        done = subprocess.run(
            [build._tool("verilator_bin"), *call, "--top-module", SHELL, "shell.sv", "core.sv"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert ("output wire [7:0] watch" in shell) == probed


def test_header_has_the_sizes_of_the_core() -> None:
    config = TINY.replace(layer__neurons=70, layer__lanes=70, membrane__reset="teacher")
    lines = shell_header(design_of(config, learning=False, probed=True)).splitlines()
    facts = dict(line.removeprefix("#define ").split(" ", 1) for line in lines)
    assert facts["ENABLE_0"] == "4294967295u, 4294967295u, 63u"
    assert (facts["NEURONS"], facts["SLOTS"], facts["LAST_OUT"]) == ("70", "1", "128")
    assert (facts["HAS_LEARN"], facts["HAS_TARGETS"], facts["HAS_WATCH"]) == ("0", "1", "1")
    # Ten bits each of current and membrane per lane.
    assert re.findall(r"X\(\d+, 0, \d+, (\d+)\)", facts["PROBES(X)"])[:2] == ["22", "22"]


WIDE = {
    "synapse__weight": "s20.16",
    "synapse__current": "s24.18",
    "membrane__format": "s24.18",
    "schedule": PHASES,
}
PLAIN = {"layer__inputs": 2, "noise__words": 1, "noise__lfsr__sharing": "shared"}
"""Settings that are cheap with many lanes."""

COMPILED = {
    "one input, one neuron": (ONE, True),
    "rows of 40 bits": ({**WIDE, "layer__lanes": 2}, True),
    "rows of 80 bits": ({**WIDE, "layer__lanes": 4}, True),
    "33 lanes": ({**PLAIN, "layer__neurons": 33, "layer__lanes": 33}, False),
    "70 lanes": (
        {**PLAIN, "layer__neurons": 70, "layer__lanes": 70, "membrane__reset": "teacher"},
        False,
    ),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", COMPILED)
def test_ports_of_any_width_match_the_model(name: str) -> None:
    changes, learning = COMPILED[name]
    config = TINY.replace(window__steps=5, **changes)
    with GateCore(config, "rtl", learning=learning) as core:
        run_both(core, 3, 6, learn=learning)
        # Only the last phase is open-ended; those of `tiny` are longer than this.
        assert core.phase() == (4 if name.startswith("rows") else 0)


@pytest.mark.long
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("neurons", [64, 65, 70])
def test_core_with_many_lanes_matches_model(neurons: int) -> None:
    config = TINY.replace(layer__neurons=neurons, layer__lanes=neurons, window__steps=5)
    with GateCore(config, "rtl") as core:
        run_both(core, 3, 6)
