"""Event lists: one spike, one entry, in order; what breaks that is refused by name."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bitlif.model.errors import BitlifError
from bitlif.model.events import MAX_TOTAL, Events

RASTERS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6))


def assert_same(a: Events, b: Events) -> None:
    np.testing.assert_array_equal(a.addresses, b.addresses)
    np.testing.assert_array_equal(a.pointers, b.pointers)
    assert (a.steps, a.units) == (b.steps, b.units)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(raster=RASTERS)
def test_raster_comes_back_and_every_view_agrees_with_it(raster: Any) -> None:
    events = Events.from_raster(raster)
    windows, steps, _ = raster.shape
    assert (events.windows, events.steps, events.units) == raster.shape
    np.testing.assert_array_equal(events.raster(), raster)
    assert events.count == raster.sum()
    np.testing.assert_array_equal(events.counts(), raster.sum(axis=1))
    window, step, unit = np.nonzero(raster)
    np.testing.assert_array_equal(events.times, window * steps + step)
    np.testing.assert_array_equal(events.addresses, unit)
    assert (events.addresses.dtype, events.pointers.dtype) == (np.int32, np.int64)
    assert events.pointers.shape == (windows * steps + 1,)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(raster=RASTERS, data=st.data())
def test_times_and_addresses_in_any_order_make_the_same_events(raster: Any, data: Any) -> None:
    events = Events.from_raster(raster)
    order = data.draw(st.permutations(range(events.count)))
    again = Events.from_times(
        events.times[list(order)], events.addresses[list(order)],
        steps=events.steps, units=events.units, windows=events.windows,
    )  # fmt: skip
    assert_same(again, events)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(raster=RASTERS, data=st.data())
def test_selected_windows_are_those_of_the_raster(raster: Any, data: Any) -> None:
    chosen = data.draw(st.lists(st.integers(0, raster.shape[0] - 1), max_size=8))
    selected = Events.from_raster(raster).select(chosen)
    assert_same(selected, Events.from_raster(raster[np.array(chosen, int)]))
    assert selected.windows == len(chosen)


def test_no_windows_are_events_too() -> None:
    empty = Events([], [0], 4, 3)  # type: ignore[arg-type]
    assert (empty.windows, empty.count) == (0, 0)
    assert empty.raster().shape == (0, 4, 3)
    assert empty.counts().shape == (0, 3)
    assert_same(empty, Events.from_times([], [], steps=4, units=3, windows=0))
    assert_same(empty, Events.from_raster(np.zeros((0, 4, 3), bool)))
    assert_same(empty, empty.select([]))


def test_windows_left_out_are_as_many_as_the_last_time_needs() -> None:
    for last, windows in ((0, 1), (3, 1), (4, 2), (11, 3)):
        assert Events.from_times([last], [0], steps=4, units=3).windows == windows
    assert Events.from_times([], [], steps=4, units=3).windows == 1
    assert Events.from_times([1], [0], steps=4, units=3, windows=5).windows == 5


def test_lists_and_all_integer_dtypes_are_accepted() -> None:
    expected = Events(np.array([2, 0], np.int32), np.array([0, 1, 2], np.int64), 1, 3)
    for kind in (np.int8, np.uint8, np.uint16, np.int64, np.uint64, np.dtype(">i4")):
        assert_same(Events(np.array([2, 0], kind), np.array([0, 1, 2], kind), 1, 3), expected)
    assert_same(Events([2, 0], [0, 1, 2], 1, 3), expected)  # type: ignore[arg-type]
    strided = np.array([2, 9, 0, 9], np.int32)[::2]
    assert_same(Events(strided, np.array([0, 1, 2]), 1, 3), expected)
    assert Events(strided, np.array([0, 1, 2]), 1, 3).addresses.flags.c_contiguous


def test_events_are_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Events([], [0], 1, 1).steps = 2  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [0], 0, 3), r"^steps must be in 1 \.\.= 2147483648, not 0$"),
        (([], [0], 1.0, 3), r"^steps must be an integer in 1 \.\.= 2147483648, not 1\.0$"),
        (([], [0], 1, 0), r"^units must be in 1 \.\.= 65536, not 0$"),
        (([], [0], 1, 65537), r"^units must be in 1 \.\.= 65536, not 65537$"),
        (([], [], 1, 3), r"^pointers must have windows \* 1 \+ 1 values, not 0$"),
        (([], [0, 0], 2, 3), r"^pointers must have windows \* 2 \+ 1 values, not 2$"),
        (([0], [1, 1], 1, 3), r"^pointers must rise from 0 to the number of addresses, 1$"),
        (([0], [0, 0], 1, 3), r"^pointers must rise from 0 to the number of addresses, 1$"),
        (([0], [0, 2], 1, 3), r"^pointers must rise from 0 to the number of addresses, 1$"),
        (([0, 1], [0, 2, 1, 2], 3, 3), r"^pointers must rise from 0 to the number of .*, 2$"),
        (([3], [0, 1], 1, 3), r"^addresses must be in 0 \.\.= 2, not 3$"),
        (([-1], [0, 1], 1, 3), r"^addresses must be in 0 \.\.= 2, not -1$"),
        (
            ([0, 1, 1, 2], [0, 0, 2, 4, 4], 2, 3),
            None,
        ),
        (
            ([0, 1, 1, 1], [0, 0, 2, 4, 4], 2, 3),
            r"^addresses must ascend within a step, each at most once; step 2 lists 1 before 1$",
        ),
        (
            ([2, 1], [0, 2], 1, 3),
            r"^addresses must ascend within a step, each at most once; step 0 lists 2 before 1$",
        ),
        (([0.0], [0, 1], 1, 3), r"^addresses must be integers in one dimension, not float64"),
        (([[0]], [0, 1], 1, 3), r"^addresses must be integers in one .* of shape \(1, 1\)$"),
        (([True], [0, 1], 1, 3), r"^addresses must be integers in one dimension, not bool"),
        (("ab", [0, 1], 1, 3), r"^addresses must be integers in one dimension, not <U2"),
        (([None], [0, 1], 1, 3), r"^addresses must be integers in one dimension, not object"),
        (([0], [0.0, 1.0], 1, 3), r"^pointers must be integers in one dimension, not float64"),
        (([], 0, 1, 3), r"^pointers must be integers in one dimension, not int64 of shape \(\)$"),
        (([1 << 31], [0, 1], 1, 3), r"^addresses must fit int32, not 2147483648$"),
        (([-(1 << 40), 0], [0, 1, 2], 1, 3), r"^addresses must fit int32, not -1099511627776$"),
        ((np.array([1 << 63], np.uint64), [0, 1], 1, 3), r"^addresses must fit int32, not 92233"),
    ],
)
def test_what_is_no_event_list_is_refused(arguments: Any, message: str | None) -> None:
    if message is None:
        assert Events(*arguments).windows == 2
        return
    with pytest.raises(BitlifError, match=message):
        Events(*arguments)


@pytest.mark.parametrize(
    ("times", "addresses", "fields", "message"),
    [
        ([0, 1], [0], {}, r"^times and addresses must have equal lengths, not 2 and 1$"),
        ([-1], [0], {}, r"^times must be in 0 \.\.= 3, not -1$"),
        ([8], [0], {"windows": 2}, r"^times must be in 0 \.\.= 7, not 8$"),
        ([0], [3], {}, r"^addresses must be in 0 \.\.= 2, not 3$"),
        ([0], [-1], {}, r"^addresses must be in 0 \.\.= 2, not -1$"),
        ([0, 0], [1, 1], {}, r"^each address must spike at most once .*: address 1 at time 0$"),
        ([0.5], [1], {}, r"^times must be integers in one dimension, not float64 of shape \(1,\)$"),
        ([0], ["a"], {}, r"^addresses must be integers in one dimension, not <U1"),
        ([], [], {"steps": 0}, r"^steps must be in 1 \.\.= 2147483648, not 0$"),
        ([], [], {"steps": "4"}, r"^steps must be an integer in 1 .*, not '4'$"),
        ([0], [0], {"units": 0}, r"^units must be in 1 \.\.= 65536, not 0$"),
        ([0], [0], {"units": "3"}, r"^units must be an integer in 1 .*, not '3'$"),
        ([], [], {"windows": -1}, r"^windows must be in 0 \.\.= \d+, not -1$"),
        ([], [], {"windows": 1.0}, r"^windows must be an integer in 0 \.\.= \d+, not 1\.0$"),
        ([0], [0], {"windows": 0}, r"^times must be in 0 \.\.= -1, not 0$"),
        ([1 << 62], [0], {}, r"^windows \* steps must be at most 268435456, not \d+ \* 4$"),
        ([], [], {"windows": 1 << 62}, r"^windows \* steps must be at most 268435456, not"),
        ([], [], {"steps": MAX_TOTAL, "windows": 2}, r"^windows \* steps must be at most 26843"),
        (np.array([1 << 63], np.uint64), [0], {}, r"^times must fit int64, not 92233720368547"),
    ],
)  # fmt: skip
def test_bad_times_are_refused(
    times: Any, addresses: Any, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(BitlifError, match=message):
        Events.from_times(times, addresses, **{"steps": 4, "units": 3, **fields})


@pytest.mark.parametrize(
    ("raster", "message"),
    [
        (np.zeros((2, 3), bool), r"^raster must be boolean .*, not bool of shape \(2, 3\)$"),
        (np.zeros((1, 2, 3)), r"^raster must be boolean .*, not float64 of shape \(1, 2, 3\)$"),
        (np.zeros((1, 2, 3), int), r"^raster must be boolean .*, not int64"),
        (np.zeros((1, 0, 3), bool), r"^steps must be in 1 \.\.= 2147483648, not 0$"),
        (np.zeros((1, 2, 0), bool), r"^units must be in 1 \.\.= 65536, not 0$"),
        ("raster", r"^raster must be boolean"),
    ],
)
def test_bad_raster_is_refused(raster: Any, message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        Events.from_raster(raster)


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ([3], r"^windows must be in 0 \.\.= 2, not 3$"),
        ([0, -1], r"^windows must be in 0 \.\.= 2, not -1$"),
        ([0.0], r"^windows must be integers in one dimension, not float64"),
        ([True], r"^windows must be integers in one dimension, not bool"),
        (1, r"^windows must be integers in one dimension, not int64 of shape \(\)$"),
    ],
)
def test_windows_that_are_not_there_are_refused(windows: Any, message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        Events.from_raster(np.zeros((3, 2, 1), bool)).select(windows)
