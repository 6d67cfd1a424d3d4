"""Error tables: means over bins against numerical integration, and the lookup at every input."""

from __future__ import annotations

import decimal
import itertools
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.engine.compile import compiled
from bitlif.model.errors import BitlifError
from bitlif.model.fixed import Format, Overflow, Rounding
from bitlif.model.lfsr import LfsrConfig
from bitlif.model.noise import NoiseConfig
from bitlif.model.table import (
    ErrorConfig,
    clipped_integral,
    error_table,
    error_value,
    likelihood_integral,
    table_bin,
)

NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)

NOISES = [
    NoiseConfig(words=4, word_bits=8),
    NoiseConfig(words=1, word_bits=4),
    NoiseConfig(kind="popcount", words=5, word_bits=1),
    NoiseConfig(kind="inverse_cdf", words=1, word_bits=7, level_bits=8),
    NoiseConfig(words=8, word_bits=8, lfsr=LfsrConfig(width=64)),
]
ERRORS = [
    {"index_bits": 8, "span": 3, "entry": Format(12, 8, False), "limit": 15.9},
    {"index_bits": 5, "span": 2, "entry": Format(8, 5, False), "limit": 7.0},
    {"index_bits": 6, "span": 0, "entry": Format(10, 7, False), "limit": 3.0},
    {"index_bits": 4, "span": 5, "entry": Format(8, 6, False), "limit": 1.5},
]


class Chance:
    """The chance of a spike at distance x, from the counts alone, and where its slope changes."""

    def __init__(self, noise: NoiseConfig) -> None:
        pmf = noise.pmf
        levels = [Fraction(level) for level in pmf.levels]
        middles = [(a + b) / 2 for a, b in itertools.pairwise(levels)]
        ends = [2 * levels[0] - middles[0], *middles, 2 * levels[-1] - middles[-1]]
        variance = sum(c * x * x for x, c in zip(levels, pmf.counts, strict=True)) / pmf.total
        sigma = math.sqrt(variance)
        # P(n >= -x): the counts above -x, each spread over its cell. Ends of cells, rising in x.
        self.knots = np.array([float(-end) / sigma for end in reversed(ends)])
        above = itertools.accumulate(reversed(pmf.counts), initial=0)
        self.values = np.array([count / pmf.total for count in above])

    def at(self, x: Any) -> Any:
        return np.interp(x, self.knots, self.values)

    def integral(self, x0: float, x1: float, function: Any) -> float:
        """Integrate phi(x) function(p(x)), piece by piece: phi is constant between two knots."""
        inner = self.knots[(self.knots > x0) & (self.knots < x1)]
        total = 0.0
        for start, stop in itertools.pairwise([x0, *inner, x1]):
            p0, p1 = self.at(start), self.at(stop)
            if p0 == p1:
                continue
            # Pieces over which neither p nor 1 - p more than doubles: there the rule of 12 nodes is
            # exact for 1/p to (sqrt(2) - 1)^(4 * 12) < 1e-18, far below the floats' own error.
            edges = [p0]
            while edges[-1] < p1:
                p = edges[-1]
                edges.append(min(p1, 2 * p if p > 0 else p1, p + max((1 - p) / 2, 2.0**-40)))
            kinks = [kink for kink in function.kinks if p0 < kink < p1]
            for a, b in itertools.pairwise(sorted({*edges, *kinks})):
                p = (a + b) / 2 + (b - a) / 2 * NODES
                total += float((b - a) / 2 * (WEIGHTS * function(p)).sum())
        return total


