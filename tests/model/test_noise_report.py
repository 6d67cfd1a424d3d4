"""The noise report against enumeration, walks bit by bit, and sums written down a second time."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bitlif.model.config.config import Config, config_from_dict
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError
from bitlif.model.lfsr import Lfsr
from bitlif.model.noise import quantile_table
from bitlif.model.noise_report import (
    LAGS,
    LEAST_EXPECTED,
    MIN_DRAWS,
    Measurement,
    describe_distribution,
    describe_draws,
    describe_lanes,
    describe_phases,
    measure_draws,
    merge_levels,
    rounded_moments,
    tail_probability,
)

EPS = float(np.finfo(float).eps)

SMALL_SOURCES = (
    {"kind": "sum", "words": 1, "word_bits": 5},
    {"kind": "sum", "words": 3, "word_bits": 3},
    {"kind": "popcount", "words": 3, "word_bits": 4},
    {"kind": "inverse_cdf", "words": 1, "word_bits": 7, "level_bits": 5},
)


def configured(noise: dict[str, Any], lanes: int = 1, **lfsr: Any) -> Config:
    width = lfsr.pop("width", 32)
    return config_from_dict(
        {
            "layer": {"neurons": lanes, "lanes": lanes},
            "noise": {"level_bits": 6, **noise, "lfsr": {"width": width, **lfsr}},
        }
    )


def draw_of(noise: dict[str, Any], words: tuple[int, ...]) -> int:
    """Return the draw that words make, from the contract's own sentences."""
    if noise["kind"] == "inverse_cdf":
        return quantile_table(noise["word_bits"], noise["level_bits"])[words[0]]
    if noise["kind"] == "popcount":
        return 2 * sum(word.bit_count() for word in words) - noise["words"] * noise["word_bits"]
    return 2 * sum(words) - noise["words"] * (2 ** noise["word_bits"] - 1)


def all_draws(noise: dict[str, Any]) -> list[int]:
    words = range(1 << noise["word_bits"])
    return [draw_of(noise, each) for each in itertools.product(words, repeat=noise["words"])]


def mean_of(values: list[Any]) -> Fraction:
    return Fraction(sum(values)) / len(values)


@pytest.mark.parametrize("noise", SMALL_SOURCES)
def test_distribution_is_that_of_all_words_enumerated(noise: dict[str, Any]) -> None:
    draws = all_draws(noise)
    second, fourth = (mean_of([draw**k for draw in draws]) for k in (2, 4))
    pmf = configured(noise).noise.pmf
    found = describe_distribution(pmf)
    sigma = math.sqrt(second)
    assert (found["levels"], found["lowest"], found["highest"]) == (
        len(set(draws)),
        min(draws),
        max(draws),
    )
    # One rounding to a double each, and one of the subtraction.
    assert found["sigma"] == pytest.approx(sigma, rel=2 * EPS)
    assert found["cutoff_sigma"] == pytest.approx(max(draws) / sigma, rel=4 * EPS)
    assert found["excess_kurtosis"] == pytest.approx(float(fourth / second**2 - 3), abs=4 * EPS)
    for k, tail in zip((3, 4), found["tails"], strict=True):
        beyond = sum(draw**2 > k * k * second for draw in draws)
        assert tail_probability(pmf, k) == Fraction(beyond, len(draws))
        assert tail["sigma"] == k
        assert tail["probability"] == beyond / len(draws)
        assert tail["gaussian"] == pytest.approx(2 * stats.norm.sf(k), rel=8 * EPS)


@pytest.mark.parametrize("noise", SMALL_SOURCES)
def test_distances_are_those_to_a_gaussian_of_the_same_sigma(noise: dict[str, Any]) -> None:
    draws = np.array(all_draws(noise))
    levels, counts = np.unique(draws, return_counts=True)
    gaussian = stats.norm(scale=math.sqrt(mean_of([int(d) ** 2 for d in draws])))
    inner = (levels[1:] + levels[:-1]) / 2
    last = levels[-1] + (levels[-1] - levels[-2]) / 2
    # The Gaussian's share of each level's cell; what lies outside all cells has no level.
    share = np.diff(gaussian.cdf([-last, *inner, last]))
    missed = 2 * gaussian.sf(last)
    variation = (np.abs(counts / draws.size - share).sum() + missed) / 2
    kolmogorov = stats.ks_1samp(draws, gaussian.cdf).statistic
    found = describe_distribution(configured(noise).noise.pmf)
    # Each cell has two cumulative probabilities, at most 1, each good to some last places.
    assert found["total_variation"] == pytest.approx(variation, abs=8 * levels.size * EPS)
    assert found["kolmogorov"] == pytest.approx(kolmogorov, abs=16 * EPS)


