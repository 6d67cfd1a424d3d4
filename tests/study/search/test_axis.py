"""Axes: values, ranges, cases, their steps, and validation."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.study.search.axis import read_axis

DIGITS = Config.load("digits")
CASES = [
    {"name": "four", "set": {"noise.words": 4}},
    {"name": "one", "set": {"noise": {"words": 1, "word_bits": 8}}},
]


def deep(levels: int) -> dict[str, Any]:
    """Return nested tables."""
    tree: dict[str, Any] = {}
    for _ in range(levels):
        tree = {"x": tree}
    return tree


def test_values_keep_their_order_and_set_their_field() -> None:
    axis = read_axis({"field": "synapse.weight.bits", "values": [8, 3]}, DIGITS, "axis")
    assert axis.steps() == (8, 3)
    assert axis.edits(3) == {"synapse.weight.bits": 3}


def test_range_of_integers_has_a_step() -> None:
    tree: dict[str, Any] = {"field": "learning.random_bits", "low": 0, "high": 5}
    assert read_axis(tree, DIGITS, "axis").steps() == (0, 1, 2, 3, 4, 5)
    stepped = read_axis({**tree, "step": 2}, DIGITS, "axis")
    assert stepped.steps() == (0, 2, 4)
    assert stepped.whole


def test_range_of_real_numbers_includes_its_end() -> None:
    tree = {"field": "schedule.sigma", "low": 0.1, "high": 0.7, "step": 0.1}
    assert read_axis(tree, DIGITS, "axis").steps() == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def test_cases_set_several_fields() -> None:
    axis = read_axis({"name": "source", "case": CASES}, DIGITS, "axis")
    assert axis.steps() == ("four", "one")
    assert axis.fields == ("noise.words", "noise.word_bits")
    assert axis.edits("one") == {"noise.words": 1, "noise.word_bits": 8}


def test_fields_can_share_a_value() -> None:
    fields = ["trace.current.bits", "trace.format.bits"]
    tree: dict[str, Any] = {"field": fields, "name": "trace bits"}
    axis = read_axis({**tree, "values": [4, 8]}, DIGITS, "axis")
    assert (axis.name, axis.fields, axis.steps()) == ("trace bits", tuple(fields), (4, 8))
    assert axis.edits(8) == {"trace.current.bits": 8, "trace.format.bits": 8}
    bounded = read_axis({**tree, "low": 3, "high": 6}, DIGITS, "axis")
    assert bounded.steps() == (3, 4, 5, 6)
    assert bounded.edits(5) == {"trace.current.bits": 5, "trace.format.bits": 5}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"field": "noise.words"}, "axis must have exactly one of"),
        ({"field": "noise.words", "values": []}, r"values must be a list of values, not \[\]"),
        ({"field": "noise.words", "values": [1, 1]}, "values must differ from each other"),
        ({"field": "noise.words", "values": [1, "a"]}, "values must all be of one kind"),
        ({"field": "noise.words", "values": [[1]]}, "values must be numbers, text or truth"),
        ({"field": "noise.word", "values": [1]}, "did you mean 'noise.words'"),
        ({"fild": "noise.words", "values": [1]}, r"axis\.fild is not a field.*'field'"),
        ({"field": [], "values": [1]}, r"field must be the name of a field, not \[\]"),
        ({"field": ["noise.words"], "values": [1]}, "name must be given for an axis of several"),
        (
            {"field": ["noise.words"] * 2, "name": "words", "values": [1]},
            "field must have different names",
        ),
        ({"field": 3, "values": [1]}, "field must be the name of a field, not 3"),
        ({"field": "noise.words", "low": 3, "high": 2}, "high must be above low = 3, not 2"),
        ({"field": "noise.words", "low": 1}, "high must be a number"),
        ({"field": "noise.words", "low": 1, "high": 4, "step": 0}, "step must be above 0"),
        ({"field": "schedule.sigma", "low": 0, "high": 1, "log": True}, "low must be above 0"),
        ({"field": "schedule.sigma", "low": 0.1, "high": 1.0, "log": 1}, "log must be true or"),
        (
            {"field": "schedule.sigma", "low": 0.1, "high": 1.0, "log": True, "step": 0.1},
            "step must be left out with log",
        ),
        ({"case": CASES}, "name must be printable text"),
        ({"name": "a", "field": "noise.words", "case": CASES}, "field must be left out with"),
        ({"name": "a", "case": [CASES[0], CASES[0]]}, "names of the cases must differ"),
        ({"name": "a", "case": [{"name": "b"}]}, r"case\[0\] must be a table with name and set"),
        ({"field": "noise.words", "values": [1], "unit": 3}, "unit must be printable text"),
        ({"field": "schedule.sigma", "values": [0.1, math.inf]}, "values must be finite, not inf"),
        (
            {"field": "schedule.sigma", "values": [0.1, 1e31]},
            r"values must be in -1e\+30 \.\.= 1e\+30, not 1e\+31",
        ),
        ({"field": "schedule.sigma", "values": [math.nan]}, "values must be finite, not nan"),
        (
            {"field": "noise.words", "values": [1 << 63]},
            r"values must be in -9.* not 9223372036854",
        ),
        ({"field": "noise.words", "values": list(range(1025))}, "values must have at most 1024"),
        ({"field": "synapse.weight", "values": ["s" * 1001]}, "of at most 1000 characters"),
        ({"field": "synapse.weight", "values": ["s8\n.1"]}, r"not 's8\\n\.1'$"),
        ({"field": "noise.words", "values": [datetime.date(2000, 1, 1)]}, "must be numbers, text"),
        ({"field": "noise.words", "low": 1, "high": math.inf}, "high must be in"),
        ({"field": "noise.words", "low": math.nan, "high": 1}, "low must be in"),
        ({"field": "schedule.sigma", "low": 0, "high": 1, "step": 1e-10}, "at least 1e-09 in a ra"),
        ({"field": "schedule.sigma", "low": 0, "high": 1e9, "step": 1e-6}, "step must be at least"),
        ({"name": "a", "case": CASES * 513}, "case must have at most 1024 entries, not 1026"),
        ({"name": "a" * 201, "case": CASES}, "name must be printable text of 1 ..= 200"),
        (
            {"name": "a", "case": [{"name": "b", "set": {"learning.rate": math.nan}}]},
            r"case\[0\]\.set\.learning\.rate must be finite, not nan",
        ),
        (
            {"name": "a", "case": [{"name": "b", "set": {"error.a": [0.1, [math.inf]]}}]},
            r"set\.error\.a must be finite, not inf",
        ),
        (
            {"name": "a", "case": [{"name": "b", "set": {"error.a": datetime.date(2000, 1, 1)}}]},
            "must be made of numbers, text, lists and tables",
        ),
        (
            {"name": "a", "case": [{"name": "b", "set": {"error.a": [[[[[1]]]]]}}]},
            "must be made of numbers, text, lists and tables",
        ),
        ({"name": "a", "case": [{"name": "b", "set": deep(3000)}]}, "'x' is not a field"),
        ([], "axis must be a table"),
    ],
)
def test_invalid_axis_raises_with_its_name(tree: Any, message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        read_axis(tree, DIGITS, "axis")


def test_grid_over_a_range_needs_a_step() -> None:
    tree = {"field": "schedule.sigma", "low": 0.1, "high": 1.0, "log": True}
    axis = read_axis(tree, DIGITS, "axis")
    with pytest.raises(BitlifError, match=r"'schedule\.sigma' must have values, cases or a step"):
        axis.steps()


def test_smallest_step_gives_distinct_values() -> None:
    for low, high, step in ((0, 1e-6, 1e-9), (1e12 - 1000, 1e12, 1), (0.1, 0.1 + 1e-7, 1e-9)):
        tree = {"field": "schedule.sigma", "low": float(low), "high": high, "step": float(step)}
        axis = read_axis(tree, DIGITS, "axis")
        assert len(set(axis.steps())) == axis.count > 100


def test_count_of_a_long_range_is_immediate() -> None:
    axis = read_axis({"field": "noise.words", "low": -(10**12), "high": 10**12}, DIGITS, "axis")
    assert axis.count == 2 * 10**12 + 1
    assert (axis.choice(0), axis.choice(axis.count - 1)) == (-(10**12), 10**12)