def assert_means(column: tuple[int, ...], error: ErrorConfig, chance: Chance, rule: Any) -> int:
    """Assert every bin's entry, and return how many were not simply the limit."""
    step, half = float(error.step), error.entries // 2
    edges = step * np.arange(-half, half + 1)
    assert np.abs(edges - chance.knots[[0, -1]][:, None]).min() > 1e-4
    lsb = float(error.entry.lsb)
    below_limit = 0
    for k, raw in enumerate(column):
        x0, x1 = (k - half) * step, (k + 1 - half) * step
        if rule.infinite(chance.at(x0), chance.at(x1)):
            mean = math.inf
        else:
            mean = chance.integral(x0, x1, rule) / step
        expected = min(mean, error.limit)
        below_limit += mean < error.limit
        # An entry is rounded to nearest: half an LSB. Floats: an edge is off by a relative 2**-52,
        # so p by its slope times 2**-52 * 32 sigma; with no edge within 1e-4 of the end of the
        # noise, a relative 1e-10 of p at most, and of its logarithm as much. Sums add 1e-13.
        assert abs(raw * lsb - expected) <= lsb / 2 + 1e-9 * max(expected, 1.0), k
    return below_limit


class LikelihoodA:
    kinks = ()

    def __call__(self, p: Any) -> Any:
        return 1 / p

    def infinite(self, p0: float, p1: float) -> bool:
        return p0 == 0


class LikelihoodB:
    kinks = ()

    def __call__(self, p: Any) -> Any:
        return 1 / (1 - p)

    def infinite(self, p0: float, p1: float) -> bool:
        return p1 == 1


class Clipped:
    def __init__(self, guard: float, sign: int) -> None:
        self.guard, self.sign = guard, sign
        low = (1 - math.sqrt(1 - 4 * guard)) / 2
        self.kinks = (low, 1 - low)

    def __call__(self, p: Any) -> Any:
        top = 1 - p if self.sign > 0 else p
        return top / np.maximum(p * (1 - p), self.guard)

    def infinite(self, p0: float, p1: float) -> bool:
        return False


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: f"{noise.kind}-{noise.draw_bits}")
@pytest.mark.parametrize("fields", ERRORS, ids=lambda fields: f"{fields['index_bits']}")
def test_likelihood_entries_are_means_over_their_bins(
    noise: NoiseConfig, fields: dict[str, Any]
) -> None:
    error = ErrorConfig(**fields)
    a, b = error_table(error, noise)
    chance = Chance(noise)
    assert assert_means(a, error, chance, LikelihoodA()) > 1
    assert assert_means(b, error, chance, LikelihoodB()) > 1
    assert a == b[::-1]
    assert len(a) == error.entries
    assert all(0 <= raw <= error.entry.raw_max for raw in a)


@pytest.mark.parametrize("guard", [1e-3, 0.04, 0.25])
@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: f"{noise.kind}-{noise.draw_bits}")
def test_clipped_entries_are_means_over_their_bins(noise: NoiseConfig, guard: float) -> None:
    chance = Chance(noise)
    for fields in ERRORS:
        error = ErrorConfig(rule="clipped", guard=guard, **fields)
        a, b = error_table(error, noise)
        assert_means(a, error, chance, Clipped(guard, 1))
        assert_means(b, error, chance, Clipped(guard, -1))
        assert a == b[::-1]


PLACES = [Decimal(k) / 40 for k in range(1, 41)]
DIGITS = Decimal("1e-36")
"""The table's own arithmetic has 40 digits; a handful of roundings, each half a unit in the last of
them, on numbers below 1000 (5e-38): together below 1e-36."""


def test_likelihood_integral_is_the_logarithm_and_adds_up() -> None:
    unused = Decimal("0.1")
    with decimal.localcontext(prec=60):
        for p0, p1 in itertools.product(PLACES, repeat=2):
            there = likelihood_integral(p0, p1, unused)
            assert abs(there - (p1 / p0).ln()) < DIGITS
            assert there == -likelihood_integral(p1, p0, unused)
            for p in PLACES[::9]:
                parts = likelihood_integral(p0, p, unused) + likelihood_integral(p, p1, unused)
                assert abs(parts - there) < DIGITS
    for p1 in (Decimal(0), Decimal("1e-30"), Decimal(1)):
        assert likelihood_integral(Decimal(0), p1, unused) == Decimal("Infinity")


