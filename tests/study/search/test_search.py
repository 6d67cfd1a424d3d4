"""Searches: the points of grid, random and guided searches, which are deterministic."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bitlif.study.search.plan import Plan
from bitlif.study.search.search import Point, RunMetrics, make_search, rounded

from study_plans import GUIDED, small

RANDOM = GUIDED.replace('"guided"', '"random"').replace("batch = 6\n", "")


def visit(plan: Plan, failing: int = -1) -> list[Point]:
    """Return all points of a search, with results that are a function of the point."""
    search, visited = make_search(plan), []
    for batch in search.batches():
        measured: list[RunMetrics] = []
        for point in batch:
            value = float(sum(own for own in point.choices if isinstance(own, int)))
            runs = [{"correlation": value, "bits": 2.0 * value}] * len(plan.seeds)
            measured.append([] if point.number == failing else runs)
        visited += batch
        search.tell(batch, measured)
    return visited


def test_grid_visits_every_combination_in_order() -> None:
    points = visit(small())
    assert [point.choices for point in points] == [(a, b) for a in (6, 8, 12) for b in (2, 4, 12)]
    assert points[4].edits == {"synapse.weight.bits": 8, "noise.words": 4}


@pytest.mark.parametrize("text", [RANDOM, GUIDED])
def test_search_is_deterministic(text: str) -> None:
    assert visit(small(text)) == visit(small(text))
    assert visit(small(text)) != visit(small(text.replace("seed = 7", "seed = 8")))
    assert [point.number for point in visit(small(text))] == list(range(20))


@pytest.mark.parametrize("text", [RANDOM, GUIDED])
def test_choices_are_rounded_and_within_their_axes(text: str) -> None:
    for point in visit(small(text)):
        bits, words, sigma = point.choices
        assert bits in (6, 8, 12)
        assert isinstance(words, int)
        assert 1 <= words <= 8
        assert isinstance(sigma, float)
        assert 0.05 <= sigma <= 0.5
        assert sigma == rounded(sigma)


def test_longer_random_search_extends_a_shorter_one() -> None:
    more = visit(small(RANDOM.replace("points = 20", "points = 30")))
    assert more[:20] == visit(small(RANDOM))


def test_guided_search_prefers_better_regions() -> None:
    one = GUIDED.replace("points = 20", "points = 60").replace(', "bits"]', "]")
    points = visit(small(one))
    half = len(points) // 2
    means = [
        sum(int(point.choices[0]) + int(point.choices[1]) for point in own) / half
        for own in (points[:half], points[half:])
    ]
    assert means[1] > means[0]


def test_guided_search_continues_after_a_failed_point() -> None:
    assert len(visit(small(GUIDED), failing=3)) == 20


def test_guided_search_counts_missing_objectives_as_failed() -> None:
    plan = small(GUIDED)
    search = make_search(plan)
    batches = search.batches()
    first: Sequence[Point] = next(batches)
    search.tell(first, [[{"correlation": 0.5}] for _ in first])
    assert len(next(batches)) == 6
