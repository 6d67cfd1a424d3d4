"""Noise: every source's distribution is known exactly, and the engine draws from it."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bitlif.model.engine.compile import compiled
from bitlif.model.errors import BitlifError
from bitlif.model.lfsr import Lfsr, LfsrConfig, lag_array, split_state, start_stream
from bitlif.model.noise import NoiseConfig, Pmf, draw_noise, gaussian_quantile, quantile_table
from bitlif.model.polynomials import DEFAULT_TAPS


def naive_draw(noise: NoiseConfig, word: int) -> int:
    """Return the draw that a word of bits makes, as the contract defines it."""
    if noise.kind == "inverse_cdf":
        return quantile_table(noise.word_bits, noise.level_bits)[word]
    if noise.kind == "popcount":
        return 2 * word.bit_count() - noise.draw_bits
    mask = (1 << noise.word_bits) - 1
    total = sum((word >> (k * noise.word_bits)) & mask for k in range(noise.words))
    return 2 * total - noise.words * mask


def packed(taps: tuple[int, ...], seed: int, bits: int) -> Any:
    """Return at least so many bits of a stream, and what reading beyond the last draw needs."""
    words = np.zeros(bits // 32 + taps[0] + 4, np.uint32)
    compiled(start_stream)(split_state(seed), lag_array(taps), words)
    return words


def draw(noise: NoiseConfig, words: Any, count: int, *, position: int = 0) -> Any:
    """Return draws of the compiled engine."""
    shape = (noise.words, noise.word_bits)
    if noise.kind == "popcount":
        shape = (noise.draw_bits, 1)
    out = np.zeros(count, np.int64)
    compiled(draw_noise)(words, position, noise.leap, shape, noise.quantiles, out)
    return out


SMALL = [
    NoiseConfig(kind="sum", words=words, word_bits=bits)
    for words, bits in ((1, 1), (1, 8), (2, 5), (3, 4), (4, 3), (5, 2), (11, 1), (2, 6))
] + [
    NoiseConfig(kind="popcount", words=words, word_bits=bits)
    for words, bits in ((1, 1), (1, 7), (3, 4), (12, 1))
] + [
    NoiseConfig(kind="inverse_cdf", words=1, word_bits=bits, level_bits=levels)
    for bits, levels in ((2, 4), (5, 8), (8, 4), (10, 12), (12, 16))
]  # fmt: skip


def label(noise: NoiseConfig) -> str:
    return f"{noise.kind}-{noise.words}x{noise.word_bits}"


# -- the distribution ------------------------------------------------------------------------


@pytest.mark.parametrize("noise", SMALL, ids=label)
def test_pmf_is_the_count_over_all_words(noise: NoiseConfig) -> None:
    tally = Counter(naive_draw(noise, word) for word in range(1 << noise.draw_bits))
    pmf = noise.pmf
    assert dict(zip(pmf.levels, pmf.counts, strict=True)) == tally
    assert list(pmf.levels) == sorted(tally)
    assert pmf.total == 1 << noise.draw_bits


@pytest.mark.parametrize("noise", SMALL, ids=label)
def test_pmf_is_symmetric_and_moments_match_its_counts(noise: NoiseConfig) -> None:
    pmf = noise.pmf
    assert pmf.levels == tuple(-level for level in reversed(pmf.levels))
    assert pmf.counts == pmf.counts[::-1]
    draws = [Fraction(naive_draw(noise, word)) for word in range(1 << noise.draw_bits)]
    for order in range(5):
        assert pmf.moment(order) == sum(x**order for x in draws) / len(draws)
    # Forty digits, the last one rounded: the square is off by less than 1e-38 of itself.
    variance = pmf.moment(2)
    assert abs(Fraction(pmf.sigma) ** 2 - variance) < variance / 10**38
    # Three float operations of a relative 2**-53 each, on numbers up to 32.
    assert abs(pmf.cutoff - pmf.levels[-1] / math.sqrt(variance)) < 32 * 4 * 2.0**-53
    assert abs(pmf.kurtosis - (pmf.moment(4) / variance**2 - 3)) < 32 * 4 * 2.0**-53


@pytest.mark.parametrize(("words", "bits"), [(4, 8), (8, 8), (2, 12), (64, 1), (4, 16), (1, 16)])
def test_moments_of_large_sums_match_uniform_words(words: int, bits: int) -> None:
    pmf = NoiseConfig(words=words, word_bits=bits, lfsr=LfsrConfig(width=64)).pmf
    assert pmf.total == 1 << (words * bits)
    # A word doubled and centred is uniform on n values two apart: variance (n^2 - 1) / 3, fourth
    # cumulant -2 (n^4 - 1) / 15. Cumulants of independent words add up.
    n = 1 << bits
    variance = words * Fraction(n**2 - 1, 3)
    assert pmf.moment(1) == pmf.moment(3) == 0
    assert pmf.moment(2) == variance
    assert pmf.moment(4) == 3 * variance**2 - words * Fraction(2 * (n**4 - 1), 15)


def test_pmf_counts_match_convolutions_and_binomials() -> None:
    counts = np.ones(1, object)
    for _ in range(4):
        counts = np.convolve(counts, np.ones(256, object))
    assert NoiseConfig(words=4, word_bits=8).pmf.counts == tuple(counts)
    popcount = NoiseConfig(kind="popcount", words=4, word_bits=8).pmf
    assert popcount.counts == tuple(math.comb(32, k) for k in range(33))
    assert popcount.levels == tuple(range(-32, 33, 2))


def test_four_bytes_reach_as_far_as_the_contract_says() -> None:
    pmf = NoiseConfig(words=4, word_bits=8).pmf
    assert (round(pmf.cutoff, 2), round(pmf.kurtosis, 2)) == (3.45, -0.30)


@pytest.mark.parametrize("noise", SMALL, ids=label)
def test_probability_above_spreads_each_level_over_its_cell(noise: NoiseConfig) -> None:
    pmf = noise.pmf
    knots, cumulative = pmf.knots_in_sigma(), pmf.cumulative()
    assert len(knots) == len(cumulative) == len(pmf.levels) + 1
    assert (np.diff(knots) > 0).all()
    assert (cumulative[0], cumulative[-1]) == (0.0, 1.0)
    sigma = float(pmf.sigma)
    for k in range(len(pmf.levels) - 1):
        middle = (pmf.levels[k] + pmf.levels[k + 1]) / 2
        # A knot in sigma is two roundings off, 2**-52 of itself; the density is at most 1 a cell,
        # and a cell at least one draw: p moves by at most that many draws.
        slack = 4 * 2.0**-52 * pmf.levels[-1]
        exact = Fraction(sum(pmf.counts[: k + 1]), pmf.total)
        assert abs(float(pmf.probability_above(Decimal(middle / sigma))) - exact) <= slack
        assert abs(cumulative[k + 1] - exact) <= 2.0**-53
    outside = Decimal(pmf.cutoff) * 3
    assert pmf.probability_above(outside) == 1
    assert pmf.probability_above(-outside) == 0
    assert pmf.probability_above(Decimal(0)) == Decimal("0.5")


@pytest.mark.parametrize("noise", SMALL, ids=label)
def test_outermost_cells_reach_as_far_out_as_in(noise: NoiseConfig) -> None:
    pmf = noise.pmf
    first, second = pmf.levels[:2]
    end = first - Fraction(second - first, 2)
    # Two roundings of a double, a relative 2**-52 together.
    assert abs(pmf.knots_in_sigma()[0] * float(pmf.sigma) - end) <= 2.0**-51 * abs(end)
    share = Fraction(pmf.counts[0], pmf.total)
    for part in (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4)):
        place = end + part * (second - first)
        x = Decimal(place.numerator) / place.denominator / pmf.sigma
        # 28 digits of x, at most a relative 1e-26 of it; the density is one level's share a cell.
        slack = share * abs(place) / (second - first) / 10**26
        assert abs(Fraction(pmf.probability_above(x)) - part * share) <= slack
        assert abs(1 - Fraction(pmf.probability_above(-x)) - part * share) <= slack


def test_probability_above_rises_and_mirrors() -> None:
    pmf = NoiseConfig(words=2, word_bits=4).pmf
    values = [pmf.probability_above(Decimal(k) / 16) for k in range(-64, 65)]
    assert values == sorted(values)
    for below, above in zip(values, reversed(values), strict=True):
        # Both are quotients of forty digits.
        assert abs(below + above - 1) < Decimal("1e-39")


# -- Gaussian quantiles ----------------------------------------------------------------------


@pytest.mark.parametrize(("word_bits", "level_bits"), [(2, 4), (8, 8), (10, 12), (16, 16), (14, 5)])
def test_quantile_table_is_symmetric_rising_and_that_of_scipy(
    word_bits: int, level_bits: int
) -> None:
    table = np.array(quantile_table(word_bits, level_bits))
    size = 1 << word_bits
    assert table.size == size
    assert (table == -table[::-1]).all()
    assert (np.diff(table) >= 0).all()
    top = (1 << (level_bits - 1)) - 1
    assert (table[0], table[-1]) == (-top, top)
    exact = stats.norm.ppf((np.arange(size) + 0.5) / size)
    scaled = exact * (top / exact[-1])
    # Rounded to nearest: half a level, and 1e-9 for the quantiles of scipy, whose relative error
    # is some 1e-15 and whose scale is at most 2**15.
    assert np.abs(table - scaled).max() <= 0.5 + 1e-9


def test_gaussian_quantile_is_that_of_scipy() -> None:
    for k in range(200):
        x = float(gaussian_quantile(Fraction(k, 401)))
        # Its argument is rounded, by 2**-54, and the density is at least 0.01 here: 1e-14. The
        # function's own relative error is some 1e-15 (Cephes' ndtri).
        assert abs(x - stats.norm.ppf(0.5 + k / 401)) <= 2e-14


# -- draws -----------------------------------------------------------------------------------

PERIODS = [
    (NoiseConfig(kind="sum", words=2, word_bits=8, lfsr=LfsrConfig(width=16)), 19),
    (NoiseConfig(kind="sum", words=3, word_bits=4, lfsr=LfsrConfig(width=13, leap=12)), 12),
    (NoiseConfig(kind="sum", words=2, word_bits=4, lfsr=LfsrConfig(width=8, leap=8)), 8),
    (NoiseConfig(kind="popcount", words=2, word_bits=5, lfsr=LfsrConfig(width=11, leap=10)), 10),
    (
        NoiseConfig(
            kind="inverse_cdf", words=1, word_bits=8, lfsr=LfsrConfig(width=16, leap=32)
        ),
        32,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("noise", "leap"), PERIODS)
def test_histogram_of_a_whole_period_matches_the_pmf(noise: NoiseConfig, leap: int) -> None:
    lfsr = noise.lfsr
    noise = NoiseConfig(
        kind=noise.kind, words=noise.words, word_bits=noise.word_bits,
        lfsr=LfsrConfig(width=lfsr.width, leap=leap),
    )  # fmt: skip
    period = (1 << lfsr.width) - 1
    # A leap without a factor in common with the period stops at every state once.
    assert math.gcd(leap, period) == 1
    words = packed(DEFAULT_TAPS[lfsr.width], 1, period * leap + 64)
    tally = Counter(draw(noise, words, period).tolist())
    # Each word of a draw belongs to equally many states; zero alone is missing from one of them.
    states = 1 << (lfsr.width - noise.draw_bits)
    pmf = noise.pmf
    expected = {level: states * count for level, count in zip(pmf.levels, pmf.counts, strict=True)}
    expected[naive_draw(noise, 0)] -= 1
    assert tally == {level: count for level, count in expected.items() if count}


CHI_SQUARE = [
    NoiseConfig(kind="sum", words=4, word_bits=8, lfsr=LfsrConfig(width=61)),
    NoiseConfig(kind="popcount", words=3, word_bits=8, lfsr=LfsrConfig(width=59)),
    NoiseConfig(kind="inverse_cdf", words=1, word_bits=12, lfsr=LfsrConfig(width=47)),
]


@pytest.mark.parametrize("noise", CHI_SQUARE, ids=label)
def test_ten_million_draws_follow_the_pmf(noise: NoiseConfig) -> None:
    # The seed is fixed, so the outcome is, too. Both ends are looked at: a generator may be too
    # bad (p near 0) and too good (near 1, as a counter would be). A perfect one would have failed
    # with a chance of 2e-4 when the seed was chosen.
    count, block = 10_000_000, 1_000_000
    source = Lfsr(DEFAULT_TAPS[noise.lfsr.width], 0x1234567)
    levels = np.array(noise.pmf.levels)
    observed = np.zeros(levels.size, np.int64)
    for k in range(0, count, block):
        words = packed(source.taps, source.jump(k * noise.leap).state, block * noise.leap + 64)
        drawn = draw(noise, words, block)
        observed += np.bincount(np.searchsorted(levels, drawn), minlength=levels.size)
        assert (levels[np.searchsorted(levels, drawn)] == drawn).all()
    expected = np.array([c / noise.pmf.total for c in noise.pmf.counts]) * count
    # Levels with fewer than ten expected draws are pooled into one bin.
    rare = expected < 10
    if rare.any():
        observed = np.append(observed[~rare], observed[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    assert observed.sum() == count
    p = stats.chisquare(observed, expected).pvalue
    assert 1e-4 < p < 1 - 1e-4


@pytest.mark.parametrize("leap_words", [0, 1, 2])
@pytest.mark.parametrize(
    ("kind", "words", "word_bits"),
    [
        ("sum", 4, 8), ("sum", 2, 16), ("sum", 5, 6), ("sum", 7, 4), ("sum", 3, 8),
        ("sum", 32, 1), ("sum", 9, 3), ("sum", 2, 13), ("sum", 8, 8), ("sum", 64, 1),
        ("popcount", 4, 8), ("popcount", 5, 5), ("popcount", 64, 1), ("inverse_cdf", 1, 9),
        ("inverse_cdf", 1, 16),
    ],
)  # fmt: skip
def test_fast_and_slow_paths_make_the_draws_of_the_contract(
    kind: str, words: int, word_bits: int, leap_words: int
) -> None:
    # Leaps of whole words from a word's edge take the fast paths; all others the slow one.
    bits = words * word_bits
    whole = -(-bits // 32) * 32
    leap = (bits, whole, 2 * whole)[leap_words]
    noise = NoiseConfig(
        kind=kind, words=words, word_bits=word_bits, lfsr=LfsrConfig(width=64, leap=leap)
    )
    source = Lfsr(DEFAULT_TAPS[64], 0xDEADBEEF)
    stream = source.words(3 + 40 * leap // 32 + 70)
    shape = (noise.draw_bits, 1) if kind == "popcount" else (words, word_bits)
    for position in (0, 32, 5, 63):
        here = source.jump(position)
        expected = []
        for _ in range(40):
            expected.append(naive_draw(noise, here.state & ((1 << bits) - 1)))
            here = here.jump(leap)
        assert draw(noise, stream, 40, position=position).tolist() == expected
        out = np.full(40, 7, object)
        draw_noise(stream, position, leap, shape, noise.quantiles, out)
        assert out.tolist() == expected


# -- serial correlation ----------------------------------------------------------------------


def test_a_byte_off_a_bit_serial_lfsr_follows_the_last_one() -> None:
    # One new bit a draw: y = x // 2 + 128 b. Over a period every state comes once, so that the sums
    # below are exact: covariance sum(2^k 2^(k+1)), k < 7, over variance sum(4^k), k < 8; the
    # missing state zero takes its own product, 255^2, from each sum (the draws are centred).
    noise = NoiseConfig(words=1, word_bits=8, overlap=True, lfsr=LfsrConfig(width=16, leap=1))
    period = (1 << 16) - 1
    words = packed(DEFAULT_TAPS[16], 1, period + 100)
    x = draw(noise, words, period + 1)
    assert x[0] == x[-1]
    covariance = int((x[1:] * x[:-1]).sum())
    variance = int((x[:-1] ** 2).sum())
    assert covariance == (1 << 16) * sum(2 * 4**k for k in range(7)) - 255**2
    assert variance == (1 << 16) * sum(4**k for k in range(8)) - 255**2
    assert round(covariance / variance, 3) == 0.5


@pytest.mark.parametrize("leap", [8, 11, 13])
def test_bytes_off_a_leaping_lfsr_do_not(leap: int) -> None:
    # With eight or more fresh bits, two draws share none. The sum over a period of the product of
    # two different bits (as signs) of a maximal LFSR is -1, whatever their distance, so that of two
    # draws is minus the sum of all weights 2^k 2^l: next to nothing beside the variance, exactly.
    noise = NoiseConfig(words=1, word_bits=8, lfsr=LfsrConfig(width=16, leap=leap))
    period = (1 << 16) - 1
    assert math.gcd(leap, period) == 1
    words = packed(DEFAULT_TAPS[16], 1, (period + 1) * leap + 64)
    x = draw(noise, words, period + 1)
    assert int((x[1:] * x[:-1]).sum()) == -(255**2)
    assert int((x[:-1] ** 2).sum()) == (1 << 16) * sum(4**k for k in range(8)) - 255**2


@pytest.mark.parametrize(("width", "leap", "common"), [(12, 12, 3), (12, 13, 13), (10, 11, 11)])
def test_leap_sharing_a_factor_with_the_period_skips_states(
    width: int, leap: int, common: int
) -> None:
    # What the PMF does not promise: the draws repeat after a part of the period, and their counts
    # are then not those of all words. `bitlif noise` reports the draws after which they repeat.
    noise = NoiseConfig(words=2, word_bits=4, lfsr=LfsrConfig(width=width, leap=leap))
    period = (1 << width) - 1
    assert math.gcd(leap, period) == common
    part = period // common
    words = packed(DEFAULT_TAPS[width], 1, (period + part) * leap + 64)
    x = draw(noise, words, period + part)
    assert (x[part:] == x[:-part]).all()
    tally = Counter(x[:part].tolist())
    pmf = noise.pmf
    counts = [tally[level] for level in pmf.levels]
    # Measured: these parts are not even symmetric about zero, as the PMF is.
    assert sum(counts) == part
    assert counts != counts[::-1]


# -- configuration ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"kind": "sums"},
            r"^kind must be .* or 'none', not 'sums', did you mean 'sum'\?$",
        ),
        ({"words": 0}, r"^words must be in 1 \.\.= 64, not 0$"),
        ({"words": 65}, r"^words must be in 1 \.\.= 64, not 65$"),
        ({"words": 4.0}, r"^words must be an integer in 1 \.\.= 64, not 4\.0$"),
        ({"kind": "inverse_cdf", "words": 2}, r"^words must be in 1 \.\.= 1, not 2$"),
        ({"word_bits": 0}, r"^word_bits must be in 1 \.\.= 16, not 0$"),
        ({"word_bits": 17}, r"^word_bits must be in 1 \.\.= 16, not 17$"),
        (
            {"kind": "inverse_cdf", "words": 1, "word_bits": 1},
            r"^word_bits must be in 2 \.\.= 16, not 1$",
        ),
        (
            {"kind": "inverse_cdf", "words": 1, "word_bits": 17},
            r"^word_bits must be in 2 \.\.= 16, not 17$",
        ),
        ({"level_bits": 3}, r"^level_bits must be in 4 \.\.= 16, not 3$"),
        ({"level_bits": 17}, r"^level_bits must be in 4 \.\.= 16, not 17$"),
        ({"scale_bits": 1}, r"^scale_bits must be in 2 \.\.= 24, not 1$"),
        ({"scale_bits": 25}, r"^scale_bits must be in 2 \.\.= 24, not 25$"),
        (
            {"words": 5},
            r"^words \* word_bits must be at most lfsr\.width = 32, not 5 \* 8 = 40$",
        ),
        (
            {"lfsr": LfsrConfig(leap=31)},
            r"^lfsr\.leap must be 0 or at least the 32 bits of a draw, not 31, unless .* true$",
        ),
    ],
)  # fmt: skip
def test_bad_noise_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        NoiseConfig(**fields)


def test_overlap_must_be_allowed_and_default_leap() -> None:
    assert NoiseConfig(overlap=True, lfsr=LfsrConfig(leap=1)).leap == 1
    assert NoiseConfig(lfsr=LfsrConfig(leap=32)).leap == 32
    assert NoiseConfig(words=3, word_bits=5).leap == 15


@pytest.mark.parametrize("overlap", [1, 0, None, "yes"])
def test_overlap_must_be_true_or_false(overlap: object) -> None:
    with pytest.raises(BitlifError, match=r"^overlap must be true or false, not"):
        NoiseConfig(overlap=overlap)  # type: ignore[arg-type]


def test_pmf_is_made_once() -> None:
    assert NoiseConfig(words=2).pmf is NoiseConfig(words=2, scale_bits=5).pmf
    assert isinstance(NoiseConfig().pmf, Pmf)
    assert NoiseConfig().quantiles.size == 0
    sizes = itertools.product((2, 7), (4, 9))
    assert all(len(quantile_table(bits, levels)) == 1 << bits for bits, levels in sizes)
