"""``bitlif selftest``, and the other commands on a board."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from network_faults import faulty_network

from bitlif import Config
from bitlif.scripts.main import main
from bitlif.sim.compiled.board_sim import SimulatedBoard
from bitlif.sim.compiled.pseudo_terminal import LineNoise, PseudoTerminal

from uart_board import Board, Layer, Terminal

TINY = Config.load("tiny")


def test_selftest_of_a_board_that_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal(Board(Layer(TINY))) as board:
        call = ["selftest", "tiny", "--port", board.path, "--windows", "5", "--seed", "3"]
        assert main(call) == 0
        assert main([*call, "--json"]) == 0
    text, report = capsys.readouterr().out.split("all agree\n")
    assert "weights, learned" in text
    told = json.loads(report)
    assert told["agree"] is True
    assert told["compared"]["raster"] == 5 * 16 * 4
    assert told["compared"]["counters"] == 8
    assert not any(told["mismatches"].values())
    assert told["frames"] > 50
    assert told["bad answers"] == 0


def test_board_of_a_ready_made_configuration_is_recognised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Terminal(Board(Layer(TINY.replace(layer__lanes=3)))) as board:
        assert main(["selftest", "--port", board.path, "--windows", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["config"] == "tiny"
    with Terminal(Board(Layer(TINY.replace(membrane__threshold=0.5)))) as board:
        assert main(["selftest", "--port", board.path]) == 2
    assert re.search(
        r"CONFIG must be given: .* was built from .*[0-9a-f]{16}, .*digits",
        capsys.readouterr().err,
    )


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("spike", r"raster, window 0, step 2, neuron \d: \d on the board, \d in the model"),
        ("weight", r"weights, learned, input 5, neuron 3: -?\d+ on the board, -?\d+ in"),
    ],
)
def test_selftest_names_the_first_difference(
    wrong: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    layer = Layer(TINY)
    step = layer.step

    def faulty() -> list[int]:
        windows, number = layer.windows, len(layer.steps) - 2
        *spikes, end = step()
        if wrong == "spike" and number == 2:
            spikes = [n for n in range(4) if n not in spikes]
        elif wrong == "weight" and layer.windows > windows:
            last = layer.loaded["weights"][-1]
            layer.loaded["weights"][-1] = last - 1 if last > -32 else last + 1
        return [*spikes, end]

    layer.step = faulty  # type: ignore[method-assign]
    with Terminal(Board(layer)) as board:
        assert main(["selftest", "tiny", "--port", board.path, "--windows", "1"]) == 1
    said = capsys.readouterr().out
    assert "MISMATCH" in said
    (line,) = [line for line in said.splitlines() if line.startswith("first difference: ")]
    assert re.search(text, line), line


@pytest.mark.parametrize("chance", [0.0, 2e-4])
def test_selftest_of_gates(chance: float, capsys: pytest.CaptureFixture[str]) -> None:
    noise = LineNoise(flip=chance, drop=chance, repeat=chance, seed=3)
    with PseudoTerminal(SimulatedBoard(TINY), noise) as board:
        assert main(["selftest", "tiny", "--port", board.path, "--windows", "4", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    # A busy machine may be slow to answer: that is no noise, but repeated too.
    assert told["resent"] > 0 or not chance


def test_selftest_needs_no_amaranth() -> None:
    code = """
import sys
sys.modules["amaranth"] = None
from bitlif.scripts.main import main
sys.exit(main(["selftest", "tiny", "--port", sys.argv[1], "--windows", "1"]))
"""
    with Terminal(Board(Layer(TINY))) as board:
        command = [sys.executable, "-c", code, board.path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_wrong_requests_are_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    for words, text in (
        (["--port", "/dev/nowhere"], "the serial port '/dev/nowhere' cannot be opened"),
        (["--port", "/dev/nowhere", "--baud", "0"], "--baud must be in 1"),
        (["--port", "/dev/nowhere", "--windows", "0"], "--windows must be in 1"),
    ):
        assert main(["selftest", "tiny", *words]) == 2
        said = capsys.readouterr().err
        assert text in said
        assert said.count("\n") == 1
    call = ["crosscheck", "tiny", "--backends", "model,serial:x", "--inject", "threshold-greater"]
    assert main(call) == 2
    assert "--inject cannot be used with serial:x" in capsys.readouterr().err


def test_commands_learn_run_and_crosscheck_on_a_board(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {}
    with Terminal(Board(Layer(TINY.seeded(0)))) as board:
        for name, backend in (("model", "model"), ("board", f"serial:{board.path}")):
            out = str(tmp_path / name)
            call = ["learn", "tiny", "--backend", backend, "--epochs", "3", "--out", out]
            assert main([*call, "--json"]) == 0
            told[name] = json.loads(capsys.readouterr().out)
            call = ["run", f"{out}/config.toml", "--weights", f"{out}/weights.npz"]
            call += ["--spikes", f"{out}/spikes.npz", "--backend", backend]
            assert main([*call, "--json"]) == 0
            told[name] |= json.loads(capsys.readouterr().out)
        call = ["crosscheck", f"{tmp_path / 'board'}/config.toml", "--windows", "3", "--json"]
        assert main([*call, "--backends", f"model,serial:{board.path}"]) == 0
        checked = json.loads(capsys.readouterr().out)
        assert main([*call[:-1], "--backends", f"serial:{board.path},model"]) == 0
    assert checked["by"][f"serial:{board.path}"]["clocks"] is None
    own = {"backend", "seconds", "learning_steps_per_second", "neuron_steps_per_second", "written"}
    for key in set(told["model"]) - own:
        assert told["model"][key] == told["board"][key], key
    assert "clocks" not in told["board"]
    assert len(told["board"]["signature"]) == 8


@pytest.mark.parametrize("learning", [True, False])
def test_selftest_of_a_network_in_gates(
    learning: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = faulty_network("window")
    network.save(tmp_path / "net.toml")
    call = ["selftest", str(tmp_path / "net.toml"), "--windows", "2"]
    call += [] if learning else ["--inference"]
    with PseudoTerminal(SimulatedBoard(network, learning=learning)) as board:
        assert main([*call, "--port", board.path, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["agree"] is True
    assert told["learning"] is learning
    sizes = [own.config.layer for own in network.layers]
    for number, own in enumerate(sizes):
        assert told["compared"][f"layer.{number}: weights, learned"] == own.inputs * own.neurons
        assert told["compared"][f"layer.{number}: membrane"] == own.neurons
    assert told["compared"]["raster"] == 2 * network.outer.window.steps * sizes[-1].neurons