@pytest.mark.parametrize("guard", ["1e-3", "0.04", "0.1", "0.25"])
def test_clipped_integral_matches_its_three_pieces(guard: str) -> None:
    with decimal.localcontext(prec=60):
        g = Decimal(guard)
        low = (1 - (1 - 4 * g).sqrt()) / 2
        high = 1 - low

        def antiderivative(p: Decimal) -> Decimal:
            """Integrate (1 - p) / max(p (1 - p), guard) from 0, piece by piece."""
            inside = min(max(p, low), high)
            parabolas = [(q - q * q / 2) / g for q in (min(p, low), high, max(p, high))]
            return parabolas[0] + (inside / low).ln() + parabolas[2] - parabolas[1]

        ends = [Decimal(0), low / 3, low, *PLACES, high]
        for p0, p1 in itertools.product(sorted(ends), repeat=2):
            if p0 <= p1:
                exact = antiderivative(p1) - antiderivative(p0)
                assert abs(clipped_integral(p0, p1, g) - exact) < DIGITS, (p0, p1)


def test_errors_beyond_the_noise_are_the_limit_or_zero() -> None:
    noise = NoiseConfig(words=4, word_bits=8)
    fields = {"index_bits": 8, "span": 3, "entry": Format(12, 8, False), "limit": 9.3}
    likelihood = error_table(ErrorConfig(**fields), noise)
    clipped = error_table(ErrorConfig(rule="clipped", **fields), noise)
    edges = np.arange(-128, 129) / 16
    no_spike = edges[:-1] < -noise.pmf.cutoff - 0.01
    sure_spike = edges[1:] > noise.pmf.cutoff + 0.01
    assert no_spike.sum() == sure_spike.sum() > 60
    limit = round(9.3 * 256)
    for k in np.flatnonzero(no_spike)[:-1]:
        # No chance of a spike: a target that wants one pulls as hard as it may.
        assert (likelihood[0][k], likelihood[1][k]) == (limit, 0)
        assert (clipped[0][k], clipped[1][k]) == (0, 0)
    for k in np.flatnonzero(sure_spike)[1:]:
        assert (likelihood[0][k], likelihood[1][k]) == (0, limit)
        assert (clipped[0][k], clipped[1][k]) == (0, 0)
    # At the threshold, where p = 1/2, the two rules agree.
    assert likelihood[0][127:129] == clipped[0][127:129]


def test_likelihood_pulls_harder_the_further_from_its_target() -> None:
    a, b = error_table(ErrorConfig(), NoiseConfig())
    assert list(a) == sorted(a, reverse=True)
    assert list(b) == sorted(b)


def test_guard_reduces_only_the_clipped_tails() -> None:
    small, large = (
        error_table(
            ErrorConfig(rule="clipped", guard=guard, entry=Format(12, 8, False)), NoiseConfig()
        )[0]
        for guard in (1e-6, 1e-2)
    )
    assert all(x >= y for x, y in zip(small, large, strict=True))
    assert small[128] == large[128]
    assert sum(x > y for x, y in zip(small, large, strict=True)) > 5


def test_limit_bounds_every_entry_and_is_rounded_like_one() -> None:
    for limit, raw in ((1.0, 32), (1.015, 32), (1.0157, 33), (7.96875, 255)):
        a, _ = error_table(ErrorConfig(limit=limit), NoiseConfig())
        assert max(a) == a[0] == raw


def test_columns_of_a_user_are_rounded_to_nearest_with_halves_up() -> None:
    a = (0.0, 0.124, 0.125, 0.375, 1.0, 2.0, 3.74, 3.75)
    b = (3.75, 0.5, 0.25, 0.2, 0.1, 0.0, 1e-9, 1)
    error = ErrorConfig(
        rule="table", index_bits=3, entry=Format(4, 2, False), limit=3.75, a=a, b=b,
        format=Format(9, 2),
    )  # fmt: skip
    assert error_table(error, NoiseConfig()) == (
        (0, 0, 1, 2, 4, 8, 15, 15),
        (15, 2, 1, 1, 0, 0, 0, 4),
    )