@pytest.mark.parametrize("noise", SMALL_SOURCES)
@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (5, 3), (77, 6)])
def test_rounded_moments_are_those_of_every_draw_scaled_and_rounded(
    noise: dict[str, Any], scale: int, shift: int
) -> None:
    half = Fraction(1, 2)
    rounded = [math.floor(Fraction(scale * draw, 2**shift) + half) for draw in all_draws(noise)]
    mean = mean_of(rounded)
    variance = mean_of([(value - mean) ** 2 for value in rounded])
    bias = (1 << shift) >> 1
    assert rounded_moments(configured(noise).noise.pmf, scale, bias, shift) == (mean, variance)


def test_phases_have_a_sigma_within_half_a_step_of_the_scale() -> None:
    config = Config.load("tiny")
    rows = describe_phases(config)
    assert [row["sigma_asked"] for row in rows] == [phase.sigma for phase in config.schedule]
    lsb = float(config.membrane.format.lsb)
    for row, constants in zip(rows, derive(config).phases, strict=True):
        step = 0.5 ** row["noise_shift"] * float(config.noise.pmf.sigma) * lsb
        assert row["noise_scale"] == constants.noise_scale
        assert row["sigma_scaled"] == pytest.approx(row["noise_scale"] * step, rel=4 * EPS)
        assert abs(row["sigma_scaled"] - row["sigma_asked"]) <= step / 2 + EPS
        assert row["relative_error"] == row["sigma_scaled"] / row["sigma_asked"] - 1
        # Rounding to an LSB moves each value by half of one at most, and sigma no more than that.
        assert abs(row["sigma_rounded"] - row["sigma_scaled"]) <= lsb / 2
        assert abs(row["mean_rounded_lsb"]) <= 0.5


def draws_until(start: Lfsr, goal: Lfsr, leap: int) -> int | None:
    """Return how many leaps lead from one state to another, by leaping until all were seen."""
    seen: dict[int, int] = {}
    here = start
    while here.state not in seen:
        seen[here.state] = len(seen)
        here = here.leap(leap)
    return seen.get(goal.state)


# 255 = 3 * 5 * 17: some of these leaps share a factor with the period.
@pytest.mark.parametrize("leap", [8, 9, 30, 34, 85])
@pytest.mark.parametrize("lanes", [2, 3, 5])
def test_lane_distances_and_periods_are_those_of_a_walk(leap: int, lanes: int) -> None:
    config = configured({"words": 1, "word_bits": 8}, lanes, width=8, leap=leap)
    sources = config.noise.lfsr.streams(lanes)
    found = describe_lanes(config)
    around = draws_until(sources[0].leap(leap), sources[0], leap)
    assert around is not None
    for lane, row in enumerate(found["lanes"]):
        following = sources[(lane + 1) % lanes]
        assert row["state"] == sources[lane].state
        assert sources[0].leap(row["position"]) == sources[lane]
        assert sources[lane].leap(row["bits_to_next_lane"]) == following
        assert 0 < row["bits_to_next_lane"] < row["stream_period_bits"] == 255
        assert row["draws_to_next_lane"] == draws_until(sources[lane], following, leap)
        assert row["period_draws"] == around + 1
    ways = [draws_until(a, b, leap) for a, b in itertools.permutations(sources, 2)]
    least = min((way for way in ways if way is not None), default=None)
    soonest = found["soonest_repeat"]
    assert (soonest and soonest["draws"]) == least
    if soonest:
        a, b = (sources[lane] for lane in soonest["lanes"])
        assert draws_until(a, b, leap) == least


def test_lanes_with_polynomials_of_their_own_have_no_distance() -> None:
    found = describe_lanes(configured({"words": 1}, 3, width=10, sharing="polynomial"))
    taps = [tuple(row["taps"]) for row in found["lanes"]]
    assert len(set(taps)) == 3
    assert found["soonest_repeat"] is None
    for row in found["lanes"]:
        assert row["position"] is row["bits_to_next_lane"] is row["draws_to_next_lane"] is None


def draws_from_bits(config: Config, noise: dict[str, Any], count: int) -> np.ndarray:
    """Return (lanes, count) draws read from each lane's bits, made by `Lfsr.words`."""
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
def test_sums_are_those_of_the_first_draws_of_every_lane(
    noise: dict[str, Any], lanes: int, lfsr: dict[str, Any]
) -> None:
    config = configured(noise, lanes, **lfsr)
    # More than a block of any of these, and no whole number of blocks.
    count = 70_001
    draws = draws_from_bits(config, noise, count)
    told: list[int] = []
    found = measure_draws(config, count, told.append)
    assert len(told) > 1
    assert sum(told) == found.draws == count
    levels = config.noise.pmf.levels
    counted = [[int((row == level).sum()) for level in levels] for row in draws]
    assert found.counts.tolist() == counted
    lagged = [[row[: count - lag] @ row[lag:] for lag in range(LAGS + 1)] for row in draws]
    assert found.lagged.tolist() == lagged
    assert found.crossed.tolist() == (draws @ draws.T).tolist()


