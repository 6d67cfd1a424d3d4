"""The gates agree with the model on the conformance set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bitlif.scripts.main import main
from bitlif.sim.cocotb.cosim import run_cosim
from bitlif.sim.compare.compare import compare_run
from bitlif.sim.compare.conformance import conformance_works
from bitlif.sim.compare.expected import compute_expected

WORKS = dict(conformance_works())


@pytest.mark.parametrize("name", WORKS)
def test_gates_agree_on_every_configuration(name: str, tmp_path: Path) -> None:
    work = WORKS[name]
    core = run_cosim(work, tmp_path, simulator="icarus")
    verdict = compare_run(work, core, compute_expected(work, interpreted=True))
    assert verdict.agrees, verdict.first
    assert verdict.compared["spike"] == core.raster.size


def test_crosscheck_runs_the_whole_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crosscheck", "--conformance", "--backends", "model,float", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["agree"]
    assert set(report["configs"]) == set(WORKS)
    bounded = [name for name, own in report["configs"].items() if own["float"]]
    assert len(bounded) > 5


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "crosscheck needs either a CONFIG or --conformance"),
        (["tiny", "--conformance"], "needs either a CONFIG or --conformance"),
        (["--conformance", "--windows", "4"], "--windows cannot be used with --conformance"),
        (["--conformance", "--inject", "lfsr-taps"], "--inject cannot be used with --conformance"),
        (["--conformance", "--backends", "model,serial:x"], "a board holds one configuration"),
    ],
)
def test_options_that_do_not_go_with_the_set(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crosscheck", *arguments]) == 2
    assert text in capsys.readouterr().err
