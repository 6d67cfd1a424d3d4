"""Recommendations: the cheapest point that is good enough, and the best that fits a board."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.study.report.recommend import best_of, costs_of, fits, for_board, losses, recommend
from bitlif.study.search.results import ResultAxis, ResultMetric, Results, read_results

from study_rows import SCORE, axis, failed_study, line_study, write_study


def study(scores: np.ndarray, bits: list[float], direction: str = "max") -> Results:
    """Return results with the given scores, (points, seeds), and bits per point."""
    count, seeds = scores.shape
    names = list(range(count))
    return Results(
        {"objectives": [{"name": "accuracy", "direction": direction}]},
        (ResultAxis("n", ("n",), "values", tuple(names), "", False),),
        {
            "accuracy": ResultMetric("accuracy", "test accuracy", "", direction),
            "bits": ResultMetric("bits", "bits", "bits", "min"),
        },
        np.arange(count), tuple(range(seeds)), {"n": names},
        {"accuracy": scores, "bits": np.repeat(np.array(bits)[:, None], seeds, axis=1)}, (),
    )  # fmt: skip


SCORES = st.lists(
    st.lists(st.integers(0, 1000), min_size=4, max_size=4), min_size=2, max_size=8
).map(lambda rows: np.array(rows) / 1000.0)


@given(SCORES, st.floats(0.0, 0.8))
@settings(max_examples=60, deadline=None)
def test_recommends_the_cheapest_point_by_a_paired_test(scores: np.ndarray, loss: float) -> None:
    bits = [float((7 * n) % 11) for n in range(len(scores))]
    results = study(scores, bits)
    best = int(scores.mean(axis=1).argmax())
    choice = recommend(results, loss)
    assert choice is not None
    good = []
    for point, own in enumerate(scores):
        difference = scores[best] - own
        if np.ptp(difference) == 0:
            enough = bool(difference[0] <= loss)
        else:
            with warnings.catch_warnings():
                # SciPy warns about differences that are nearly equal.
                warnings.simplefilter("ignore", RuntimeWarning)
                p = ttest_1samp(difference, loss, alternative="less").pvalue
            # Both results are rounded, so a value on the boundary may fall on either side.
            if abs(p - 0.05) < 1e-9:
                return
            enough = bool(p <= 0.05)
        if enough:
            good.append(point)
    assert choice.index in good
    assert choice.best == best
    assert bits[choice.index] == min(bits[point] for point in good)


def test_upper_bound_of_a_loss_is_one_sided() -> None:
    scores = np.array([[0.9, 0.8, 0.85, 0.95], [0.7, 0.75, 0.6, 0.8]])
    _, high = losses(study(scores, [2, 1]), 0)
    # A two-sided 90 % interval leaves 5 % beyond either end.
    interval = ttest_1samp(scores[0] - scores[1], 0.0).confidence_interval(0.9)
    # A few roundings of doubles below 1.
    assert high[1] == pytest.approx(interval.high, abs=16 * 2.0**-53)


def test_loss_is_paired_by_seed() -> None:
    # The seeds differ much more than the points, and equally at both points.
    scores = np.array([[0.9, 0.5, 0.7], [0.89, 0.49, 0.69]])
    mean, high = losses(study(scores, [2, 1]), 0)
    assert mean[0] == high[0] == 0.0
    assert mean[1] == pytest.approx(0.01, abs=4 * 2.0**-53)
    # The three differences are equal up to rounding.
    assert high[1] == pytest.approx(0.01, abs=64 * 2.0**-53)
    choice = recommend(study(scores, [2, 1]), 0.011)
    assert choice is not None
    assert choice.index == 1
    assert choice.reason == (
        "the lowest cost (bits) of the 2 points with a loss of at most 0.011 with 95 % confidence "
        "(one-sided, paired by seed)"
    )


def test_mean_loss_is_not_enough_if_seeds_disagree() -> None:
    scores = np.array([[0.9, 0.9, 0.9], [0.95, 0.82, 0.915]])
    choice = recommend(study(scores, [2, 1]), 0.01)
    assert choice is not None
    assert choice.index == 0
    assert choice.reason.startswith("the only point with a loss of at most 0.01 with 95 %")
    assert choice.by_mean == 1
    assert "point 1" in choice.reason


def test_with_one_seed_the_mean_decides() -> None:
    choice = recommend(study(np.array([[0.9], [0.895], [0.5]]), [3, 2, 1]), 0.01)
    assert choice is not None
    assert choice.index == 1
    assert np.isnan(choice.loss_high)
    assert "one seed" in choice.reason


def test_ties_in_cost_go_to_the_best_score() -> None:
    choice = recommend(study(np.array([[0.8, 0.8], [0.9, 0.9], [0.85, 0.85]]), [1, 1, 1]), 0.5)
    assert choice is not None
    assert choice.index == 1


def test_minimised_score_is_best_at_its_minimum() -> None:
    results = study(np.array([[0.3, 0.3], [0.1, 0.1], [0.15, 0.15]]), [1, 3, 2], "min")
    assert best_of(results) == 1
    choice = recommend(results, 0.06)
    assert choice is not None
    assert choice.index == 2
    assert choice.loss == pytest.approx(0.05, abs=2.0**-53)


def test_recommends_nothing_if_every_run_failed(tmp_path: Path) -> None:
    results = read_results(failed_study(tmp_path))
    assert best_of(results) is None
    assert recommend(results) is None
    assert for_board(results, "icebreaker") is None


def test_recommends_the_best_point_without_costs(tmp_path: Path) -> None:
    def run(point: int, seed: int) -> dict[str, float]:
        return {"accuracy": point / 4}

    folder = write_study(
        tmp_path, [axis("noise.words", (1, 2))], [(1,), (2,)], run, metrics=(SCORE,)
    )
    results = read_results(folder)
    assert costs_of(results) == ()
    choice = recommend(results)
    assert choice is not None
    assert choice.index == 1
    assert choice.reason == "the best mean test accuracy: the study measured no cost"


def test_recommends_the_best_point_if_its_cost_is_unknown() -> None:
    choice = recommend(study(np.array([[0.9, 0.9], [0.1, 0.1]]), [np.nan, 1]), 0.01)
    assert choice is not None
    assert (choice.index, choice.cost) == (0, "")
    assert "bits is unknown" in choice.reason


def test_unknown_cost_board_or_loss_out_of_range_raises(tmp_path: Path) -> None:
    results = read_results(line_study(tmp_path))
    assert costs_of(results) == ("bits", "synaptic_operations")
    with pytest.raises(
        BitlifError,
        match=r"^cost must be one of bits, synaptic_operations, not 'bit', did you mean 'bits'\?$",
    ):
        recommend(results, cost="bit")
    with pytest.raises(BitlifError, match=r"^loss must be in 0 \.\.= 1e\+06, not -1$"):
        recommend(results, -1)
    with pytest.raises(BitlifError, match=r"^board must be one of .*, not 'vax'"):
        for_board(results, "vax")


def lanes_study(folder: Path) -> Results:
    """Write a study in which more lanes score higher, up to more than fit the iCEBreaker."""
    lanes = (1, 2, 5)

    def run(point: int, seed: int) -> dict[str, Any]:
        return {"accuracy": 0.5 + point / 8, "bits": 100 + point}

    settings = [(own,) for own in lanes]
    return read_results(write_study(folder, [axis("layer.lanes", lanes)], settings, run))


def test_recommends_the_best_point_that_fits_a_board(tmp_path: Path) -> None:
    results = lanes_study(tmp_path)
    large = for_board(results, "ulx3s-85f")
    assert large is not None
    assert large.index == 2
    small = for_board(results, "icebreaker")
    assert small is not None
    assert small.index == 0
    assert small.reason == (
        "the best mean test accuracy that is estimated to fit 1BitSquared iCEBreaker; "
        "2 better points do not fit"
    )
    assert small.loss == 0.25


def test_fits_compares_the_estimate_of_every_resource() -> None:
    from bitlif.fpga.boards import BOARDS

    for lanes in (1, 2):
        config = Config.load("digits").replace(layer__lanes=lanes)
        assert fits(config, BOARDS["icebreaker"]) == (lanes == 1)
    # A learning layer needs multipliers, which the HX8K lacks.
    assert not fits(Config.load("digits"), BOARDS["hx8k"])
