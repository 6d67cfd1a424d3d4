"""The random bits of the backward sweep: counts and periods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bitlif.model.config.network import NetworkConfig
from bitlif.model.network import Network
from bitlif.model.noise_report.sweep import describe_sweep
from bitlif.tasks.stimulus import random_work

NETWORK = NetworkConfig.load(Path(__file__).parents[2] / "golden" / "network" / "config.toml")


def test_draws_of_a_hidden_layer_are_three_per_slot() -> None:
    found = describe_sweep(NETWORK, 0)
    # Five neurons in two lanes: three slots, of which one lane has an empty one.
    assert found["draws_per_step"] == 9
    assert found["draws_per_window"] == 90
    assert found["period_draws"] == found["period_steps"] == 2**29 - 1
    assert found["windows_before_repeat"] == (2**29 - 1) // 10
    assert found["remarks"] == []
    assert describe_sweep(NETWORK, 1)["draws_per_step"] == 6


def test_layers_without_draws_say_so() -> None:
    assert describe_sweep(NETWORK, 2) == {"rounding": "toward_zero", "learned": True}
    fixed = NETWORK.replace(layer__0__sweep__feedback="none")
    assert describe_sweep(fixed, 0) == {"rounding": "stochastic", "learned": False}


def test_short_periods_are_remarked() -> None:
    short = NETWORK.replace(
        window__lfsr="clear", layer__0__sweep__lfsr__width=8, layer__0__sweep__lfsr__seed=3,
        layer__0__sweep__lfsr__leap=17, layer__0__sweep__random_bits=6,
    )  # fmt: skip
    found = describe_sweep(short, 0)
    # 9 draws of 17 bits: 153 = 3 * 51 positions of the 255.
    assert (found["period_draws"], found["period_steps"]) == (15, 5)
    assert found["windows_before_repeat"] == 0
    clear, wide = found["remarks"]
    assert "window.lfsr is 'clear'" in clear
    assert "5 of the 10 steps" in wide
    assert "sweep.lfsr" in wide


def test_number_of_draws_is_that_of_the_model() -> None:
    network = Network(NETWORK, interpreted=True)
    inputs = NETWORK.outer
    work = random_work(inputs, 0, 1)
    targets: Any = work.targets
    before = network.sweep_lfsr()
    network.learn(work.events, targets)
    after = network.sweep_lfsr()
    for number in (0, 1):
        found = describe_sweep(NETWORK, number)
        own = NETWORK.layers[number]
        lfsrs = own.sweep.lfsr.registers(own.config.layer.lanes)[0]
        for lfsr, first, last in zip(lfsrs, before[number], after[number], strict=True):
            assert lfsr.state == first
            assert lfsr.jump(found["draws_per_window"] * found["leap"]).state == last
    assert before[2] == after[2]