def test_statistics_follow_from_the_draws() -> None:
    noise = {"kind": "sum", "words": 2, "word_bits": 6}
    config = configured(noise, 3, width=24)
    draws = draws_from_bits(config, noise, MIN_DRAWS)
    found = measure_draws(config, MIN_DRAWS)
    # Sums of so many terms, relative to the largest possible.
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


def test_chi_square_and_p_are_scipys_over_bins_of_five_expected() -> None:
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
        # p falls by about as large a share as the statistic times its derivative, below 1.
        assert row["p"] == pytest.approx(ideal.pvalue, abs=ideal.statistic * rounding)


@given(st.lists(st.floats(0.01, 20.0), min_size=1, max_size=60))
def test_merged_bins_expect_enough_unless_all_together_do_not(expected: list[float]) -> None:
    first = merge_levels(np.array(expected), LEAST_EXPECTED).tolist()
    assert first[0] == 0
    assert first == sorted(set(first))
    runs = [expected[a:b] for a, b in itertools.pairwise([*first, len(expected)])]
    if len(runs) > 1:
        assert min(map(sum, runs)) >= LEAST_EXPECTED
    # No bin is larger than it must be: but for the last, it would be too small without its last.
    for run in runs[:-1]:
        assert sum(run[:-1]) < LEAST_EXPECTED


@pytest.mark.parametrize("noise", SMALL_SOURCES)
def test_standard_errors_are_the_spread_of_the_influence_functions(noise: dict[str, Any]) -> None:
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


def test_ready_made_source_agrees_with_its_pmf_at_a_level_of_one_in_a_thousand() -> None:
    found = measure_draws(Config.load("digits"), 1_000_000)
    described = describe_draws(found)
    lanes = described["lanes"]
    # Bonferroni: the level is shared among the statements of each kind.
    assert min(row["p"] for row in lanes) > 0.001 / len(lanes)
    away = np.abs(found.moments() - found.exact_moments()) / found.standard_errors()
    assert away.max() < stats.norm.isf(0.001 / 2 / away.size)
    correlations = np.append(found.autocorrelation, described["largest_cross_correlation"]["r"])
    bound = stats.norm.isf(0.001 / 2 / correlations.size) / 1000
    assert np.abs(correlations).max() < bound


def test_counts_of_a_gaussian_fail_the_chi_square_test_of_the_sum() -> None:
    pmf = Config.load("digits").noise.pmf
    share = np.diff(stats.norm.cdf(pmf.knots_in_sigma()))
    counts = np.random.default_rng(5).multinomial(1_000_000, share / share.sum())
    empty = np.ones((1, LAGS + 1))
    found = Measurement(pmf, 1_000_000, counts[None, :], empty, np.ones((1, 1)))
    assert describe_draws(found)["lanes"][0]["p"] < 0.001


@pytest.mark.parametrize("leap", [1, 3])
def test_overlapping_draws_correlate_by_the_share_of_bits_they_share(leap: int) -> None:
    # Over a whole period the products of two bits (as -1 and 1) sum to -1 unless they are the same
    # bit, so that the sums are known exactly; the draws at the end lack a partner `lag` further on.
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


def test_whole_period_has_every_word_but_zero_equally_often() -> None:
    config = configured({"kind": "sum", "words": 1, "word_bits": 10}, width=10)
    found = measure_draws(config, 1023)
    assert found.counts.tolist() == [[0] + [1] * 1023]


def remarks_of(config: Config, draws: int) -> str:
    from bitlif.model.noise_report import remarks

    return "\n".join(remarks(config, describe_lanes(config), draws))


def test_remarks_name_what_makes_the_numbers_doubtful() -> None:
    assert remarks_of(Config.load("digits"), 1_000_000) == ""
    assert "repeats itself after 65535 draws" in remarks_of(Config.load("tiny"), 1000)
    again = remarks_of(Config.load("tiny"), 2049)
    assert "lane 1 makes the draws of lane 0 again after 2048 draws" in again
    assert "again" not in remarks_of(Config.load("tiny"), 2048)
    shared = configured({"kind": "sum"}, 2, sharing="shared")
    assert (
        remarks_of(shared, 1000) == "all lanes read the same draws: their noise is one and the same"
    )
    overlap = configured({"kind": "popcount", "overlap": True}, leap=20)
    assert "share 12 of their 32 bits" in remarks_of(overlap, 1000)


def test_draws_that_never_change_are_refused() -> None:
    with pytest.raises(BitlifError, match=r"^noise\.lfsr\.leap must .* not 255: lane 0 would"):
        configured({"words": 1, "word_bits": 8}, width=8, leap=255)


@pytest.mark.parametrize("draws", [MIN_DRAWS - 1, 1_000_000_001])
def test_number_of_draws_is_held_within_its_range(draws: int) -> None:
    with pytest.raises(
        BitlifError, match=rf"^draws must be in 1000 \.\.= 1000000000, not {draws}$"
    ):
        measure_draws(Config.load("tiny"), draws)
