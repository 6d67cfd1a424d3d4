"""Points that are not above chance are found, and never recommended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plotly.offline import get_plotlyjs
from scipy.stats import binomtest

from bitlif.scripts.main import main
from bitlif.study.report.above_chance import above_chance
from bitlif.study.report.findings import analyse
from bitlif.study.report.page import render_page
from bitlif.study.report.recommend import for_board, recommend
from bitlif.study.search.results import Results, read_results

from study_rows import BITS, SCORE, axis, write_study

CHANCE = ("chance", "share of the largest test class", "share of windows", "max")
WINDOWS = ("test_windows", "test windows", "windows", "max")
TESTED = 45


def study(
    folder: Path,
    right: list[tuple[int, ...]],
    share: tuple[float, ...] = (18 / 45, 18 / 45, 18 / 45),
    metrics: tuple[Any, ...] = (SCORE, BITS, CHANCE, WINDOWS),
) -> Path:
    """Write a study of points with so many correct test windows per seed; later points are dearer.

    A negative number stands for a failed run.
    """

    def run(point: int, seed: int) -> dict[str, Any]:
        if right[point][seed] < 0:
            return {"error": "it failed"}
        return {"accuracy": right[point][seed] / TESTED, "bits": 100 + point,
                "chance": share[seed], "test_windows": TESTED}  # fmt: skip

    lanes = tuple(range(1, len(right) + 1))
    return write_study(
        folder, [axis("layer.lanes", lanes)], [(lane,) for lane in lanes], run, metrics=metrics,
        seeds=range(len(right[0])),
    )  # fmt: skip


def results(folder: Path, right: list[tuple[int, ...]], **more: Any) -> Results:
    return read_results(study(folder, right, **more))


def test_p_values_are_those_of_the_exact_binomial_test(tmp_path: Path) -> None:
    right = [(18, 20, 16), (30, 40, 45), (22, 22, 21), (-1, 31, 29)]
    tested = above_chance(results(tmp_path, right))
    assert tested is not None
    assert tested.limit == pytest.approx(0.05 / 4)
    for point, own in enumerate(right):
        good = [count for count in own if count >= 0]
        trials = TESTED * len(good)
        p = binomtest(sum(good), trials, 18 / 45, alternative="greater").pvalue
        # Two implementations of the incomplete beta function.
        assert tested.p[point] == pytest.approx(p, rel=1e-9)
        assert (tested.correct[point], tested.windows[point]) == (sum(good), trials)
        assert tested.above[point] == (p <= 0.05 / 4)
    assert tested.above.tolist() == [False, True, False, True]


def test_largest_share_of_the_seeds_is_chance(tmp_path: Path) -> None:
    tested = above_chance(results(tmp_path, [(18, 20, 16)], share=(0.25, 0.5, 0.375)))
    assert tested is not None
    assert tested.share.tolist() == [0.5]
    assert not tested.above[0]


def test_single_class_is_never_exceeded(tmp_path: Path) -> None:
    tested = above_chance(results(tmp_path, [(45, 45, 45)], share=(1.0, 1.0, 1.0)))
    assert tested is not None
    assert tested.p.tolist() == [1.0]
    assert not tested.above[0]


def test_point_whose_runs_all_failed_is_not_above_chance(tmp_path: Path) -> None:
    tested = above_chance(results(tmp_path, [(-1, -1, -1), (45, 45, 45)]))
    assert tested is not None
    assert np.isnan(tested.p[0])
    assert tested.describe(0) is None
    assert tested.above.tolist() == [False, True]


def test_results_without_chance_are_not_tested(tmp_path: Path) -> None:
    plain = results(tmp_path, [(0, 0, 0), (18, 18, 18)], metrics=(SCORE, BITS))
    assert above_chance(plain) is None
    # They are recommended as ever.
    assert recommend(plain) is not None
    assert analyse(plain)["chance"] is None


def test_cheap_point_at_chance_is_not_recommended(tmp_path: Path) -> None:
    made = results(tmp_path, [(18, 18, 18), (40, 41, 42)])
    choice = recommend(made, loss=1.0)
    assert choice is not None
    assert choice.index == 1
    told = analyse(made, 1.0)
    assert (told["chance"]["points"], told["chance"]["points_above"]) == (2, 1)
    assert told["chance"]["reason"] == ""
    assert told["points"][0]["chance"]["above"] is False
    assert "1 of 2 points are above chance" in render_page(told)


def test_nothing_at_chance_is_recommended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = study(tmp_path, [(18, 18, 18), (19, 18, 20)])
    made = read_results(folder)
    assert recommend(made) is None
    assert for_board(made, "icebreaker") is None
    assert main(["report", str(folder), "--board", "icebreaker"]) == 1
    said = " ".join(capsys.readouterr().out.split())
    for part in (
        "no point is recommended: none of 2 is above chance, which is 40 %", "135 test windows",
        "no point that is above chance is estimated to fit icebreaker",
    ):  # fmt: skip
        assert part in said
    page = (folder / "report" / "report.html").read_text("utf-8").replace(get_plotlyjs(), "")
    assert "Nothing is recommended" in page
    assert "none of 2 is above chance" in page
    assert not (folder / "report" / "recommended.toml").exists()


def test_other_score_does_not_recommend_a_point_at_chance(tmp_path: Path) -> None:
    # The first objective is bits: the best point by it is at chance.
    folder = study(tmp_path, [(18, 18, 18), (44, 43, 45)], metrics=(BITS, SCORE, CHANCE, WINDOWS))
    made = read_results(folder)
    choice = recommend(made, loss=10.0)
    assert choice is not None
    assert (choice.best, choice.index) == (0, 1)
    # Within the loss, only the point at chance is left.
    assert recommend(made, loss=0.5) is None
    assert "not above chance" in analyse(made, 0.5)["chance"]["reason"]


def test_diagnosis_shows_what_is_out_of_range(tmp_path: Path) -> None:
    metrics = (
        SCORE, BITS, CHANCE, WINDOWS,
        ("membrane_saturated", "saturated membranes", "share of neuron-steps", "min"),
        ("active_errors", "errors that are not 0", "share of neuron-steps", "max"),
        ("silent_neurons", "neurons that never spike", "neurons", "min"),
    )  # fmt: skip

    def run(point: int, seed: int) -> dict[str, Any]:
        if point == 0 and seed == 1:
            return {"error": "it failed"}
        return {"accuracy": 0.9, "bits": 100, "chance": 0.4, "test_windows": TESTED,
                "membrane_saturated": 0.7 * (point == 1), "active_errors": 0.005 * (seed + 1),
                "silent_neurons": 0}  # fmt: skip

    lanes = (1, 2, 3)
    folder = write_study(
        tmp_path, [axis("layer.lanes", lanes)], [(lane,) for lane in lanes], run, metrics=metrics
    )
    told = analyse(read_results(folder))
    membrane, errors, silent = told["diagnosis"]
    assert (membrane["low"], membrane["high"], membrane["points"]) == (0.0, 0.7, [1])
    assert (errors["at_least"], errors["limit"], errors["points"]) == (True, 0.01, [0, 1, 2])
    assert (silent["high"], silent["points"]) == (0.0, [])
    page = render_page(told).replace(get_plotlyjs(), "")
    assert '<section id="diagnosis">' in page
    # The table of points would be too wide with them.
    columns = page.partition('<section id="points">')[2].partition("</thead>")[0]
    assert "saturated membranes" not in columns
    assert "test accuracy" in columns
