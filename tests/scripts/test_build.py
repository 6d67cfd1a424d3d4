"""``bitlif build``: its request, output and exit status; the build itself is a stub."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitlif.fpga import bitstream
from bitlif.fpga.bitstream import BuildRequest, Notify
from bitlif.fpga.boards import BOARDS
from bitlif.fpga.build_report import BitstreamReport
from bitlif.fpga.place_and_route import MissesTiming
from bitlif.fpga.synthesis import DoesNotFit
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError
from bitlif.model.files.weight_file import save_weights
from bitlif.scripts.main import main

REPORT = BitstreamReport(
    "tiny", "hx8k", "iCE40 HX8K", "netlist:ice40hx", True, False,
    {"mhz": 70.5, "reference_mhz": 12, "parameters": {}}, {"baud": 10**6, "error_percent": 0.71},
    2, 71.25,
    [{"seed": 2, "asked_mhz": 70.5, "fmax_mhz": 71.25, "meets": True}],
    {"cells": {"used": 6712, "available": 7680, "percent": 87.4}}, {"SB_LUT4": 9},
    [{"memory": "weights", "rows": 12, "bits": 10, "copies": 1, "ports": "read, write",
      "kind": "block RAM", "blocks": 1}],
    {"workload": "random", "quiet_clocks": 27, "clocks": 48.9, "quiet_steps_per_s": 2.61e6,
     "steps_per_s": 1.44e6, "operations_per_s": 14.17e6, "peak_operations_per_s": 141e6,
     "peak_products_per_s": 282e6},
    {"yosys": "Yosys 9"}, {"configuration": "abc", "bitstream": "def"}, {"top": 1.0},
    {"bitstream": "tiny-hx8k.bin"},
    {"lanes": 2, "synapses": 2, "products": 4, "single_port": "none"},
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[BuildRequest]:
    """Replace the build by a stub; return the requests that it receives."""
    found: list[BuildRequest] = []

    def build(request: BuildRequest, folder: Path, *, notify: Notify) -> BitstreamReport:
        found.append(request)
        (folder / "tiny-hx8k.bin").write_bytes(b"bits")
        (folder / "report.json").write_text("{}")
        notify("top", None)
        notify("top", 3.0)
        return REPORT

    monkeypatch.setattr(bitstream, "build_in", build)
    return found


def test_defaults_are_one_seed_learning_and_the_highest_clock(
    asked: list[BuildRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["build", "tiny", "--board", "hx8k"]) == 0
    (own,) = asked
    assert (own.config.name, own.board, list(own.seeds)) == ("tiny", "hx8k", [1])
    assert (own.mhz, own.baud, own.learning, own.weights) == (None, 10**6, True, None)
    assert (tmp_path / "out" / "build" / "tiny-hx8k" / "tiny-hx8k.bin").read_bytes() == b"bits"


def test_options_are_passed_on(asked: list[BuildRequest], tmp_path: Path) -> None:
    config = Config.load("tiny")
    weights = tmp_path / "weights.npz"
    save_weights(weights, np.full((6, 4), 3), config)
    words = ["--seeds", "3", "--mhz", "48", "--baud", "500000", "--inference"]
    out = ["--weights", str(weights), "--out", str(tmp_path / "out")]
    assert main(["build", "tiny", "--board", "ulx3s-85f", *words, *out]) == 0
    (own,) = asked
    assert list(own.seeds) == [1, 2, 3]
    assert (own.mhz, own.baud, own.learning) == (48.0, 500_000, False)
    assert np.asarray(own.weights).tolist() == [[3] * 4] * 6


def test_widths_are_chosen_for_the_board_unless_told(
    asked: list[BuildRequest], tmp_path: Path
) -> None:
    for number, words in enumerate((
        [], ["--synapses", "2"], ["--synapses", "6", "--products", "4"], ["--products", "2"],
    )):  # fmt: skip
        out = ["--board", "ulx3s-85f", "--out", str(tmp_path / str(number))]
        assert main(["build", "digits", *words, *out]) == 0
    assert [(own.config.gates.synapses, own.config.gates.products) for own in asked] == [
        (10, 10), (2, 10), (6, 4), (10, 2),
    ]  # fmt: skip
    assert {own.config.layer.lanes for own in asked} == {2}


def test_widths_of_a_network_are_chosen_unless_told(
    asked: list[BuildRequest], tmp_path: Path
) -> None:
    for number, words in enumerate(([], ["--synapses", "48,10"], ["--lanes", "8,2"])):
        out = ["--board", "ulx3s-85f", "--out", str(tmp_path / str(number))]
        assert main(["build", "digits-96", *words, *out]) == 0
    found = [
        [(own.config.layer.lanes, own.config.gates.synapses) for own in request.config.layers]
        for request in asked
        if isinstance(request.config, NetworkConfig)
    ]
    assert found == [[(4, 96), (1, 10)], [(4, 48), (1, 10)], [(8, 96), (2, 10)]]


def test_table_of_a_network_shows_windows(
    asked: list[BuildRequest], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pace = {
        "workload": "digits", "windows": 20, "learning": True, "learned_clocks": 12345.25,
        "run_clocks": 1700.5, "learned_per_s": 5678.9, "runs_per_s": 41000.0,
    }  # fmt: skip
    widths = {"lanes": [4, 1], "synapses": [96, 10], "products": [96, 10]}
    report = replace(REPORT, pace=pace, widths=widths, memories=[])
    monkeypatch.setattr(bitstream, "build_in", lambda *given, **named: report)
    options = ["--board", "ulx3s-85f", "--out", str(tmp_path / "out")]
    assert main(["build", "digits-96", *options]) == 0
    out = capsys.readouterr().out
    for line in (
        "P 4, 1, S 96, 10, L 96, 10", "12,345.2 clocks, 5.68 k/s", "1,700.5 clocks, 41.00 k/s",
    ):  # fmt: skip
        assert line in out
    assert "quiet step" not in out


def test_table_shows_use_clock_pace_and_hashes(
    asked: list[BuildRequest], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "tiny", "--board", "hx8k", "--out", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert err == "top ...\n  3 s\n"
    for line in (
        "tiny on hx8k (iCE40 HX8K), learning", "6712 of 7680 (87 %)", "70.500 MHz, from 12 MHz",
        "71.25 MHz, seed 2, +1.1 %", "27 clocks, 2.61 M/s", "14.17 M/s of 141.00 M/s",
        "P 2, S 2, L 4", "282.00 M/s",
        "the core is the netlist that netlist:ice40hx simulates", "abc", "def", "Yosys 9",
    ):  # fmt: skip
        assert line in out
    assert re.search(r"written to .*tiny-hx8k\.bin", out.replace("\n", ""))


def test_json_is_the_report_and_the_folder(
    asked: list[BuildRequest], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert main(["build", "tiny", "--board", "hx8k", "--out", out, "--json"]) == 0
    result = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (result["folder"], result["fmax_mhz"]) == (out, 71.25)
    assert result["hashes"] == REPORT.hashes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DoesNotFit("tiny does not fit"), 1),
        (MissesTiming("tiny misses 70 MHz"), 1),
        (BitlifError("yosys failed"), 2),
    ],
)
def test_exit_status_is_1_for_a_design_and_2_for_a_request(
    error: BitlifError, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def build(*args: object, **named: object) -> None:
        raise error

    monkeypatch.setattr(bitstream, "build_in", build)
    assert main(["build", "tiny", "--board", "hx8k", "--out", str(tmp_path / "out")]) == code
    assert capsys.readouterr() == ("", f"bitlif build: {error}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["tiny"], "a build needs CONFIG and --board, one of icebreaker, hx8k,"),
        (["--board", "hx8k"], "a build needs CONFIG and --board"),
        (["tiny", "--board", "hx9k"], "board must be one of icebreaker, .*, not 'hx9k'"),
        (
            ["digits-96", "--board", "hx8k", "--synapses", "4"],
            "--synapses must be 2 numbers, one per layer, as in 4,1, not '4'",
        ),
        (["tiny", "--board", "hx8k", "--lanes", "two"], "--lanes must be a number, not 'two'"),
        (
            ["digits-96", "--board", "hx8k", "--weights", "w.npz"],
            "--weights must not be given with a network, whose host loads them",
        ),
        (["tiny", "--board", "hx8k", "--seeds", "0"], "--seeds must be in 1 ..= 100, not 0"),
        (["tiny", "--board", "hx8k", "--baud", "300"], "--baud must be in 9600"),
        (["tiny", "--board", "hx8k", "--synapses", "0"], "--synapses must be in 1 ..= .*, not 0"),
        (
            ["tiny", "--board", "hx8k", "--products", "3"],
            "gates.products must be 0 or a multiple of layer.lanes = 2, at most 4, not 3",
        ),
        (["tiny", "--board", "hx8k", "--mhz", "0"], "--mhz must be 1 to 400, not 0"),
        (["tiny", "--board", "hx8k", "--mhz", "nan"], "--mhz must be 1 to 400, not nan"),
        (["tiny", "--board", "hx8k", "--weights", "none.npz"], "weights 'none.npz'"),
    ],
)
def test_wrong_requests_are_rejected_before_any_work(
    words: list[str], sentence: str, asked: list[BuildRequest],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert main(["build", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.match(f"bitlif build: {sentence}", err)
    assert err.count("\n") == 1
    assert asked == []


@pytest.mark.parametrize("name", ["../../../victim", "-h", "=1+1", "[/x]", "/etc/victim"])
def test_any_name_stays_in_the_folder(
    name: str, asked: list[BuildRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "a" / "b"
    home.mkdir(parents=True)
    monkeypatch.chdir(home)
    Path("own.toml").write_text(dump_config(Config.load("tiny").replace(name=name)))
    assert main(["build", "own.toml", "--board", "hx8k"]) == 0
    assert [own.config.name for own in asked] == [name]
    (made,) = (home / "out" / "build").iterdir()
    assert (made / "tiny-hx8k.bin").read_bytes() == b"bits"
    assert sorted(own.name for own in home.iterdir()) == ["out", "own.toml"]
    assert [own.name for own in tmp_path.iterdir()] == ["a"]


def test_earlier_folder_is_replaced_only_with_force(
    asked: list[BuildRequest], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["build", "tiny", "--board", "hx8k", "--out", str(tmp_path / "out")]
    assert main(call) == 0
    assert main(call) == 2
    assert "give --force to replace it" in capsys.readouterr().err
    assert main([*call, "--force"]) == 0


def test_list_names_every_board(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--list"]) == 0
    out = capsys.readouterr().out
    for name, board in BOARDS.items():
        assert name in out
        assert board.note.split(",")[0] in out
    assert main(["build", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == BOARDS.keys()


def test_programmer_gets_bitstream_and_failure_is_reported(
    asked: list[BuildRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    program = tmp_path / "bin" / "iceprog"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", str(program.parent))
    call = ["build", "tiny", "--board", "hx8k", "--program", "--out", str(tmp_path / "out")]
    assert main(call) == 2
    assert capsys.readouterr().err == (
        "bitlif build: --program needs iceprog, which is not on the PATH: install it\n"
    )
    assert asked == []
    said = tmp_path / "said"
    body = f"import sys; open({str(said)!r}, 'w').write(' '.join(sys.argv[1:])); sys.exit({{}})"
    for code in (0, 3):
        program.write_text(f"#!{sys.executable}\n{body.format(code)}\n")
        program.chmod(0o755)
        assert main([*call, "--force"]) == (1 if code else 0)
        assert said.read_text() == f"-S {tmp_path / 'out' / 'tiny-hx8k.bin'}"
    assert "iceprog failed (3)" in capsys.readouterr().err
    # A folder that begins like an option is none for the programmer.
    monkeypatch.chdir(tmp_path)
    assert main([*call[:-2], "--out=-x"]) == 1
    assert said.read_text() == f"-S {tmp_path / '-x' / 'tiny-hx8k.bin'}"
