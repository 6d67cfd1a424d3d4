"""The exported Verilog: accepted by other tools, with its ports explained in the header."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bitlif.fpga.tools import find_tool
from bitlif.hdl.export.verilog import axi_verilog, core_name, core_verilog
from bitlif.hdl.export.verilog_fixups import WAIVERS
from bitlif.hdl.memories import memory_files
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.files.weight_file import save_weights
from bitlif.model.gate_sizes import gate_sizes
from bitlif.scripts.main import main
from bitlif.sim.simulators import require_simulator


def test_verilog_command_explains_every_port(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "tiny.sv"
    assert main(["verilog", "tiny", "--out", str(out)]) == 0
    header = [line for line in out.read_text().splitlines() if line.startswith("// ")]
    for port in ("clk", "i_events__payload", "o_events__ready", "digest", "host__weights"):
        assert any(f" {port} " in line for line in header), port
    assert np.all([len(line) < 130 for line in header])


@pytest.mark.parametrize(
    ("neurons", "synapses", "expected"),
    [
        (4, 0, "input * 2 + slot"), (2, 0, "input"), (4, 4, "input * 2 + slot"),
        (6, 6, "input * 4 + slot"), (9, 6, "(input * 2 + slot / 3) * 4 + slot % 3"),
    ],
)  # fmt: skip
def test_header_gives_the_address_of_weights(neurons: int, synapses: int, expected: str) -> None:
    config = Config.load("tiny").replace(layer__neurons=neurons, gates__synapses=synapses)
    sizes = gate_sizes(config)
    assert f"// Address of weights: {expected}.\n" in core_verilog(config, learning=False)
    python = expected.replace("/", "//")
    for number in range(sizes.inputs):
        for slot in range(sizes.slots):
            assert eval(python, {"input": number, "slot": slot}) == sizes.weight_address(
                number, slot
            )


def lint(path: Path, *options: str) -> str:
    """Return the messages of Verilator about the file."""
    name = re.findall(r"^module (\w+)\(", path.read_text(), re.MULTILINE)[0]
    call = [require_simulator("verilator"), "--lint-only", "-Wall", "--quiet", "--top-module", name]
    done = subprocess.run(
        [*call, *options, path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def written(folder: Path, config: Config, *, learning: bool = True) -> Path:
    path = folder / f"{config.name}.sv"
    path.write_text(core_verilog(config, learning=learning))
    return path


ODD = {
    "wide": {
        "layer__neurons": 7,
        "layer__lanes": 2,
        "gates": {"synapses": 6, "products": 4, "single_port": "weights"},
    },
    "one": {"layer__inputs": 1, "layer__neurons": 1, "layer__lanes": 1, "schedule": [{}]},
    "odd": {
        "layer__neurons": 7,
        "layer__lanes": 3,
        "noise__kind": "inverse_cdf",
        "noise__words": 1,
    },
}


def some_configs() -> list[Config]:
    """Return the ready-made configurations and some extreme ones."""
    tiny = Config.load("tiny")
    odd = [tiny.replace(name=name, **changes) for name, changes in ODD.items()]
    return [*(Config.load(name) for name in ("tiny", "digits", "teacher")), *odd]


@pytest.mark.parametrize("learning", [True, False])
def test_verilog_lints_clean_and_elaborates(learning: bool, tmp_path: Path) -> None:
    for config in some_configs():
        path = written(tmp_path, config, learning=learning)
        assert lint(path) == ""
        done = subprocess.run(
            ["iverilog", "-g2012", "-Wall", "-t", "null", "-s", f"bitlif_{config.name}", path],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "error" not in done.stderr


@pytest.mark.parametrize("learning", [True, False])
def test_verilog_of_the_axi_top_lints_clean(learning: bool, tmp_path: Path) -> None:
    for config in [own for own in some_configs() if own.layer.inputs < 10]:
        path = tmp_path / f"{config.name}.sv"
        path.write_text(axi_verilog(config, learning=learning))
        assert lint(path) == ""


@pytest.mark.parametrize("config", some_configs(), ids=lambda config: config.name)
def test_yosys_elaborates_the_verilog(config: Config, tmp_path: Path) -> None:
    path = written(tmp_path, config)
    script = f"read_verilog -sv {path.name}; hierarchy -check -top bitlif_{config.name}; proc; "
    done = subprocess.run(
        [*find_tool("yosys"), "-q", "-l", "yosys.log", "-p", script + "check -assert"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (tmp_path / "yosys.log").read_text()[-2000:]


def test_waived_warnings_are_only_the_stated_ones(tmp_path: Path) -> None:
    # The waived truncations must all be operands of a logical not.
    path = written(tmp_path, Config.load("digits"))
    path.write_text(path.read_text().replace("lint_off WIDTHTRUNC", "lint_on WIDTHTRUNC"))
    messages = [line for line in lint(path).splitlines() if line.startswith("%Warning-")]
    assert messages
    assert all("Logical operator LOGNOT expects 1 bit" in line for line in messages), messages


def test_waivers_are_written_with_their_reasons(tmp_path: Path) -> None:
    text = written(tmp_path, Config.load("tiny")).read_text()
    for name, reason in WAIVERS.items():
        assert f"/* verilator lint_off {name} */ // {reason}" in text
        assert len(reason) > 20


def initial(text: str, memory: str) -> list[int]:
    """Return the initial contents of the first memory with this name, or in a module of it."""
    module = re.search(rf"^module \\\S*\.{memory} \(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
    if module is not None:
        text, memory = module[0], "memory"
    rows = re.findall(rf"^    \\?{memory} ?\[(\d+)\] = \d+'h([0-9a-f]+);", text, re.MULTILINE)
    found: dict[int, int] = {}
    for address, value in rows:
        found.setdefault(int(address), int(value, 16))
    return [found[address] for address in range(len(found))]


WEIGHTS = np.arange(24).reshape(6, 4) * 2 - 32
"""Weights of `tiny`."""


def test_memory_files_match_the_verilog(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = Config.load("tiny")
    save_weights(tmp_path / "w.npz", WEIGHTS, config)
    out, folder = tmp_path / "tiny.sv", tmp_path / "memories"
    arguments = ["verilog", "tiny", "--weights", str(tmp_path / "w.npz"), "--out", str(out)]
    assert main([*arguments, "--memories", str(folder)]) == 0
    text = out.read_text()
    inside = core_verilog(config, weights=WEIGHTS)
    for name, count in (("weights", 12), ("schedule", 2), ("table", 64)):
        rows = (folder / f"bitlif_tiny_{name}.hex").read_text().splitlines()
        assert len(rows) == count
        assert [int(row, 16) for row in rows] == initial(inside, name)
        assert initial(text, name) == (initial(inside, name) if name != "weights" else [])
    # Input 2, slot 1: neurons 2 and 3, with neuron 2 in the lowest bits.
    assert initial(inside, "weights")[5] == ((WEIGHTS[2, 3] & 63) << 6) | (WEIGHTS[2, 2] & 63)


def test_weights_are_written_beside_the_verilog(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = Config.load("tiny")
    save_weights(tmp_path / "w.npz", WEIGHTS, config)
    call = ["verilog", "tiny", "--weights", str(tmp_path / "w.npz")]
    assert main([*call, "--out", str(tmp_path / "tiny.sv")]) == 0
    assert "its weights are in" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {
        "w.npz", "tiny.sv", "bitlif_tiny_weights.hex",
    }  # fmt: skip
    text = (tmp_path / "tiny.sv").read_text()
    assert '`define BITLIF_TINY_WEIGHTS "bitlif_tiny_weights.hex"' in text
    # Without an option for a file there is no place for the weights.
    assert main(call) == 2
    assert "--weights needs --out or --memories" in capsys.readouterr().err


BENCH = """
module bench;
  reg clk = 0, rst = 1;
  reg [3:0] address = 0;
  wire [11:0] row;
  bitlif_tiny core (.clk(clk), .rst(rst), .host__address({2'd0, address}), .host__weights(row),
    .host__weights_enable(2'd0), .host__entry_enable(1'd0), .host__schedule_enable(1'd0),
    .i_events__valid(1'd0), .i_targets__valid(1'd0), .o_events__ready(1'd1));
  initial begin
    repeat (4) begin clk = 1; #1; clk = 0; #1; end
    rst = 0;
    repeat (40) begin clk = 1; #1; clk = 0; #1; end
    repeat (12) begin
      repeat (2) begin clk = 1; #1; clk = 0; #1; end
      $display("%h", row);
      address = address + 1;
    end
    $finish;
  end
endmodule
"""


@pytest.mark.parametrize("how", ["beside", "inside", "macro", "none"])
def test_simulated_core_starts_with_the_weights(how: str, tmp_path: Path) -> None:
    config = Config.load("tiny")
    hexadecimal = memory_files(config, WEIGHTS, learning=True)["weights"]
    options = {
        "beside": {"weights_file": "weights.hex"}, "inside": {"weights": WEIGHTS},
        "macro": {"weights_file": "no such file"}, "none": {},
    }  # fmt: skip
    (tmp_path / "weights.hex").write_text(hexadecimal)
    (tmp_path / "core.sv").write_text(core_verilog(config, **options[how]))  # type: ignore[arg-type]
    (tmp_path / "bench.v").write_text(BENCH)
    defined = ['-DBITLIF_TINY_WEIGHTS="weights.hex"'] if how == "macro" else []
    call = ["iverilog", "-g2012", *defined, "-o", "bench", "bench.v", "core.sv"]
    subprocess.run(call, check=True, cwd=tmp_path)
    done = subprocess.run(
        ["vvp", "bench"], check=True, cwd=tmp_path, capture_output=True, text=True
    )
    rows = [line for line in done.stdout.splitlines() if re.fullmatch("[0-9a-f]{3}", line)]
    # Every row is read once, in their order.
    expected = hexadecimal.split() if how != "none" else ["000"] * 12
    assert rows == expected


def test_yosys_reads_the_weights_from_their_file(tmp_path: Path) -> None:
    config = Config.load("tiny")
    (tmp_path / "core.sv").write_text(core_verilog(config, weights_file="weights.hex"))
    (tmp_path / "weights.hex").write_text(memory_files(config, WEIGHTS, learning=True)["weights"])
    script = "read_verilog -sv core.sv; proc; memory_collect; write_verilog -noattr out.v"
    subprocess.run(
        [*find_tool("yosys"), "-q", "-l", "yosys.log", "-p", script], cwd=tmp_path, check=True
    )
    text = (tmp_path / "out.v").read_text()
    assert initial(text, "weights") == initial(core_verilog(config, weights=WEIGHTS), "weights")
    # Synthesis is free to choose the contents of all memories but these.
    first = re.findall(r"^    \\?(\w+) ?\[0\] =", text, re.MULTILINE)
    assert sorted(first) == ["memory", "schedule", "table", "table"]


def test_text_does_not_grow_with_the_weights() -> None:
    few, many = (
        core_verilog(Config.load("tiny").replace(layer__inputs=inputs, layer__neurons=256))
        for inputs in (1 << 6, 1 << 11)
    )
    assert abs(len(many) - len(few)) < len(few) // 100


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "weights é"])
def test_name_of_the_weights_must_fit_in_a_string(name: str) -> None:
    with pytest.raises(BitlifError, match=r"^weights_file must be printable ASCII"):
        core_verilog(Config.load("tiny"), weights_file=name)


@pytest.mark.parametrize("write", [core_verilog, axi_verilog])
def test_no_net_is_named_like_a_bit_of_another(write: Callable[[Config], str]) -> None:
    # Yosys 0.70 joins such nets (see `bitlif.hdl.export.verilog_fixups.plain_names`).
    names = re.findall(r"\\\S+", write(Config.load("tiny")))
    assert "\\update_lfsr(1)" in names
    assert not [name for name in names if "[" in name]


def test_weights_change_the_verilog(tmp_path: Path) -> None:
    config = Config.load("tiny")
    plain = core_verilog(config)
    assert plain == core_verilog(config, weights=np.zeros((6, 4), np.int64))
    assert plain != core_verilog(config, weights=np.ones((6, 4), np.int64))
    with pytest.raises(ValueError, match=r"^weights must"):
        core_verilog(config, weights=np.full((6, 4), 99))
    with pytest.raises(BitlifError, match=r"^weights and weights_file must not be given together"):
        core_verilog(config, weights=np.zeros((6, 4), np.int64), weights_file="w.hex")


@pytest.mark.parametrize(
    "name", ["../../../victim", "-h", "*/ endmodule", "é" * 200, "9 lanes", '`include "x"', "a\\"]
)
def test_any_configuration_name_gives_a_valid_module(name: str, tmp_path: Path) -> None:
    config = Config.load("tiny").replace(name=name)
    module = core_name(config)
    assert re.fullmatch(r"bitlif_\w{1,65}", module, re.ASCII)
    text = core_verilog(config, learning=False)
    assert text.splitlines()[0].startswith(f"// {module}: bitlif layer core, configuration ")
    source = tmp_path / "core.sv"
    source.write_text(text, "utf-8")
    call = ["iverilog", "-g2012", "-t", "null", "-s", module, str(source)]
    subprocess.run(call, check=True, cwd=tmp_path)


def test_missing_folder_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verilog", "tiny", "--out", "nowhere/at/all/tiny.sv"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_verilog_command_explains_the_bus_ports(tmp_path: Path) -> None:
    out = tmp_path / "tiny.sv"
    assert main(["verilog", "tiny", "--bus", "axi", "--out", str(out)]) == 0
    header = [line for line in out.read_text().splitlines() if line.startswith("// ")]
    for port in ("clk", "s_axil_awaddr", "s_axis_events_tlast", "s_axis_targets_tdata"):
        assert any(f" {port} " in line for line in header), port
    # The default meaning, used for unknown names.
    assert not [line for line in header if "counter, stops" in line]
