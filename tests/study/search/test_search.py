"""Searches: what a grid, a random and a guided search visit, and that it is always the same."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bitlif.study.search.plan import Plan
from bitlif.study.search.search import Measured, Point, rounded, search_of

from study_plans import GUIDED, small

RANDOM = GUIDED.replace('"guided"', '"random"').replace("batch = 6\n", "")


def visit(plan: Plan, failing: int = -1) -> list[Point]:
    """Return all points of a search whose results follow from the points."""
    search, visited = search_of(plan), []
    for batch in search.batches():
        measured: list[Measured] = []
        for point in batch:
            value = float(sum(own for own in point.choices if isinstance(own, int)))
            runs = [{"correlation": value, "bits": 2.0 * value}] * len(plan.seeds)
            measured.append([] if point.number == failing else runs)
        visited += batch
        search.tell(batch, measured)
    return visited


def test_grid_visits_every_combination_the_last_axis_fastest() -> None:
    points = visit(small())
    assert [point.choices for point in points] == [(a, b) for a in (6, 8, 12) for b in (2, 4, 12)]
    assert points[4].edits == {"synapse.weight.bits": 8, "noise.words": 4}


@pytest.mark.parametrize("text", [RANDOM, GUIDED])
def test_search_is_the_same_whenever_it_is_made(text: str) -> None:
    assert visit(small(text)) == visit(small(text))
    assert visit(small(text)) != visit(small(text.replace("seed = 7", "seed = 8")))
    assert [point.number for point in visit(small(text))] == list(range(20))


@pytest.mark.parametrize("text", [RANDOM, GUIDED])
def test_choices_are_in_their_axes_and_rounded(text: str) -> None:
    for point in visit(small(text)):
        bits, words, sigma = point.choices
        assert bits in (6, 8, 12)
        assert isinstance(words, int)
        assert 1 <= words <= 8
        assert isinstance(sigma, float)
        assert 0.05 <= sigma <= 0.5
        assert sigma == rounded(sigma)


def test_more_points_of_a_random_search_are_the_same_and_then_others() -> None:
    more = visit(small(RANDOM.replace("points = 20", "points = 30")))
    assert more[:20] == visit(small(RANDOM))


def test_guided_search_looks_where_results_are_better() -> None:
    one = GUIDED.replace("points = 20", "points = 60").replace(', "bits"]', "]")
    points = visit(small(one))
    half = len(points) // 2
    means = [
        sum(int(point.choices[0]) + int(point.choices[1]) for point in own) / half
        for own in (points[:half], points[half:])
    ]
    assert means[1] > means[0]


def test_guided_search_goes_on_past_a_point_that_failed() -> None:
    assert len(visit(small(GUIDED), failing=3)) == 20


def test_guided_search_takes_missing_objectives_for_failed() -> None:
    plan = small(GUIDED)
    search = search_of(plan)
    batches = search.batches()
    first: Sequence[Point] = next(batches)
    search.tell(first, [[{"correlation": 0.5}] for _ in first])
    assert len(next(batches)) == 6
