"""``bitlif estimate``, ``bitlif fit`` and ``bitlif bench estimate`` at the command line."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path

import pytest

from bitlif.fpga import measure_area as sizing
from bitlif.fpga.boards import BOARDS
from bitlif.fpga.calibration import calibration_toml
from bitlif.fpga.estimate import calibration
from bitlif.fpga.measure_area import (
    MeasuredSize,
    hash_of,
    read_sizes,
    recorded_sizes,
    stamp_of,
    write_sizes,
)
from bitlif.fpga.samples import READY
from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.scripts.benchmarks.estimate import cases_of
from bitlif.scripts.main import main


def test_estimate_prints_every_board_and_its_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "digits"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name in BOARDS:
        assert f"│ {name}" in shown
    for family in ("ice40", "ice40hx", "ecp5"):
        shown_errors = (
            rf"{family}: median and worst error over \d+ configurations outside the fit: "
        )
        assert re.search(shown_errors + r"cells \d+\.\d % and \d+\.\d %, flip-flops \d", shown)


def test_estimate_as_json_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "digits", "--board", "ulx3s-85f", "--inference", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    (row,) = result["boards"]
    assert (result["config"], result["learning"]) == ("digits", False)
    assert row["fits"]
    cells = row["use"]["cells"]
    assert 0 < cells["core"] < cells["used"] < cells["available"]
    assert cells["error"]["configs"] >= 20
    assert row["speed"]["quiet_steps_per_s"] > row["speed"]["full_steps_per_s"]


def test_estimate_lists_the_memories_of_a_board(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = Config.load("digits").replace(layer__lanes=1, gates__single_port="all")
    (tmp_path / "own.toml").write_text(dump_config(config))
    words = ["estimate", str(tmp_path / "own.toml")]
    main([*words, "--board", "icebreaker", "--json"])
    (row,) = json.loads(capsys.readouterr().out)["boards"]
    memories = {own["memory"]: own for own in row["memories"]}
    assert memories["weights"] == {
        "memory": "weights", "rows": 650, "bits": 10, "copies": 1, "ports": "read or write",
        "kind": "large RAM", "blocks": 1,
    }  # fmt: skip
    assert memories["gradient"]["kind"] == "large RAM"
    assert row["use"]["large RAMs"]["used"] == 3
    main([*words, "--board", "icebreaker"])
    shown = capsys.readouterr().out
    assert re.search(r"weights +│ +650 x 10 │ +1 │ read or write │ large RAM +│ +1 ", shown)
    assert "3/4 (75 %)" in shown
    # Boards without large RAM have no number of it, and no list of memories in the table of all.
    main(words)
    (line,) = re.findall("│ ecp5-evn .*%.*\n", capsys.readouterr().out)
    assert re.search(r"│ +- │ (yes|no)", line)
    main(["fit", *words[1:], "--board", "icebreaker", "--vary", "lanes"])
    assert "large RAMs" in capsys.readouterr().out


def test_estimate_exits_with_1_where_the_layer_does_not_fit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["estimate", "digits", "--board", "hx8k"]) == 1
    assert "no" in capsys.readouterr().out
    # It has no speed there.
    assert main(["estimate", "digits"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│ hx8k")]
    assert rows[1].replace("│", "").split() == ["hx8k", "-", "-", "-", "-", "-"]
    assert main(["estimate", "digits", "--json"]) == 0
    for row in json.loads(capsys.readouterr().out)["boards"]:
        assert (row["speed"] is None) == (not row["fits"])
    # For all boards, the exit status is 0.
    assert main(["estimate", "digits"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["estimate", "digits", "--board", "icebraker"], "did you mean 'icebreaker'"),
        (["estimate", "nothing"], "nothing"),
        (["fit", "digits", "--board", "vax"], "board must be one of"),
        (["fit", "digits", "--board", "hx8k", "--vary", "bits"], "--vary must be some of inputs"),
        (["fit", "digits", "--board", "hx8k", "--margin", "-1"], "--margin must be 0 to 100"),
        (["fit", "digits", "--board", "hx8k", "--max-lanes", "0"], "--max-lanes must be"),
        (["bench", "estimate", "--configs", "-1"], "--configs must be"),
        (
            ["bench", "estimate", "--family", "ecp5", "--fit", "x"],
            "with --family ecp5",
        ),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_fit_prints_tables_and_margins(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "tiny", "--board", "icebreaker", "--max-inputs", "64", "--max-neurons", "16"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "most inputs" in shown
    assert "most neurons by number of inputs" in shown
    assert "with a margin of cells" in shown


def test_fit_as_json_holds_the_requested_search(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "tiny", "--board", "ulx3s-85f", "--vary", "lanes", "--margin", "0", "--json"]
    assert main(words) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["frontier"] == []
    (row,) = result["alone"]
    assert row["layer"] == {"inputs": 6, "neurons": 4, "lanes": 4}
    assert row["ends"] == "more than 4 not tried"
    assert set(result["margins"].values()) == {0.0}


def test_fit_exits_with_1_when_nothing_fits(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "digits", "--board", "hx8k", "--vary", "inputs", "--margin", "100"]
    assert main(words) == 1
    assert "none" in capsys.readouterr().out


def test_known_measurements_are_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(sizing, "measure", never)
    results = tmp_path / "sizes.json"
    words = ["bench", "estimate", "--family", "ecp5", "--configs", "1"]
    assert main([*words, "--results", str(results), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in shown["rows"]["ecp5"]] == [
        "tiny", "digits", "digits-4bit", "teacher", "sample-1"
    ]  # fmt: skip
    assert set(shown["families"]) == {"ecp5"}
    own = [row for row in recorded_sizes() if row.family == "ecp5"][:5]
    assert results.read_text("utf-8") == write_sizes(own)
    assert main([*words, "--results", str(results)]) == 0
    assert "median error" in capsys.readouterr().out


def test_fit_to_few_configurations_is_rejected(tmp_path: Path) -> None:
    words = ["bench", "estimate", "--configs", "1", "--fit", str(tmp_path / "made.toml")]
    assert main(words) == 2
    assert not (tmp_path / "made.toml").exists()


def test_results_of_other_families_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = recorded_sizes()[0]

    def measured(name: str, family: str, text: str, folder: Path) -> MeasuredSize:
        return dataclasses.replace(row, name=name, family=family, core_hash=hash_of(text))

    monkeypatch.setattr(sizing, "measure", measured)
    monkeypatch.setattr(sizing, "any_verilog", lambda config, *, learning: config.name)
    results = tmp_path / "sizes.json"
    words = ["bench", "estimate", "--configs", "0", "--results", str(results)]
    assert main([*words, "--family", "ecp5"]) == 0
    assert main([*words, "--family", "ice40"]) == 0
    found = {(row.name, row.family) for row in read_sizes(results.read_text("utf-8"))}
    assert found == {(name, family) for name in READY for family in ("ecp5", "ice40")}


def test_recorded_calibration_is_what_a_fit_writes() -> None:
    rows = recorded_sizes()
    text = calibration_toml(cases_of(rows), calibration()["clocks"], stamp_of(rows))
    assert tomllib.loads(text) == calibration()


def test_network_is_estimated_in_windows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "digits-96"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "│ ulx3s-85f" in shown
    assert "learned/s" in shown
    assert "no estimate of networks for tang-nano-9k, tang-nano-20k: not calibrated" in shown
    assert main(["estimate", "digits-96", "--board", "ulx3s-85f", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["boards"]
    memories = {own["memory"]: own for own in row["memories"]}
    assert memories["layer.0 derivatives of a window"]["rows"] == 64 * 24
    assert row["speed"]["learned"]["sparse"] > row["speed"]["run"]["sparse"]
    # It is too large for an iCEBreaker, and there is no estimate for a Tang Nano.
    assert main(["estimate", "digits-96", "--board", "icebreaker"]) == 1
    assert main(["estimate", "digits-96", "--board", "tang-nano-9k"]) == 2
    assert "family 'gowin' has no calibration for networks" in capsys.readouterr().err


def test_fit_finds_the_widths_and_sizes_of_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "digits-96", "--board", "orangecrab", "--max-inputs", "80"]
    assert main([*words, "--vary", "inputs,neurons", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    fastest = found["fastest"]["network"]
    assert fastest["sizes"] == "65-96-10"
    assert fastest["synapses"][0] > 4
    inputs, neurons = found["alone"]
    assert (inputs["vary"], neurons["vary"]) == ("inputs", "layer.0.neurons")
    assert inputs["network"]["sizes"] == "80-96-10"
    assert inputs["ends"] == "more than 80 not tried"
    assert int(neurons["network"]["sizes"].split("-")[1]) > 96
    assert main(["fit", "digits-96", "--board", "icebreaker", "--vary", "lanes"]) == 1
    assert "none" in capsys.readouterr().out
