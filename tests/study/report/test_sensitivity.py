"""Sensitivities against closed forms, exact fractions and pure noise."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.ensemble import ExtraTreesRegressor

from bitlif.study.report import forest_anova
from bitlif.study.report.anova import Variances, decompose
from bitlif.study.report.sensitivity import (
    EXACT,
    FOREST,
    ROUNDING,
    SIGNIFICANCE,
    Effect,
    Sensitivity,
    seed_variance,
    sensitivity,
)
from bitlif.study.search.results import Results, read_results

from study_rows import (
    SIGMAS,
    WIDTHS,
    WORDS,
    axis,
    failed_study,
    grid_study,
    line_study,
    random_study,
    write_study,
)

# With sizes that are powers of two and small integers, doubles hold every mean exactly.
SIZES = st.lists(st.sampled_from((2, 4)), min_size=1, max_size=4).map(tuple)
GRIDS = SIZES.flatmap(
    lambda sizes: st.lists(
        st.integers(-8, 8), min_size=int(np.prod(sizes)), max_size=int(np.prod(sizes))
    ).map(lambda values: np.array(values, dtype=np.float64).reshape(sizes))
)


def in_fractions(values: np.ndarray) -> Variances:
    """Decompose by the definition, cell by cell, in exact fractions."""
    cells = list(np.ndindex(values.shape))
    exact = {cell: Fraction(float(values[cell])) for cell in cells}
    axes = range(values.ndim)

    def mean(fixed: dict[int, int]) -> Fraction:
        own = [exact[cell] for cell in cells if all(cell[a] == v for a, v in fixed.items())]
        return sum(own, Fraction(0)) / len(own)

    def variance(parts: list[Fraction]) -> float:
        return float(sum((part**2 for part in parts), Fraction(0)) / len(parts))

    grand = mean({})
    alone = {(a, v): mean({a: v}) - grand for a in axes for v in range(values.shape[a])}
    both = {
        (a, b, v, w): mean({a: v, b: w}) - grand - alone[a, v] - alone[b, w]
        for a, b in itertools.combinations(axes, 2)
        for v in range(values.shape[a])
        for w in range(values.shape[b])
    }
    rest = [
        exact[cell]
        - grand
        - sum(alone[a, cell[a]] for a in axes)
        - sum(both[a, b, cell[a], cell[b]] for a, b in itertools.combinations(axes, 2))
        for cell in cells
    ]
    return Variances(
        variance([exact[cell] - grand for cell in cells]),
        {a: variance([own for key, own in alone.items() if key[0] == a]) for a in axes},
        {
            (a, b): variance([own for key, own in both.items() if key[:2] == (a, b)])
            for a, b in itertools.combinations(axes, 2)
        },
        variance(rest),
    )


@given(GRIDS)
@settings(max_examples=60)
def test_decomposition_equals_the_exact_definition(values: np.ndarray) -> None:
    found, expected = decompose(values), in_fractions(values)
    assert (found.total, found.mains, found.pairs) == (
        expected.total, expected.mains, expected.pairs
    )  # fmt: skip
    assert found.higher == expected.higher
    # The parts add up to the total.
    parts = sum(found.mains.values()) + sum(found.pairs.values()) + found.higher
    assert parts == found.total


@given(st.lists(st.integers(-64, 64), min_size=4, max_size=4), st.integers(1, 9))
def test_additive_data_has_no_interaction(steps: list[int], slope: int) -> None:
    found = decompose(np.add.outer(np.array(steps, dtype=float), slope * np.arange(8.0)))
    assert found.pairs == {(0, 1): 0.0}
    assert found.higher == 0.0
    assert found.mains[1] == slope**2 * 5.25


def test_equal_means_have_no_variance() -> None:
    # One of these sums ends one rounding above the other.
    values = np.array([0.1 + 0.2, 0.3])
    assert values[0] != values[1]
    found = decompose(values)
    assert (found.total, found.mains, found.pairs, found.higher) == (0.0, {0: 0.0}, {}, 0.0)


@pytest.mark.parametrize("axes", [2, 3])
def test_parity_is_pure_interaction_of_all_axes(axes: int) -> None:
    found = decompose(np.indices((2,) * axes).sum(axis=0) % 2.0)
    assert found.total == 0.25
    assert not any(found.mains.values())
    if axes == 2:
        assert found.pairs == {(0, 1): 0.25}
    else:
        assert not any(found.pairs.values())
        assert found.higher == 0.25


def analysed(results: Results) -> tuple[Sensitivity, dict[tuple[str, ...], Effect]]:
    found = sensitivity(results)
    assert found is not None
    return found, {own.axes: own for own in (*found.mains, *found.pairs)}


def test_complete_grid_shows_exactly_the_planted_effects(tmp_path: Path) -> None:
    found, effects = analysed(read_results(grid_study(tmp_path, fail=False)))
    assert (found.method, found.points, found.fit) == (EXACT, 24, None)
    clear = {names for names, own in effects.items() if own.clear}
    # The planted interaction of words and sigma also gives sigma a main effect.
    assert clear == {
        ("synapse.weight.bits",), ("noise.words",), ("schedule.sigma",),
        ("noise.words", "schedule.sigma"),
    }  # fmt: skip
    shares = sum(own.share for own in effects.values()) + found.higher
    # Seven shares, each from sums of 24 products of doubles below 1.
    assert shares == pytest.approx(1.0, abs=7 * 24 * 2.0**-53 / found.deviation**2)


def test_shares_without_noise_follow_the_formula(tmp_path: Path) -> None:
    found, effects = analysed(read_results(grid_study(tmp_path, fail=False, spread=0.0)))
    width = np.array([0.03 * n for n in range(len(WIDTHS))])
    words = np.array([0.02 * n for n in range(len(WORDS))])
    hurt = np.zeros((len(WORDS), len(SIGMAS)))
    hurt[0, 1] = -0.06
    both = hurt - hurt.mean(axis=0) - hurt.mean(axis=1, keepdims=True) + hurt.mean()
    variances = {
        ("synapse.weight.bits",): width.var(),
        ("noise.words",): (words + hurt.mean(axis=1)).var(),
        ("schedule.sigma",): hurt.mean(axis=0).var(),
        ("noise.words", "schedule.sigma"): (both**2).mean(),
    }
    total = sum(variances.values())
    for names, own in effects.items():
        # Roundings of doubles below 1 in formula and file, relative to the total.
        near = 24 * 2.0**-53 / total
        assert own.share == pytest.approx(variances.get(names, 0.0) / total, abs=near)
        assert (own.share > ROUNDING) == (names in variances)
        assert own.clear == (names in variances)
    assert found.deviation == pytest.approx(total**0.5, abs=24 * 2.0**-53 / total**0.5)


def plain(values: np.ndarray) -> Results:
    """Return results of a grid over two axes with (L1, L2, seeds) values."""
    from bitlif.study.search.results import ResultAxis, ResultMetric

    sizes = values.shape[:2]
    axes = tuple(
        ResultAxis(name, (name,), "values", tuple(range(size)), "", False)
        for name, size in zip("ab", sizes, strict=True)
    )
    rows, columns = (own.ravel().tolist() for own in np.indices(sizes))
    points = sizes[0] * sizes[1]
    return Results(
        {"objectives": [{"name": "accuracy", "direction": "max"}]}, axes,
        {"accuracy": ResultMetric("accuracy", "accuracy", "", "max")}, np.arange(points),
        tuple(range(values.shape[2])), {"a": rows, "b": columns},
        {"accuracy": values.reshape(points, -1)}, (),
    )  # fmt: skip


def test_pure_noise_is_significant_at_the_stated_rate() -> None:
    random = np.random.default_rng(1)
    studies = 300
    counts = dict.fromkeys((("a",), ("b",), ("a", "b")), 0)
    shares = []
    for _ in range(studies):
        # An offset of a whole seed is not noise.
        values = random.standard_normal((4, 3, 3)) + 100.0 * random.standard_normal(3)
        found, effects = analysed(plain(values))
        assert found.noise is not None
        shares.append(found.noise * found.deviation**2)
        # Two axes and their interaction hold all degrees of freedom, hence all noise.
        parts = sum(own.noise or 0.0 for own in effects.values())
        assert parts == pytest.approx(found.noise, rel=8 * 2.0**-53)
        third = effects["b",].noise or 0.0
        assert effects["a", "b"].noise == pytest.approx(3 * third, rel=8 * 2.0**-53)
        for names, own in effects.items():
            counts[names] += bool(own.clear)
    # Each count is binomial and leaves these limits once in a million.
    low, high = binom.ppf((5e-7, 1 - 5e-7), studies, SIGNIFICANCE)
    assert all(low <= count <= high for count in counts.values())
    # The noise variance of a mean of three is 1/3, and 11 of 12 degrees of freedom remain. An
    # estimate with 22 degrees of freedom has a relative deviation of sqrt(2/22).
    expected = 11 / 12 / 3
    assert np.mean(shares) == pytest.approx(expected, rel=5 * np.sqrt(2 / 22 / studies))


def test_offset_of_a_whole_seed_is_not_noise() -> None:
    values = np.array([[1.0, 9.0], [2.0, 10.0], [4.0, 12.0], [8.0, 16.0]])
    assert seed_variance(values) == (0.0, 3)
    # With a missing run, seeds are not blocks and count as noise.
    values[0, 0] = np.nan
    variance, free = seed_variance(values) or (0.0, 0)
    assert free == 3
    # Three pairs that differ by 8 give 32 each; the means are of 1, 2, 2 and 2 runs.
    assert variance == 32.0 * (1 + 3 / 2) / 4


def test_noise_is_unknown_with_one_seed(tmp_path: Path) -> None:
    found, effects = analysed(read_results(line_study(tmp_path)))
    assert found.noise is None
    assert effects == {("rounds",): Effect(("rounds",), 1.0, None, None)}
    assert seed_variance(np.ones((4, 1))) is None


def test_fewer_than_two_scores_give_no_sensitivity(tmp_path: Path) -> None:
    assert sensitivity(read_results(failed_study(tmp_path / "a"))) is None

    def run(point: int, seed: int) -> dict[str, float]:
        return {"accuracy": 0.5, "bits": 1}

    one = write_study(tmp_path / "b", [axis("noise.words", (1,))], [(1,)], run)
    assert sensitivity(read_results(one)) is None


def test_equal_scores_have_no_effects(tmp_path: Path) -> None:
    def run(point: int, seed: int) -> dict[str, float]:
        return {"accuracy": 0.5, "bits": 1}

    folder = write_study(tmp_path, [axis("noise.words", (1, 2))], [(1,), (2,)], run)
    found, effects = analysed(read_results(folder))
    assert found.deviation == 0.0
    assert effects == {("noise.words",): Effect(("noise.words",), 0.0, 0.0, False)}


def cells(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.indices(values.shape).reshape(values.ndim, -1).T.astype(float), values.ravel()


def near(found: Variances, expected: Variances, values: np.ndarray) -> None:
    # A mean of the forest is a rounded sum over trees and leaves, of which there are at most as
    # many as cells. Up to four means are added and squared, which doubles the relative error.
    room = 8 * (values.size + forest_anova.TREES) * 2.0**-53 * float(np.abs(values).max()) ** 2
    assert found.total == pytest.approx(expected.total, abs=room)
    for name in ("mains", "pairs"):
        own, other = getattr(found, name), getattr(expected, name)
        assert own.keys() == other.keys()
        for key, value in other.items():
            assert own[key] == pytest.approx(value, abs=room)
    assert found.higher == pytest.approx(expected.higher, abs=room)


def test_forest_on_a_complete_grid_is_exact() -> None:
    values = np.random.default_rng(2).standard_normal((4, 3, 2))
    found, _ = forest_anova.forest_variances(*cells(values), ())
    near(found, decompose(values), values)


def test_forest_decomposition_equals_that_of_its_function() -> None:
    values = np.random.default_rng(3).standard_normal((4, 3, 2, 2))
    x, y = cells(values)
    kept = np.random.default_rng(4).choice(len(y), 20, replace=False)
    model = ExtraTreesRegressor(forest_anova.TREES, random_state=0).fit(x[kept], y[kept])
    everywhere = model.predict(x).reshape(values.shape)
    levels = [np.arange(size, dtype=np.float32) for size in values.shape]
    near(forest_anova._decompose(model, levels), decompose(everywhere), values)


def test_grid_with_a_hole_shows_the_same_effects(tmp_path: Path) -> None:
    found, _ = analysed(read_results(grid_study(tmp_path / "hole")))
    whole, _ = analysed(read_results(grid_study(tmp_path / "whole", fail=False)))
    assert (found.method, found.points) == (FOREST, 23)
    assert found.fit is not None
    assert found.fit > 0.8
    assert found.mains[0].axes == whole.mains[0].axes == ("synapse.weight.bits",)
    assert found.pairs[0].axes == whole.pairs[0].axes == ("noise.words", "schedule.sigma")


def test_random_search_shows_the_axes_that_matter(tmp_path: Path) -> None:
    results = read_results(random_study(tmp_path))
    found, effects = analysed(results)
    assert found.method == FOREST
    assert found.fit is not None
    assert found.fit > 0.9
    assert {own.axes[0] for own in found.mains[:2]} == {"learning.rate", "synapse.rounding"}
    least = min(own.share for own in found.mains[:2])
    assert all(own.share < least / 10 for own in (found.mains[2], *found.pairs))
    # The analysis is deterministic.
    assert sensitivity(results) == found
    assert len(effects) == 6


def test_cells_beyond_the_limit_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(5).standard_normal((4, 4, 4))
    whole, _ = forest_anova.forest_variances(*cells(values), ())
    monkeypatch.setattr(forest_anova, "MAX_CELLS", 63)
    some, _ = forest_anova.forest_variances(*cells(values), ())
    assert (some.mains, some.pairs) == (whole.mains, whole.pairs)
    assert some.total != whole.total
    # The variance of 63 roughly normal draws has a relative deviation of sqrt(2 / 62).
    assert some.total == pytest.approx(whole.total, rel=5 * np.sqrt(2 / 62))
