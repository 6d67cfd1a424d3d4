"""Measured sums and statistics against draws read bit by bit, and against SciPy."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noise_sources import EPS, SMALL_SOURCES, all_draws, configured, draw_of, mean_of
from scipy import stats

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.noise_report.draws import (
    LAGS,
    LEAST_EXPECTED,
    MAX_DRAWS,
    MIN_DRAWS,
    Measurement,
    describe_draws,
    measure_draws,
    merge_levels,
)
from bitlif.model.noise_report.lanes import describe_lanes


def draws_from_bits(config: Config, noise: dict[str, Any], count: int) -> np.ndarray:
    """Return (lanes, count) draws read from the bits that `Lfsr.words` gives for each lane."""
    rows = []
    bits_read = (count - 1) * config.noise.leap + config.noise.draw_bits
    for source in config.noise.lfsr.streams(config.layer.lanes):
        packed = source.words(bits_read // 32 + 1)
        bits = np.unpackbits(packed.astype("<u4").view(np.uint8), bitorder="little").astype(int)
        first = np.arange(count) * config.noise.leap
        words = np.zeros((count, config.noise.words), int)
        for word in range(config.noise.words):
            for bit in range(config.noise.word_bits):
                words[:, word] += bits[first + word * config.noise.word_bits + bit] << bit
        rows.append([draw_of(noise, tuple(each)) for each in words.tolist()])
    return np.array(rows)


@pytest.mark.parametrize(
    ("noise", "lanes", "lfsr"),
    [
        ({"kind": "sum", "words": 4, "word_bits": 8}, 2, {}),
        ({"kind": "sum", "words": 3, "word_bits": 5}, 3, {"width": 21, "leap": 70}),
        ({"kind": "popcount", "words": 2, "word_bits": 8}, 2, {"sharing": "polynomial"}),
        ({"kind": "popcount", "words": 1, "word_bits": 9, "overlap": True}, 1, {"leap": 4}),
        ({**SMALL_SOURCES[3]}, 2, {"sharing": "shared", "width": 33}),
    ],
)
def test_sums_match_the_first_draws_of_every_lane(
    noise: dict[str, Any], lanes: int, lfsr: dict[str, Any]
) -> None:
    config = configured(noise, lanes, **lfsr)
    # More than one block for each of these sources, and not a whole number of blocks.
    count = 70_001
    draws = draws_from_bits(config, noise, count)
    reported: list[int] = []
    found = measure_draws(config, count, reported.append)
    assert len(reported) > 1
    assert sum(reported) == found.draws == count
    levels = config.noise.pmf.levels
    counted = [[int((row == level).sum()) for level in levels] for row in draws]
    assert found.counts.tolist() == counted
    lagged = [[row[: count - lag] @ row[lag:] for lag in range(LAGS + 1)] for row in draws]
    assert found.lagged.tolist() == lagged
    assert found.crossed.tolist() == (draws @ draws.T).tolist()


def test_statistics_match_the_draws() -> None:
    noise = {"kind": "sum", "words": 2, "word_bits": 6}
    config = configured(noise, 3, width=24)
    draws = draws_from_bits(config, noise, MIN_DRAWS)
    found = measure_draws(config, MIN_DRAWS)
    # Rounding bound of a sum of that many terms, relative to its maximum.
    rounding = MIN_DRAWS * EPS
    expected = [(row.mean(), row.var(), stats.kurtosis(row)) for row in draws]
    np.testing.assert_allclose(found.moments(), expected, rtol=rounding, atol=rounding)
    power = (draws**2).sum(axis=1)
    for lane, row in enumerate(draws):
        ideal = [(row[:-lag] * row[lag:]).sum() / power[lane] for lag in range(1, LAGS + 1)]
        np.testing.assert_allclose(found.autocorrelation[lane], ideal, rtol=rounding)
    cross = draws @ draws.T / np.sqrt(np.outer(power, power))
    np.testing.assert_allclose(found.cross_correlation, cross, rtol=rounding)
    described = describe_draws(found)
    assert described["band"] == pytest.approx(stats.norm.ppf(0.975) / MIN_DRAWS**0.5, rel=16 * EPS)
    a, b = described["largest_cross_correlation"]["lanes"]
    off = np.abs(cross - np.eye(3) * cross)
    assert off[a, b] == off.max()
    for row, correlation in zip(described["lanes"], found.autocorrelation, strict=True):
        largest = row["largest_autocorrelation"]
        assert correlation[largest["lag"] - 1] == largest["r"]
        assert abs(largest["r"]) == np.abs(correlation).max()
        assert row["lags_outside_band"] == sum(np.abs(correlation) > described["band"])


def test_chi_square_and_p_match_scipy() -> None:
    config = configured({"kind": "sum", "words": 4, "word_bits": 6}, 2)
    found = measure_draws(config, 5000)
    pmf = config.noise.pmf
    first = found.bins()
    ends = [*first[1:].tolist(), len(pmf.levels)]
    runs = list(zip(first.tolist(), ends, strict=True))
    expected = np.array([5000 * sum(pmf.counts[a:b]) / pmf.total for a, b in runs])
    assert len(runs) < len(pmf.levels)
    assert expected.min() >= LEAST_EXPECTED
    for counts, row in zip(found.counts, describe_draws(found)["lanes"], strict=True):
        counted = [counts[a:b].sum() for a, b in runs]
        ideal = stats.chisquare(counted, expected)
        rounding = len(pmf.levels) * EPS
        assert row["bins"] == len(runs)
        assert row["chi_square"] == pytest.approx(ideal.statistic, rel=rounding)
        # The relative error of p is about that of the statistic times a derivative below 1.
        assert row["p"] == pytest.approx(ideal.pvalue, abs=ideal.statistic * rounding)


@given(st.lists(st.floats(0.01, 20.0), min_size=1, max_size=60))
def test_merged_bins_have_the_least_expected_count(expected: list[float]) -> None:
    first = merge_levels(np.array(expected), LEAST_EXPECTED).tolist()
    assert first[0] == 0
    assert first == sorted(set(first))
    runs = [expected[a:b] for a, b in itertools.pairwise([*first, len(expected)])]
    if len(runs) > 1:
        assert min(map(sum, runs)) >= LEAST_EXPECTED
    # Every bin but the last is minimal: without its last level it would expect too little.
    for run in runs[:-1]:
        assert sum(run[:-1]) < LEAST_EXPECTED


@pytest.mark.parametrize("noise", SMALL_SOURCES)
def test_standard_errors_match_the_influence_functions(noise: dict[str, Any]) -> None:
    draws = all_draws(noise)
    second, fourth = (mean_of([draw**k for draw in draws]) for k in (2, 4))
    influences = (
        [Fraction(draw) for draw in draws],
        [draw**2 - second for draw in draws],
        [draw**4 / second**2 - 2 * fourth * draw**2 / second**3 for draw in draws],
    )
    pmf = configured(noise).noise.pmf
    found = Measurement(pmf, 400, *(np.zeros((1, 1)),) * 3).standard_errors()  # type: ignore[arg-type]
    for error, influence in zip(found, influences, strict=True):
        mean = mean_of(influence)
        variance = mean_of([(value - mean) ** 2 for value in influence]) / 400
        assert error == pytest.approx(math.sqrt(variance), rel=2 * EPS)


def test_ready_made_source_agrees_with_its_pmf_at_level_0_001() -> None:
    found = measure_draws(Config.load("digits"), 1_000_000)
    described = describe_draws(found)
    lanes = described["lanes"]
    # Bonferroni correction: the level is divided by the number of tests of each kind.
    assert min(row["p"] for row in lanes) > 0.001 / len(lanes)
    away = np.abs(found.moments() - found.exact_moments()) / found.standard_errors()
    assert away.max() < stats.norm.isf(0.001 / 2 / away.size)
    correlations = np.append(found.autocorrelation, described["largest_cross_correlation"]["r"])
    bound = stats.norm.isf(0.001 / 2 / correlations.size) / 1000
    assert np.abs(correlations).max() < bound


def test_gaussian_counts_fail_the_chi_square_test() -> None:
    pmf = Config.load("digits").noise.pmf
    share = np.diff(stats.norm.cdf(pmf.knots_in_sigma()))
    counts = np.random.default_rng(5).multinomial(1_000_000, share / share.sum())
    empty = np.ones((1, LAGS + 1))
    found = Measurement(pmf, 1_000_000, counts[None, :], empty, np.ones((1, 1)))
    assert describe_draws(found)["lanes"][0]["p"] < 0.001


@pytest.mark.parametrize("leap", [1, 3])
def test_overlapping_draws_correlate_by_their_shared_bits(leap: int) -> None:
    # Over a whole period the products of two different bits (as -1 and 1) sum to -1, so the sums
    # are known exactly, except that the last `lag` draws have no partner.
    bits, width = 8, 13
    period = (1 << width) - 1
    noise = {"kind": "popcount", "words": 1, "word_bits": bits, "overlap": True}
    config = configured(noise, width=width, leap=leap)
    assert describe_lanes(config)["bits_shared_with_next_draw"] == bits - leap
    found = measure_draws(config, period)
    for lag in range(LAGS + 1):
        shared = max(0, bits - lag * leap)
        exact = shared * period - (bits**2 - shared)
        assert abs(found.lagged[0, lag] - exact) <= lag * bits**2


def test_whole_period_has_every_nonzero_word_once() -> None:
    config = configured({"kind": "sum", "words": 1, "word_bits": 10}, width=10)
    found = measure_draws(config, 1023)
    assert found.counts.tolist() == [[0] + [1] * 1023]


@pytest.mark.parametrize("draws", [MIN_DRAWS - 1, 1_000_000_001])
def test_draws_out_of_range_are_refused(draws: int) -> None:
    accepted = rf"{MIN_DRAWS} \.\.= {MAX_DRAWS}"
    with pytest.raises(BitlifError, match=rf"^draws must be in {accepted}, not {draws}$"):
        measure_draws(Config.load("tiny"), draws)
