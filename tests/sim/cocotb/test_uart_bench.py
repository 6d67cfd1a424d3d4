"""UART bridges with the UART model of ``cocotbext-uart`` at the other end of the line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_network import small_work

import bitlif
from bitlif.model.config.config import Config
from bitlif.sim.cocotb.uart import run_uart
from bitlif.tasks.stimulus import random_work

from agreement import require_contents

TINY = Config.load("tiny")


# Rows of three slots leave addresses without a weight between them.
WIDE = {"synapses": 3, "products": 2, "single_port": "all"}


@pytest.mark.parametrize(
    ("simulator", "skew", "learning", "lanes", "gates"),
    [
        ("icarus", 0.02, True, 3, {}),
        ("verilator", -0.02, False, 3, {}),
        ("icarus", 0.02, True, 1, WIDE),
    ],
    ids=["learning", "inference", "wide rows"],
)
def test_learning_over_serial_line_matches_model(
    simulator: str, skew: float, learning: bool, lanes: int, gates: dict[str, Any], tmp_path: Path
) -> None:
    # Three lanes for five neurons leave one lane of the last slot empty. Targets have two bytes.
    config = TINY.replace(layer__neurons=5, layer__lanes=lanes, error__target_bits=9, gates=gates)
    work = dataclasses.replace(random_work(config, seed=11, windows=1), learning=learning)
    found = run_uart(work, tmp_path, simulator=simulator, divisor=10, skew=skew)
    with bitlif.open(config, learning=learning) as model:
        model.load(work.weights)
        out = model.run(work.events, work.targets if learning else None, learn=learning)
        np.testing.assert_array_equal(found.raster, out.raster)
        require_contents(found, model)
    assert out.raster.any()
    assert learning == bool((found.weights != work.weights).any())


@pytest.mark.long
@pytest.mark.parametrize(
    ("simulator", "skew", "learns"),
    [("icarus", -0.02, True), ("verilator", 0.02, True), ("icarus", 0.02, False)],
)
def test_network_over_serial_line_matches_model(
    simulator: str, skew: float, learns: bool, tmp_path: Path
) -> None:
    work = dataclasses.replace(small_work(windows=1), learns=learns)
    found = run_uart(work, tmp_path, simulator=simulator, divisor=10, skew=skew)
    with bitlif.open(work.network, learning=learns) as model:
        model.load(work.weights)
        out = model.run(work.events, work.targets if learns else None, learn=learns)
        np.testing.assert_array_equal(found.raster, out.raster)
        require_contents(found, model)
    assert out.raster.any()
    for before, after in zip(work.weights, found.weights, strict=True):
        assert learns == bool((before != after).any())
