"""Operations of networks in reports: each, computed again, gives the model's value."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace

import numpy as np
import pytest
from network_faults import active_work, kind_of
from networks import random_networks
from operations import equations, operation_value

import bitlif
from bitlif.model.config.network import NetworkConfig
from bitlif.sim.backends.network_gates import NetworkGateCore
from bitlif.sim.compare.compare import Mismatch
from bitlif.sim.compare.network_crosscheck import crosscheck_network
from bitlif.sim.compare.network_expected import (
    NetworkExpected,
    compute_network_expected,
    random_network_work,
)
from bitlif.sim.compare.network_explain import explain_network, with_operation
from bitlif.sim.compare.network_faults import faulty_network_verilog
from bitlif.tasks.scenario import NetworkWork

FORWARD = ("weight sum", "synaptic current", "membrane potential", "spike", "kept membrane")
STEPS = ("adjoint current", "adjoint membrane", "credit", "credit sum")
RESULTS = {"adjoint current": "kap", "gradient": "G", "weight": "w"}
LAST, HIDDEN = ["d", "lam", "kap"], ["S", "g", "d", "lam", "kap"]
QUICK = ("credit-row", "weights-stale")
"""Faults in a credit and in an update by spike, whose gates are compiled by day."""
SPIKE_UPDATES = ("weights-stale", "draws-first", "spikes-left")
FAULTS = (
    *QUICK, *SPIKE_UPDATES[1:], "sweep-order", "adjoint-sign", "adjoint-rounding", "adjoint-stale",
    "reset-uncut", "surrogate-width", "surrogate-step", "credit-kept", "sweep-lfsr",
    "gradient-sign", "marks-stale", "spikes-inverted",
)  # fmt: skip
"""Faults that show first in an adjoint current, a gradient or a weight."""


BY_DAY = ("window", "spike", 3, 4, 7, 10)
"""Networks in which all roundings, feedbacks, surrogates and kinds of updates occur."""

networks = pytest.mark.parametrize(
    "which",
    [*BY_DAY, *(pytest.param(n, marks=pytest.mark.long) for n in range(12) if n not in BY_DAY)],
)


@functools.cache
def modelled(which: str | int) -> tuple[NetworkWork, NetworkExpected]:
    """Return two windows of a network, in which all layers learn, or of a random one."""
    if isinstance(which, str):
        work = active_work(which)
    else:
        work = random_network_work(random_networks(12)[which], which, 2)
    return work, compute_network_expected(work, interpreted=True)


def places(values: np.ndarray) -> list[tuple[int, ...]]:
    """Return places in the second window: both ends, and some with values that are not 0."""
    ends = [(0, 0), tuple(size - 1 for size in values.shape[1:])]
    found = np.random.default_rng(1).permutation(np.argwhere(values[1]))[:4].tolist()
    return [(1, *place) for place in (*ends, *found)]


def surrogate_of(config: NetworkConfig, number: int) -> list[int]:
    return [int(own) for own in config.derived_sweep(number).constants.surrogate.table]


@networks
def test_operations_of_sweeps_give_the_values(which: str | int) -> None:
    work, expected = modelled(which)
    config = work.network
    for n in range(config.learned_from, len(config.layers)):
        observed, table = expected.layers[n].observed, surrogate_of(config, n)
        for signal in (*STEPS, "gradient", "weight"):
            values = observed.get(signal.replace(" ", "_"))
            for place in () if values is None else places(values):
                assert values is not None
                text = explain_network(work, expected, n, signal, place)
                found = equations(text, table)
                assert found[-1].value == values[place], text
                names = [one.name for one in found]
                if signal == "adjoint current":
                    assert names == (HIDDEN if config.is_hidden(n) else LAST)
                # What an equation takes from one before it is the value of that one.
                for before, after in itertools.pairwise(found):
                    if after.name in ("lam", "kap") or (before.name, after.name) == ("G", "w"):
                        assert f" x {before.value}" in after.text, text


@networks
def test_operations_of_steps_give_the_values(which: str | int) -> None:
    work, expected = modelled(which)
    for n, own in enumerate(expected.layers):
        for signal in (*FORWARD, "error"):
            values = own.observed.get(signal.replace(" ", "_"))
            for place in () if values is None else places(values):
                assert values is not None
                text = explain_network(work, expected, n, signal, place)
                if "+ ..." not in text:
                    assert operation_value(text) == values[place], (signal, text)


@pytest.mark.parametrize("number", [8, 10])
def test_operation_does_not_depend_on_the_windows_kept(number: int) -> None:
    config = random_networks(12)[number]
    work = random_network_work(config, number, 4)
    every, two = (compute_network_expected(work, interpreted=True, since=since) for since in (0, 2))
    for n in range(config.learned_from, len(config.layers)):
        for signal in ("spike", "noise draw", "adjoint current", "weight"):
            text = explain_network(work, every, n, signal, (3, 0, 0))
            assert text
            assert text == explain_network(work, two, n, signal, (3, 0, 0))


def test_weights_that_are_not_learned_and_counters_are_named() -> None:
    config = random_networks(12)[5]
    work = random_network_work(config, 5, 1, learns=False)
    expected = compute_network_expected(work, interpreted=True)
    assert explain_network(work, expected, 0, "weight", (0, 0, 0)) == (
        "w as it was loaded: it is not learned"
    )
    assert explain_network(work, expected, 0, "adjoint current", (0, 0, 0)) == ""
    first = Mismatch("layer.0 end: counters", {"counter": 1}, 3, 4, "")
    told = with_operation(first, work, expected, ("active_errors", "weight_saturations"))
    assert str(told).endswith("the model computes the number of weight saturations")
    first = Mismatch("signature", {"number": 0}, 3, 4, "")
    assert with_operation(first, work, expected, ()) == first


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "fault",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.long) for name in FAULTS],
)
def test_fault_is_reported_with_the_operation(fault: str) -> None:
    work = active_work(kind_of(fault))
    if fault in SPIKE_UPDATES:
        # In more layers, wrong weights show in the sweep of an earlier layer before they are read.
        network = NetworkConfig(layers=work.network.layers[-1:])
        work = replace(work, network=network, weights=work.weights[-1:])
    verilog = faulty_network_verilog(fault, work.network)
    with (
        bitlif.open(work.network) as model,
        NetworkGateCore(work.network, "rtl", verilog=verilog) as gates,
    ):
        _, other = crosscheck_network([model, gates], work)
    first = other.first
    assert first is not None
    part, _, signal = first.signal.rpartition(": ")
    layer = int(part.split()[0].removeprefix("layer."))
    *_, last = equations(first.operation, surrogate_of(work.network, layer))
    assert (last.name, last.value) == (RESULTS[signal], first.model)
