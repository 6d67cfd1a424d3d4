"""The nightly run, `make test-long`: more configurations, longer windows, both simulators."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitlif.model.config import Config
from bitlif.sim.cosim import run_cosim
from bitlif.sim.floatcheck import float_distances
from bitlif.sim.judge import judge
from bitlif.sim.stimulus import random_work

from strategies import random_configs

pytestmark = pytest.mark.long

CONFIGS = 100
BEFORE = 20
"""Those of `make test`."""
WINDOWS = 30
VALUES = 1_000_000
READY_MADE = {"tiny": 50, "digits": 5, "digits-4bit": 3, "teacher": 2}


def check(config: Config, seed: int, windows: int, folder: Path, simulator: str) -> int:
    """Return how many values were compared, all of which agreed."""
    work = random_work(config, seed, windows, stall=0.3 * (seed % 3 == 1))
    core = run_cosim(work, folder, simulator=simulator)
    verdict = judge(work, core)
    assert verdict.agrees, (seed, config, verdict.first)
    assert not any(distance.beyond for distance in float_distances(work, core).values())
    return verdict.values


def test_random_configurations_agree_in_every_value(tmp_path: Path) -> None:
    values = 0
    for number, config in enumerate(random_configs(BEFORE + CONFIGS)[BEFORE:]):
        simulator = "verilator" if number % 10 == 9 else "icarus"
        values += check(config, number, WINDOWS, tmp_path / str(number), simulator)
    assert values >= VALUES


def test_a_larger_layer_agrees(tmp_path: Path) -> None:
    config = Config.load("digits").replace(
        name="large", layer__inputs=200, layer__neurons=130, layer__lanes=16, window__steps=12
    )
    assert check(config, 0, 3, tmp_path, "verilator") > 100_000


@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
@pytest.mark.parametrize("name", READY_MADE)
def test_ready_made_configurations_agree(name: str, simulator: str, tmp_path: Path) -> None:
    check(Config.load(name), 0, READY_MADE[name], tmp_path, simulator)
    check(Config.load(name), 1, 1, tmp_path, simulator)
