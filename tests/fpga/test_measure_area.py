"""The stamp of the recorded measurements: they must be those of the core as it is now."""

from __future__ import annotations

import pytest

from bitlif.fpga.estimate import calibration
from bitlif.fpga.families import FAMILIES
from bitlif.fpga.measure_area import (
    AGAIN,
    core_hashes,
    recorded_sizes,
    stale_rows,
    stamp_of,
)

CHECKED = ("tiny", "digits-4bit", "teacher", "sample-3", "sample-9")
"""Every kind of noise, both resets, cores with and without learning, one and more lanes."""


def require_current(names: tuple[str, ...]) -> None:
    stale = stale_rows(recorded_sizes(), core_hashes(names))
    if stale:
        pytest.fail(f"the core has changed since {', '.join(stale)} was measured: run {AGAIN}")


def test_recorded_measurements_are_of_the_present_core() -> None:
    require_current(CHECKED)


@pytest.mark.long
def test_all_recorded_measurements_are_of_the_present_core() -> None:
    require_current(tuple(dict.fromkeys(row.name for row in recorded_sizes())))


def test_calibration_carries_the_stamp_of_its_measurements() -> None:
    assert calibration()["core"] == stamp_of(recorded_sizes()), f"run {AGAIN}"


def test_every_configuration_is_measured_once_for_each_family() -> None:
    found = [(row.name, row.family) for row in recorded_sizes()]
    names = dict.fromkeys(name for name, _ in found)
    assert found == [(name, family) for name in names for family in FAMILIES]


def test_rows_of_another_core_are_stale() -> None:
    rows = [row for row in recorded_sizes() if row.family == "ecp5"]
    hashes = {row.name: row.core_hash for row in rows}
    assert stale_rows(rows, hashes) == []
    assert stale_rows(rows, {"tiny": "0" * 16}) == ["tiny"]
    assert stamp_of(rows[3:]) != stamp_of(rows)
