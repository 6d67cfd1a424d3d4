"""Lava and the NIR reference by their formulas: in which settings they are our equations.

The formulas are those of `lava.proc.lif.models` (PyLifModelFloat, PyLifModelBitAcc) and of the NIR
paper's NumPy implementation of CubaLIF, written anew. The numbers are those of docs/nir.md.
"""

from __future__ import annotations

import itertools

import nir
import numpy as np
import pytest

from bitlif.model.events import Events
from bitlif.trained.nir_compare import run_real
from bitlif.trained.nir_graph import read_layers

STEPS, INPUTS, NEURONS = 2000, 40, 64
DT, LEAK_S, LEAK_M, THRESHOLD = 1e-3, 0.75, 0.875, 512
DECAYS = 1 - LEAK_S, 1 - LEAK_M
"""Lava's du and dv."""
RASTER = np.random.default_rng(11).random((STEPS, INPUTS)) < 0.05
WEIGHTS = np.round(np.random.default_rng(12).normal(12, 40, (NEURONS, INPUTS))).astype(np.int64)
"""Integers: Lava's fixed-point model takes no others, and their sums have no rounding errors."""
SUMS = RASTER @ WEIGHTS.T
SPIKES = 16_439
"""Of ours"""


def neurons() -> nir.CubaLIF:
    """Return our neurons in NIR, with jumps of the current and the membrane by the weights."""
    tau_s, tau_m = (DT / own for own in DECAYS)
    values = {"tau_syn": tau_s, "tau_mem": tau_m, "r": tau_m / DT, "w_in": tau_s / DT}
    values |= {"v_leak": 0.0, "v_reset": 0.0, "v_threshold": float(THRESHOLD)}
    return nir.CubaLIF(**{name: np.full(NEURONS, own) for name, own in values.items()})


def our_spikes() -> np.ndarray:
    names = {
        "in": nir.Input(np.array([INPUTS])), "weights": nir.Linear(WEIGHTS.astype(float)),
        "neurons": neurons(), "out": nir.Output(np.array([NEURONS])),
    }  # fmt: skip
    edges = list(itertools.pairwise(names))
    network = read_layers(nir.NIRGraph(nodes=names, edges=edges, type_check=False))
    return run_real(network, Events.from_raster(RASTER[None]))[0].spikes[0]


def lava_float() -> np.ndarray:
    du, dv = DECAYS
    u, v = np.zeros(NEURONS), np.zeros(NEURONS)
    found = []
    for given in SUMS:
        u = u * (1 - du) + given
        v = v * (1 - dv) + u
        found.append(v > THRESHOLD)
        v[found[-1]] = 0
    return np.array(found)


def lava_fixed(du: int, dv: int) -> np.ndarray:
    """Return the spikes of Loihi's arithmetic, with u and v in LSBs of 1/64 of a weight."""
    u, v = np.zeros(NEURONS, np.int64), np.zeros(NEURONS, np.int64)
    found = []
    for given in SUMS:
        # Products are rounded toward zero; 1 is added to du, but not to dv.
        u = np.sign(u) * (np.abs(u) * (4096 - du - 1) >> 12) + (given << 6)
        v = np.sign(v) * (np.abs(v) * (4096 - dv) >> 12) + u
        assert max(np.abs(u).max(), np.abs(v).max()) < 1 << 23
        found.append(v > THRESHOLD << 6)
        v[found[-1]] = 0
    return np.array(found)


def nir_reference(*, reset: str) -> np.ndarray:
    """Return the spikes of Euler's method in which both derivatives are those before the step."""
    node = neurons()
    current, v = np.zeros(NEURONS), np.zeros(NEURONS)
    found = []
    for given in SUMS:
        before = current
        current = before + DT / node.tau_syn * (node.w_in * given - before)
        v = v + DT / node.tau_mem * (node.v_leak - v + node.r * before)
        spikes = v > node.v_threshold
        v = np.where(spikes, 0.0 if reset == "zero" else v - node.v_threshold, v)
        found.append(spikes)
    return np.array(found)


def test_lava_in_real_numbers_is_ours() -> None:
    wanted = our_spikes()
    assert wanted.sum() == SPIKES
    np.testing.assert_array_equal(lava_float(), wanted)


@pytest.mark.parametrize(
    ("du", "differ", "spikes"), [(1023, 189, 16_434), (1024, 802, 16_413)]
)  # fmt: skip
def test_lava_in_fixed_point_rounds(du: int, differ: int, spikes: int) -> None:
    theirs = lava_fixed(du, 512)
    assert theirs.sum() == spikes
    assert (theirs != our_spikes()).sum() == differ


def test_nir_reference_is_ours_one_step_later() -> None:
    theirs = nir_reference(reset="zero")
    assert not theirs[0].any()
    np.testing.assert_array_equal(theirs[1:], our_spikes()[:-1])
    assert (theirs != our_spikes()).sum() == 32_829  # not shifted


def test_nir_reference_subtracts_the_threshold() -> None:
    theirs, ours = nir_reference(reset="subtract"), our_spikes()
    assert theirs.sum() == 18_213
    assert (theirs[1:] != ours[:-1]).sum() == 19_591
