"""Assertions that two cores have equal results and state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bitlif.hdl.core_signals import COUNTERS, FORWARD_COUNTERS, SWEPT_COUNTERS
from bitlif.sim import Core, CoreResult
from bitlif.sim.backends.models import ModelCore
from bitlif.sim.cocotb.contents import Contents
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


def require_contents(found: Contents, core: Any) -> None:
    """Require that what a host has read from a layer or a network is what the model has.

    Parameters
    ----------
    found : Contents
    core : Core or NetworkCore
        The model, after the same windows.
    """
    weights, states, counters = core.weights(), core.state(), core.counters()
    read = (found.weights, found.state, found.counters)
    if isinstance(weights, list):
        counters = core.layer_counters()
        names = SWEPT_COUNTERS if core.learning else FORWARD_COUNTERS
        assert tuple(found.layer_signatures) == core.layer_signatures()
        for own, right in zip(found.sweep_lfsrs, core.sweep_lfsr(), strict=True):
            assert own in ((), right)
    else:
        weights, states, counters, names = [weights], [states], [counters], COUNTERS
        read = ([found.weights], [found.state], [found.counters])
    for own, right in zip(read[0], weights, strict=True):
        np.testing.assert_array_equal(own, right)
    for own, right in zip(read[1], states, strict=True):
        for name in ("current", "membrane", "trace_current", "trace"):
            np.testing.assert_array_equal(getattr(own, name), getattr(right, name), err_msg=name)
        assert own.noise_lfsr == right.noise_lfsr
        # Layers that do not learn, or without stochastic rounding, have none in gates.
        assert own.update_lfsr in ((), right.update_lfsr)
        assert own.phase == (right.phase if core.learning else 0)
    for own, right in zip(read[2], counters, strict=True):
        assert own == {name: right[name] for name in names}
    assert found.signature == core.signature() != 0


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
