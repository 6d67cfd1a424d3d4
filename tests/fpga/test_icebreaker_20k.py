"""The ready-made layer of 20,480 synapses that learns on an iCEBreaker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import bitlif.sim
from bitlif.fpga.boards import BOARDS
from bitlif.fpga.estimate import estimate
from bitlif.fpga.families import FAMILIES, LARGE
from bitlif.fpga.memory_table import memory_rows
from bitlif.fpga.synthesis import place, synthesise
from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.labels import label_targets

from agreement import run_both

CONFIG = Config.load("icebreaker-20k")
FEW_STEPS = CONFIG.replace(window__steps=3)
"""Windows short enough to simulate; the gates differ in nothing but a counter."""
CLASSES = CONFIG.layer.neurons


def test_it_fits_an_icebreaker_with_weights_and_gradient_in_large_ram() -> None:
    assert CONFIG.layer.inputs * CONFIG.layer.neurons == 20_480
    large = {row.memory: row.blocks for row in memory_rows(CONFIG, "ice40") if "large" in row.kind}
    assert large == {"weights": 1, "gradient": 3}
    board = BOARDS["icebreaker"]
    total = estimate(CONFIG, board.family).total
    assert total[LARGE] == board.limit(LARGE) == 4
    assert all(used <= board.limit(kind) for kind, used in total.items())
    # Without large RAM, the gradient alone is larger than all block RAM.
    plain = estimate(CONFIG.replace(gates__single_port="none"), board.family).total
    assert plain["block RAMs"] > 5 * board.limit("block RAMs")


def test_it_learns_a_class_per_neuron() -> None:
    random = np.random.default_rng(3)
    often = random.random((CLASSES, CONFIG.layer.inputs)) < 0.15

    def shown(labels: np.ndarray) -> Events:
        chances = np.where(often[labels], 0.4, 0.02)[:, None, :]
        shape = (len(labels), CONFIG.window.steps, CONFIG.layer.inputs)
        return Events.from_raster(random.random(shape) < chances)

    with bitlif.sim.open(CONFIG) as core:
        labels = random.permutation(np.repeat(np.arange(CLASSES), 2))
        core.learn(shown(labels), label_targets(labels, CLASSES, 0.5))
        counts = core.run(shown(np.arange(CLASSES))).counts
    assert (counts.argmax(axis=1) == np.arange(CLASSES)).mean() > 0.95


def test_its_gates_learn_as_the_model() -> None:
    with bitlif.sim.open(FEW_STEPS, "rtl") as core:
        run_both(core, seed=4, windows=2)


@pytest.mark.long
def test_its_netlist_learns_as_the_model() -> None:
    with bitlif.sim.open(FEW_STEPS, "netlist:ice40") as core:
        run_both(core, seed=4, windows=2)


@pytest.mark.long
def test_it_is_placed_on_a_up5k(tmp_path: Path) -> None:
    family = FAMILIES["ice40"]
    cells = synthesise(CONFIG, family, tmp_path)
    assert cells["SB_SPRAM256KA"] == 4
    assert place(tmp_path, family, 1).mhz > 30