# -- lookup ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fast", [False, True])
def test_bin_is_the_distance_in_bins_by_floor_for_every_membrane(fast: bool) -> None:
    lookup = compiled(table_bin) if fast else table_bin
    config = Config.load("tiny")
    derived = derive(config)
    c = derived.constants
    for phase in derived.phases:
        seen = []
        for membrane in range(-512, 512):
            place = math.floor(
                Fraction((membrane - c.threshold) * phase.reciprocal, 1 << c.bin_shift)
            )
            expected = min(max(place, -32), 31) + 32
            assert lookup(membrane, phase, c) == expected
            seen.append(expected)
        assert seen == sorted(seen)
        # The bin above the threshold is the first one of the upper half.
        assert lookup(c.threshold, phase, c) == 32
        assert lookup(c.threshold - 1, phase, c) == 31
        assert {0, 63} <= set(seen)


def test_bins_are_as_wide_as_the_noise_says() -> None:
    # The reciprocal is rounded to nearest: at d LSBs from the threshold, d / 2**(bin_shift + 1)
    # bins off at most, and floor takes less than one more.
    config = Config.load("tiny")
    derived = derive(config)
    c = derived.constants
    for phase in derived.phases:
        sigma = Fraction(config.noise.pmf.sigma) * phase.noise_scale / (1 << c.noise_shift)
        for d in range(-512, 512):
            exact = d / (sigma * config.error.step)
            if -32 <= exact < 31:
                off = exact - (table_bin(c.threshold + d, phase, c) - 32)
                slack = Fraction(abs(d), 1 << (c.bin_shift + 1))
                assert -slack <= off < 1 + slack


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize(
    ("target_bits", "fmt"),
    [
        (target_bits, Format.parse(text))
        for target_bits, text in itertools.product((0, 2, 3), ("s4.1", "s5.4", "s8.4", "s3.-1"))
        if target_bits or not text.endswith(".4")
    ],
)
def test_error_is_rounded_once_and_saturated(
    fmt: Format, rounding: Rounding, target_bits: int
) -> None:
    entry = Format(4, 2, False)
    config = Config.load("tiny").replace(
        error__entry=entry, error__format=fmt, error__rounding=rounding, error__limit=3.75,
        error__target_bits=target_bits, learning__rate=0.01,
    )  # fmt: skip
    c = derive(config).constants
    one = 1 << target_bits
    for a, b, target in itertools.product(range(16), range(16), range(one + 1)):
        q = Fraction(target, one)
        real = (q * a - (1 - q) * b) * entry.lsb / fmt.lsb
        half = Fraction(1, 2) if rounding is Rounding.NEAREST and c.error_shift else 0
        rounded = math.floor(real + half)
        expected = min(max(rounded, fmt.raw_min), fmt.raw_max)
        assert error_value(a, b, target, c) == (expected, expected != rounded)


