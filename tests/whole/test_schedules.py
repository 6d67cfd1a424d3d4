"""Schedules loaded into gates, compared with the model: the last phase stays in force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bitlif.hdl.loadable import phase_rows, require_loadable
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.sim.backends.gates import GateCore
from bitlif.sim.backends.models import FloatCore, ModelCore
from bitlif.tasks.stimulus import random_work

TINY = Config.load("tiny").replace(window__steps=4)
PHASES = [
    {"windows": 2, "sigma": 0.3}, {"windows": 3, "sigma": 0.2}, {"windows": 2, "sigma": 0.2},
    {"windows": 4, "sigma": 0.15},
]  # fmt: skip
BUILT = TINY.replace(schedule=PHASES)
WINDOWS = 9
WORK = random_work(BUILT, 3, WINDOWS)


def with_schedule(*phases: tuple[int, float]) -> Config:
    return TINY.replace(schedule=[{"windows": w, "sigma": sigma} for w, sigma in phases])


@pytest.fixture(scope="module")
def gates() -> Iterator[GateCore]:
    with GateCore(BUILT, "rtl") as core:
        yield core


def check(gates: GateCore, config: Config) -> list[int]:
    """Learn window by window in model and gates; return the phase after each window."""
    model, twin = ModelCore(BUILT), FloatCore(BUILT)
    for core in (model, twin, gates):
        core.load_tables(config)
        core.load(WORK.weights)
    assert WORK.targets is not None
    phases = []
    for window in range(WINDOWS):
        work: Any = (WORK.events.select([window]), WORK.targets[window : window + 1])
        results = [core.learn(*work) for core in (gates, model, twin)]
        np.testing.assert_array_equal(results[0].raster, results[1].raster)
        assert gates.phase() == model.phase() == twin.phase(), window
        assert gates.signature() == model.signature()
        phases.append(gates.phase())
    np.testing.assert_array_equal(gates.weights(), model.weights())
    assert gates.counters() == model.counters()
    return phases


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        (((1, 0.3), (1, 0.15)), [1] * 9),
        (((2, 0.3), (0, 0.15)), [0] + [1] * 8),
        (((1, 0.22),), [0] * 9),
        (((1, 0.3), (1, 0.3), (2, 0.15), (2, 0.15)), [1, 2, 2] + [3] * 6),
        # An end too large for the core's rows, but never reached.
        (((4, 0.3), (1000, 0.15)), [0, 0, 0] + [1] * 6),
    ],
)
def test_last_loaded_phase_stays_in_force(
    gates: GateCore, phases: tuple[tuple[int, float], ...], expected: list[int]
) -> None:
    assert check(gates, with_schedule(*phases)) == expected


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    phases=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from((0.3, 0.25, 0.2, 0.15))),
        min_size=1, max_size=len(PHASES),
    ),
    endless=st.booleans(),
)  # fmt: skip
def test_loaded_schedules_match_the_model(
    gates: GateCore, phases: list[tuple[int, float]], endless: bool
) -> None:
    if endless:
        phases[-1] = (0, phases[-1][1])
    config = with_schedule(*phases)
    try:
        require_loadable(BUILT, config)
    except BitlifError:
        assume(False)
    check(gates, config)


def test_gates_of_any_width_can_load_the_same() -> None:
    other = BUILT.replace(gates__single_port="all")
    require_loadable(BUILT, other)


def test_last_row_of_a_core_has_no_end() -> None:
    assert [row["windows"] for row in phase_rows(BUILT)] == [2, 3, 2, 0]
    shorter = with_schedule((4, 0.3), (3, 0.15))
    rows = phase_rows(BUILT, shorter)
    assert [row["windows"] for row in rows] == [4, 0, 0, 0]
    assert rows[1] == rows[2] == rows[3]
    with pytest.raises(BitlifError, match=r"^schedule\[0\]\.windows must be at most 7.*not 8$"):
        phase_rows(BUILT, with_schedule((8, 0.3), (3, 0.15)))
