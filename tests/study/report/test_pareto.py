"""Pareto fronts against their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitlif.study.report.pareto import front

# Few distinct values make ties common.
VALUES = st.one_of(st.integers(-3, 3).map(float), st.just(math.nan))
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.tuples(
        st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1, max_size=25),
        st.lists(st.sampled_from(("max", "min")), min_size=width, max_size=width),
    )
)


def better(a: float, b: float, direction: str) -> bool:
    return a > b if direction == "max" else a < b


def dominates(a: list[float], b: list[float], directions: list[str]) -> bool:
    pairs = list(zip(a, b, directions, strict=True))
    return any(better(x, y, way) for x, y, way in pairs) and not any(
        better(y, x, way) for x, y, way in pairs
    )


@given(TABLES)
def test_front_is_exactly_the_undominated_points(
    table: tuple[list[list[float]], list[str]],
) -> None:
    points, directions = table
    whole = [point for point in points if not any(map(math.isnan, point))]
    expected = [
        point in whole and not any(dominates(other, point, directions) for other in whole)
        for point in points
    ]
    assert front(np.array(points), directions).tolist() == expected


@pytest.mark.parametrize("direction", ["max", "min"])
def test_equal_points_are_all_on_the_front(direction: str) -> None:
    assert front(np.ones((5, 2)), (direction, direction)).all()


def test_front_without_values_is_empty() -> None:
    assert not front(np.full((3, 2), np.nan), ("max", "min")).any()
