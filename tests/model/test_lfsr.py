"""LFSRs: one bit stream, walked, jumped along and made in bulk, always the same bits."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bitlif.model import lfsr
from bitlif.model.config.config import Config
from bitlif.model.engine.compile import compiled
from bitlif.model.errors import BitlifError
from bitlif.model.lfsr import (
    Lfsr,
    LfsrConfig,
    extend_stream,
    lag_array,
    make_streams,
    read_bits,
    start_stream,
    stream_states,
)
from bitlif.model.polynomials import DEFAULT_TAPS, MERSENNE_PRIMES, distinct_taps

CRC32 = (32, 26, 23, 22, 16, 12, 11, 10, 8, 7, 5, 4, 2, 1)
SHAPES = [
    DEFAULT_TAPS[8],
    DEFAULT_TAPS[16],
    (16, 14, 13, 11),
    (16, 15, 13, 4),  # reaches one bit back only
    (17, 14),  # a trinomial
    (31, 28),
    DEFAULT_TAPS[32],
    CRC32,
    DEFAULT_TAPS[63],
    DEFAULT_TAPS[64],
    (64, 63, 61, 60),
]
"""Few and many terms, short and long reach, both ends of the widths."""


def naive_bits(taps: tuple[int, ...], seed: int, count: int) -> list[int]:
    """Return the stream by the contract's one line: b[n + width] = xor of b[n + e]."""
    width = taps[0]
    bits = [seed >> k & 1 for k in range(width)]
    while len(bits) < count:
        n = len(bits) - width
        bits.append(sum(bits[n + e] for e in (*taps[1:], 0)) % 2)
    return bits[:count]


def seed_of(taps: tuple[int, ...]) -> int:
    return 0x9E3779B97F4A7C15 % ((1 << taps[0]) - 1) + 1


# -- one LFSR --------------------------------------------------------------------------------


@pytest.mark.parametrize("width", range(8, 17))
def test_every_state_but_zero_comes_once_a_period(width: int) -> None:
    taps = DEFAULT_TAPS[width]
    period = (1 << width) - 1
    bits = naive_bits(taps, 1, period + width)
    weights = 1 << np.arange(width)
    windows = np.lib.stride_tricks.sliding_window_view(np.array(bits), width)
    states = windows @ weights
    assert np.bincount(states[:-1], minlength=1 << width).tolist() == [0] + [1] * period
    assert states[-1] == states[0]


