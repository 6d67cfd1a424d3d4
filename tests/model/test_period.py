"""Periods of random draws by walking them, and sources that are refused because they are constant.

Everything here is found by walking the registers bit by bit, as `tests/reference.py` does.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.schema import to_plain
from bitlif.model.errors import BitlifError
from bitlif.model.layer import Layer
from bitlif.model.lfsr import Lfsr, LfsrConfig
from bitlif.model.noise import NoiseConfig
from bitlif.model.period import Periods, constant_lane, draw_period, periods
from bitlif.scripts.main import main

from reference import Tap, centred

TINY = Config.load("tiny")


def walked(source: Lfsr, leap: int, bits: int, count: int) -> list[int]:
    tap = Tap(source, leap)
    return [tap.take(bits) for _ in range(count)]


@pytest.mark.parametrize("leap", [1, 3, 8, 34, 51, 85, 102, 119, 170, 254, 255, 256, 510])
def test_period_is_that_of_the_walked_states(leap: int) -> None:
    states = walked(Lfsr((8, 4, 3, 2), 1), leap, 8, 256)
    period = next(n for n in range(1, 256) if states[n] == states[0])
    assert draw_period(leap, 255) == period
    # Whatever the start: no state of a maximal LFSR is on a shorter way.
    assert states[period:] == states[:-period]


def test_periods_are_those_of_lane_neuron_and_synapse() -> None:
    config = TINY.replace(
        layer={"inputs": 5, "neurons": 6, "lanes": 2},
        noise={"words": 2, "lfsr": {"width": 16, "leap": 17}},
        learning={"random_bits": 4, "lfsr": {"width": 12, "leap": 7}},
    )
    noise, update = (next(iter(s.streams(2))) for s in (config.noise.lfsr, config.learning.lfsr))
    found = periods(config)
    assert found == Periods(65535, 65535 // 17, 65535 // 51, 4095 // 7, 4095 // 105)
    for source, stride, period in (
        (noise, 17, found.noise_draws),
        (noise, 17 * 3, found.neuron_steps),
        (update, 7, found.update_draws),
        (update, 7 * 3 * 5, found.synapse_windows),
    ):
        states = walked(source, stride, source.width, period + 1)
        assert states.index(states[0], 1) == period
    assert periods(config.replace(learning__random_bits=0))[3:] == (0, 0)


@pytest.mark.parametrize("width", [8, 9, 10, 12])
@pytest.mark.parametrize(
    "noise",
    [
        {"kind": "sum", "words": 1, "word_bits": 1},
        {"kind": "sum", "words": 2, "word_bits": 2},
        {"kind": "popcount", "words": 2, "word_bits": 1},
        {"kind": "popcount", "words": 3, "word_bits": 2},
        {"kind": "inverse_cdf", "words": 1, "word_bits": 5, "level_bits": 4},
    ],
    ids=lambda noise: f"{noise['kind']}{noise['words']}x{noise['word_bits']}",
)
def test_constant_lanes_are_found_exactly(width: int, noise: dict[str, Any]) -> None:
    period = (1 << width) - 1
    factors = [n for n in range(1, period + 1) if period % n == 0]
    leaps = {leap for leap in factors if leap > 1} | {3, 2 * factors[-2]}
    constant = 0
    for leap, seed in itertools.product(sorted(leaps), (1, 2, 77, period)):
        source = NoiseConfig(**noise, overlap=True, lfsr=LfsrConfig(width=width, seed=seed))
        (stream,) = source.lfsr.streams(1)
        turn = draw_period(leap, period)
        words = walked(stream, leap, source.draw_bits, turn)
        same = len({centred(source, word) for word in words}) == 1
        assert (constant_lane(source.lfsr, leap, 1, source) == 0) is same, (leap, seed)
        raw = len(set(words)) == 1
        assert (constant_lane(source.lfsr, leap, 1, source.draw_bits) == 0) is raw, (leap, seed)
        constant += same
    # A leap of the whole period gives constant draws with every seed.
    assert constant >= 4


def test_source_can_be_constant_although_its_register_changes() -> None:
    # x^85 generates the field of four elements, in which all one-bit draws can be equal.
    found = set()
    for seed in range(1, 256):
        source = NoiseConfig(words=1, word_bits=1, lfsr=LfsrConfig(width=8, seed=seed, leap=85))
        words = walked(next(iter(source.lfsr.streams(1))), 85, 1, 3)
        if len(set(words)) == 1:
            found.add(seed)
            with pytest.raises(BitlifError, match=r"not 85: all draws of lane 0 would be equal$"):
                Config(noise=source)
        else:
            Config(noise=source)
    assert 0 < len(found) < 255


def lane_0(section: str, leap: int) -> tuple[str, ...]:
    return (f"{section}.lfsr.leap must", f"not {leap}", "lane 0")


CONSTANT: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "noise, the whole period": (
        {"noise__lfsr": {"width": 16, "leap": 65535}},
        lane_0("noise", 65535),
    ),
    "noise, polynomial sharing": (
        {"noise__lfsr": {"width": 16, "leap": 65535, "sharing": "polynomial"}},
        lane_0("noise", 65535),
    ),
    "noise, shared": (
        {"noise__words": 1, "noise__lfsr": {"width": 8, "leap": 1020, "sharing": "shared"}},
        lane_0("noise", 1020),
    ),
    "update": (
        {"learning__lfsr": {"width": 12, "leap": 4095}},
        lane_0("learning", 4095),
    ),
    "neuron": (
        {
            "layer": {"inputs": 6, "neurons": 15, "lanes": 1},
            "noise": {"words": 1, "word_bits": 8, "lfsr": {"width": 8, "leap": 17}},
        },
        ("noise.lfsr.leap * slots must not", "period 255", "17 * 15", "neuron"),
    ),
    "synapse": (
        {
            "layer": {"inputs": 17, "neurons": 6, "lanes": 2},
            "learning": {"random_bits": 4, "lfsr": {"width": 8, "leap": 5}},
        },
        ("learning.lfsr.leap * slots * inputs must not", "period 255", "5 * 3 * 17", "synapse"),
    ),
}


@pytest.mark.parametrize("case", CONSTANT)
def test_constant_source_is_refused(case: str) -> None:
    changes, facts = CONSTANT[case]
    with pytest.raises(BitlifError) as caught:
        TINY.replace(**changes)
    for fact in facts:
        assert fact in str(caught.value)
    assert len(str(caught.value)) < 200


def test_error_names_the_constant_lane() -> None:
    lanes: set[int] = set()
    for seed in range(1, 256):
        lfsr = LfsrConfig(width=8, seed=seed, leap=85, sharing="polynomial")
        streams = [walked(source, 85, 1, 3) for source in lfsr.streams(3)]
        constant = [lane for lane, words in enumerate(streams) if len(set(words)) == 1]
        noise = {"words": 1, "word_bits": 1, "lfsr": to_plain(lfsr)}
        changes = {"layer__lanes": 3, "noise": noise}
        if constant:
            with pytest.raises(BitlifError, match=rf"\blane {constant[0]}\b"):
                TINY.replace(**changes)
            lanes.add(constant[0])
        else:
            TINY.replace(**changes)
    assert lanes == {0, 1, 2}


def test_cleared_stream_may_repeat_per_synapse() -> None:
    changes, _ = CONSTANT["synapse"]
    config = TINY.replace(**changes, window__lfsr="clear")
    assert Layer(config).weights.shape == (17, 6)
    # Without random bits, nothing is drawn.
    assert TINY.replace(**changes, learning__random_bits=0).learning.random_bits == 0


def test_every_command_refuses_a_constant_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "constant.toml", tmp_path / "out.v"
    file.write_text("[noise]\nwords = 2\nlfsr = { width = 16, leap = 65535 }\n", "utf-8")
    for command in (
        ["noise", str(file)],
        ["config", "validate", str(file)],
        ["golden", str(file), "-o", str(out)],
        ["verilog", str(file), "--out", str(out)],
        ["crosscheck", str(file)],
        ["learn", str(file), "--out", str(out)],
    ):
        assert main(command) in (1, 2)
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "noise.lfsr.leap must" in captured.err
        assert "not 65535" in captured.err
        assert not out.exists()
