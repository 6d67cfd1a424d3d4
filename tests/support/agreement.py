"""Assertions that two cores have equal results and state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bitlif.sim import Core, CoreResult
from bitlif.sim.backends.models import ModelCore
from bitlif.tasks.stimulus import random_work

ARRAYS = ("raster", "step_clocks", "window_clocks", "step_signatures")
"""Fields of every result."""


def same(a: CoreResult, b: CoreResult, record: Sequence[str] = ()) -> None:
    """Require that two results are equal, records included.

    Only one of the two may have signatures of steps.
    """
    signed = a.step_signatures.size and b.step_signatures.size
    for name in (*ARRAYS, *record):
        if signed or name != "step_signatures":
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert a.counters == b.counters


def same_state(a: Core, b: Core) -> None:
    """Require that everything readable in two cores is equal."""
    assert a.signature() == b.signature()
    assert (a.clocks(), a.phase(), a.counters()) == (b.clocks(), b.phase(), b.counters())
    np.testing.assert_array_equal(a.weights(), b.weights())
    one, other = a.state(), b.state()
    for name in one.__slots__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def run_both(gates: Core, seed: int, windows: int, *, learn: bool = True) -> None:
    """Run the same windows on gates after a reset and on the model; everything must be equal."""
    work = random_work(gates.config, seed, windows)
    model = ModelCore(gates.config, learning=gates.learning)
    forward = ("current", "membrane", "draws")
    record = gates.records if learn else tuple(name for name in forward if name in gates.records)
    results = []
    for core in (model, gates):
        core.load(work.weights)
        results.append(core.run(work.events, work.targets, learn=learn, record=record))
    same(*results, record)
    same_state(model, gates)
    assert gates.signature() != 0