@pytest.mark.parametrize("width", range(17, 65))
def test_order_of_the_register_is_the_whole_period(width: int) -> None:
    start = Lfsr(DEFAULT_TAPS[width], seed_of(DEFAULT_TAPS[width]))
    # `jump` reduces its argument by the period: half and half again must be a whole turn.
    half = start.period // 2
    assert start.jump(half).jump(start.period - half) == start
    for prime in MERSENNE_PRIMES[width]:
        assert start.jump(start.period // prime) != start


@pytest.mark.parametrize("taps", SHAPES)
def test_walk_is_the_recurrence_of_the_contract(taps: tuple[int, ...]) -> None:
    start = Lfsr(taps, seed_of(taps))
    bits = naive_bits(taps, start.state, 300 + taps[0])
    for n in range(0, 300, 7):
        state = sum(bit << k for k, bit in enumerate(bits[n : n + taps[0]]))
        assert start.leap(n).state == state
    assert start.leap(0) == start


@pytest.mark.parametrize("taps", SHAPES)
def test_jump_is_a_walk_forward_and_back(taps: tuple[int, ...]) -> None:
    start = Lfsr(taps, seed_of(taps))
    for distance in (0, 1, 2, taps[0], 100, 1000):
        there = start.leap(distance)
        assert start.jump(distance) == there
        assert there.jump(-distance) == start
        assert start.jump(-distance).leap(distance) == start
        assert start.jump(distance + start.period) == there
        assert start.jump(distance - 3 * start.period) == there


def test_far_jumps_add_up() -> None:
    start = Lfsr(DEFAULT_TAPS[64], 12345)
    a, b = 0x123456789ABCDEF, 0xFEDCBA987654321
    assert start.jump(a).jump(b) == start.jump(a + b) == start.jump(b).jump(a)
    assert start.jump(a).jump(-a) == start


@pytest.mark.parametrize("taps", SHAPES)
def test_packed_words_are_the_stream(taps: tuple[int, ...]) -> None:
    start = Lfsr(taps, seed_of(taps))
    bits = naive_bits(taps, start.state, 32 * 100)
    for count in (1, 3, 100):
        expected = np.packbits(np.array(bits[: 32 * count], np.uint8), bitorder="little")
        assert start.words(count).tobytes() == expected.tobytes()


def test_bits_are_read_at_any_position_and_width() -> None:
    start = Lfsr(DEFAULT_TAPS[32], 99)
    words = start.words(8)
    bits = naive_bits(start.taps, 99, 256)
    for position, width in itertools.product(range(190), (1, 8, 13, 31)):
        expected = sum(bit << k for k, bit in enumerate(bits[position : position + width]))
        assert read_bits(words, position, (1 << width) - 1) == expected


# -- lanes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lanes", [1, 2, 3, 7])
def test_phase_lanes_stand_a_part_of_the_period_apart(lanes: int) -> None:
    config = LfsrConfig(width=11, seed=77)
    sources = config.streams(lanes)
    first = Lfsr(DEFAULT_TAPS[11], 77)
    assert sources == tuple(first.leap(lane * (2047 // lanes)) for lane in range(lanes))
    assert len(set(sources)) == lanes


@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_polynomial_lanes_have_a_polynomial_each_and_one_seed(lanes: int) -> None:
    sources = LfsrConfig(width=20, seed=5, sharing="polynomial").streams(lanes)
    assert [source.taps for source in sources] == list(distinct_taps(20, lanes))
    assert {source.state for source in sources} == {5}


def test_shared_lanes_read_one_stream() -> None:
    assert LfsrConfig(seed=5, sharing="shared").streams(3) == (Lfsr(DEFAULT_TAPS[32], 5),) * 3


def test_given_taps_are_used() -> None:
    config = LfsrConfig(width=16, taps=(16, 14, 13, 11), seed=3)
    assert [source.taps for source in config.streams(2)] == [(16, 14, 13, 11)] * 2


def test_lanes_that_cannot_differ_are_refused() -> None:
    base = Config.load("tiny").replace(noise__words=1, layer__neurons=256)
    narrow = {"width": 8, "seed": 1}
    assert len(set(LfsrConfig(width=8).streams(255))) == 255
    with pytest.raises(
        BitlifError, match=r"^layer\.lanes must be at most 255, the period of .* width 8 .*not 256$"
    ):
        base.replace(layer__lanes=256, noise__lfsr=narrow)
    count = len(distinct_taps(8, 1000))
    message = (
        rf"^layer\.lanes must be at most {count}, the number of polynomials of width 8 when "
        rf"sharing is 'polynomial', not {count + 1}$"
    )
    for source in ("noise", "learning"):
        poly = {f"{source}__lfsr": {**narrow, "sharing": "polynomial"}}
        base.replace(layer__lanes=count, **poly)
        with pytest.raises(BitlifError, match=message):
            base.replace(layer__lanes=count + 1, **poly)


# -- streams in bulk -------------------------------------------------------------------------


def kernels(fast: bool) -> tuple[Callable[..., Any], ...]:
    names = ("fill_stream", "advance_stream", "advance_offset", "restart_streams")
    functions = tuple(getattr(lfsr, name) for name in names)
    return tuple(compiled(function) for function in functions) if fast else functions


def read_draws(words: Any, position: int, leap: int, reach: int, draws: int) -> list[int]:
    """Return whole draws, put together from reads of at most 31 bits."""
    values = []
    for k in range(draws):
        value = 0
        for low in range(0, reach, 24):
            size = min(24, reach - low)
            value |= read_bits(words, position + k * leap + low, (1 << size) - 1) << low
        values.append(value)
    return values


def assert_streams_are_serial(
    sources: list[Lfsr], leap: int, reach: int, fills: tuple[int, ...], *, fast: bool
) -> None:
    """Assert that fills of so many draws each give the bits of registers walked bit by bit."""
    fill, advance, advance_offset, restart = kernels(fast)
    start = compiled(start_stream) if fast else start_stream
    streams = make_streams(sources, leap, reach, max(fills), start)
    distinct = list(dict.fromkeys(sources))
    assert streams.buffer.shape[0] == len(distinct)
    width = sources[0].width
    for _ in range(2):
        here = list(distinct)
        assert stream_states(streams, width) == tuple(source.state for source in here)
        for draws in fills:
            for number in range(len(distinct)):
                position = fill(streams, number, draws)
                got = read_draws(streams.buffer[number], position, leap, reach, draws)
                expected = []
                for _ in range(draws):
                    expected.append(here[number].state & ((1 << reach) - 1))
                    here[number] = here[number].leap(leap)
                assert got == expected
                advance(streams, number, draws)
            advance_offset(streams, draws)
            assert stream_states(streams, width) == tuple(source.state for source in here)
        restart(streams)


FILLS = (5, 1, 0, 40, 7, 40)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("taps", SHAPES)
def test_streams_over_several_fills_are_serial_registers(taps: tuple[int, ...], fast: bool) -> None:
    reach = min(24, taps[0])
    assert_streams_are_serial([Lfsr(taps, seed_of(taps))], reach, reach, FILLS, fast=fast)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("leap", "reach"), [(1, 8), (7, 24), (32, 32), (64, 64), (200, 13)])
def test_streams_leap_less_and_more_than_they_read(leap: int, reach: int, fast: bool) -> None:
    taps = DEFAULT_TAPS[64]
    assert_streams_are_serial([Lfsr(taps, seed_of(taps))], leap, reach, FILLS, fast=fast)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("sharing", ["phase", "polynomial", "shared"])
def test_streams_of_several_lanes_are_serial_registers(sharing: str, fast: bool) -> None:
    sources = LfsrConfig(width=19, seed=4711, sharing=sharing).streams(3)
    assert_streams_are_serial(list(sources), 17, 16, FILLS, fast=fast)


def test_compiled_words_are_the_interpreted_ones() -> None:
    for taps in SHAPES:
        state = lfsr.split_state(seed_of(taps))
        both = []
        for start, extend in (
            (start_stream, extend_stream),
            (compiled(start_stream), compiled(extend_stream)),
        ):
            words = np.zeros(500, np.uint32)
            start(state, lag_array(taps), words[:200])
            extend(words, 200, 500, lag_array(taps))
            both.append(words)
        np.testing.assert_array_equal(*both)


def test_doubled_lags_make_the_same_stream() -> None:
    # p(x)^2 = p(x^2) over GF(2): what lets a run be long.
    taps = DEFAULT_TAPS[16]
    expected = Lfsr(taps, 1).words(400)
    for stretch in (2, 4):
        words = expected.copy()
        words[100:] = 0
        extend_stream(words, 100, 400, lag_array(taps) * stretch)
        np.testing.assert_array_equal(words, expected)


# -- configuration ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 7}, r"^width must be in 8 \.\.= 64, not 7$"),
        ({"width": 65}, r"^width must be in 8 \.\.= 64, not 65$"),
        ({"width": 16.0}, r"^width must be an integer in 8 \.\.= 64, not 16\.0$"),
        ({"seed": 0}, r"^seed must be in 1 \.\.= 4294967295, not 0$"),
        ({"width": 8, "seed": 256}, r"^seed must be in 1 \.\.= 255, not 256$"),
        ({"seed": True}, r"^seed must be an integer in 1 \.\.= 4294967295, not True$"),
        ({"leap": -1}, r"^leap must be in 0 \.\.= 65536, not -1$"),
        ({"leap": 65537}, r"^leap must be in 0 \.\.= 65536, not 65537$"),
        (
            {"sharing": "phases"},
            r"^sharing must be .* or 'shared', not 'phases', did you mean 'phase'\?$",
        ),
        ({"sharing": 1}, r"^sharing must be 'phase' or 'polynomial' or 'shared', not 1$"),
        ({"taps": [16, 14, 13, 11]}, r"^taps must be a list of integers, not \[16, 14, 13, 11\]$"),
        ({"taps": (32, 22.0, 2, 1)}, r"^taps must be a list of integers, not \(32, 22\.0, 2, 1\)$"),
        ({"taps": (32, True)}, r"^taps must be a list of integers, not \(32, True\)$"),
        ({"taps": 0}, r"^taps must be a list of integers, not 0$"),
        ({"taps": ""}, r"^taps must be a list of integers, not ''$"),
        ({"taps": []}, r"^taps must be a list of integers, not \[\]$"),
        ({"taps": {}}, r"^taps must be a list of integers, not \{\}$"),
        (
            {"taps": (31, 3)},
            r"^taps must descend from the width 32 to at least 1, not \[31, 3\]$",
        ),
        (
            {"taps": (32, 2, 22, 1)},
            r"^taps must descend from the width 32 to at least 1, not \[32, 2, 22, 1\]$",
        ),
        (
            {"taps": (32, 22, 22, 1)},
            r"^taps must descend from the width 32 to at least 1, not \[32, 22, 22, 1\]$",
        ),
        (
            {"taps": (32, 22, 2, 0)},
            r"^taps must descend from the width 32 to at least 1, not \[32, 22, 2, 0\]$",
        ),
        (
            {"taps": (32,)},
            r"^taps must be of a primitive .*, not \[32\]; \[32, 16, 13, 3\] is one$",
        ),
        (
            {"taps": (32, 22, 2, 1), "sharing": "polynomial"},
            r"^taps must be left out when sharing is 'polynomial', not \[32, 22, 2, 1\]$",
        ),
    ],
)
def test_bad_source_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        LfsrConfig(**fields)