def test_hard_targets_read_one_column_each() -> None:
    c = derive(Config.load("tiny")).constants
    for a, b in itertools.product(range(128), repeat=2):
        # Entries have one fractional bit more than errors: rounded to nearest, halves up.
        assert error_value(a, b, c.target_one, c)[0] == min((a + 1) // 2, 63)
        assert error_value(a, b, 0, c)[0] == max((1 - b) // 2, -64)


# -- configuration ---------------------------------------------------------------------------

COLUMN = tuple([0.5] * 8)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rule": "clip"}, r"^rule must be .*, not 'clip', did you mean 'clipped'\?$"),
        ({"index_bits": 2}, r"^index_bits must be in 3 \.\.= 12, not 2$"),
        ({"index_bits": 13}, r"^index_bits must be in 3 \.\.= 12, not 13$"),
        ({"span": -1}, r"^span must be in 0 \.\.= 5, not -1$"),
        ({"span": 6}, r"^span must be in 0 \.\.= 5, not 6$"),
        ({"reciprocal_bits": 3}, r"^reciprocal_bits must be in 4 \.\.= 24, not 3$"),
        ({"reciprocal_bits": 25}, r"^reciprocal_bits must be in 4 \.\.= 24, not 25$"),
        ({"target_bits": 13}, r"^target_bits must be in 0 \.\.= 12, not 13$"),
        ({"entry": Format(8, 5)}, r"^entry must be an unsigned .* 'u8\.5', not 's8\.5'$"),
        ({"format": Format(9, 5, False)}, r"^format must be a signed .* 's9\.5', not 'u9\.5'$"),
        ({"format": Format(17, 5)}, r"^format must have at most 16 bits, not 's17\.5'$"),
        ({"limit": 0.0}, r"^limit must be above 0 and at most 7\.96875, not 0\.0$"),
        ({"limit": 8.0}, r"^limit must be above 0 and at most 7\.96875, not 8\.0$"),
        ({"limit": math.nan}, r"^limit must be above 0 and at most 7\.96875, not nan$"),
        ({"limit": "7"}, r"^limit must be a number above 0 and at most 7\.96875, not '7'$"),
        ({"guard": 0.0}, r"^guard must be above 0 and at most 0\.25, not 0\.0$"),
        ({"guard": 0.26}, r"^guard must be above 0 and at most 0\.25, not 0\.26$"),
        (
            {"format": Format(16, 12), "target_bits": 6},
            r"^format must have at most entry\.frac \+ target_bits = 11 .* bits, not 's16\.12'$",
        ),
        ({"a": COLUMN}, r"^a must be left out unless rule is 'table'$"),
        ({"b": COLUMN}, r"^b must be left out unless rule is 'table'$"),
        ({"a": 0}, r"^a must be left out unless rule is 'table'$"),
        ({"b": ""}, r"^b must be left out unless rule is 'table'$"),
        ({"a": {}}, r"^a must be left out unless rule is 'table'$"),
        (
            {"rule": "table", "index_bits": 3, "a": COLUMN},
            r"^b must have 2\*\*index_bits = 8 values, not 0$",
        ),
        (
            {"rule": "table", "index_bits": 4, "a": COLUMN, "b": COLUMN},
            r"^a must have 2\*\*index_bits = 16 values, not 8$",
        ),
        (
            {"rule": "table", "index_bits": 3, "a": list(COLUMN), "b": COLUMN},
            r"^a must be a list of numbers, not \[0\.5, .*\]$",
        ),
        (
            {"rule": "table", "index_bits": 3, "a": COLUMN, "b": (*COLUMN[:7], 7.5)},
            r"^b\[7\] must be in 0 \.\.= 7, not 7\.5$",
        ),
        (
            {"rule": "table", "index_bits": 3, "a": (-0.1, *COLUMN[:7]), "b": COLUMN},
            r"^a\[0\] must be in 0 \.\.= 7, not -0\.1$",
        ),
        (
            {"rule": "table", "index_bits": 3, "a": (math.nan, *COLUMN[:7]), "b": COLUMN},
            r"^a\[0\] must be in 0 \.\.= 7, not nan$",
        ),
        (
            {"rule": "table", "index_bits": 3, "a": ("x", *COLUMN[:7]), "b": COLUMN},
            r"^a\[0\] must be a number in 0 \.\.= 7, not 'x'$",
        ),
    ],
)  # fmt: skip
def test_bad_table_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        ErrorConfig(**fields)


def test_bins_and_their_width_follow_from_index_bits_and_span() -> None:
    for bits, span in itertools.product(range(3, 13), range(6)):
        error = ErrorConfig(index_bits=bits, span=span)
        assert error.entries * error.step == 2 << span
    assert ErrorConfig().overflow is Overflow.SATURATE
