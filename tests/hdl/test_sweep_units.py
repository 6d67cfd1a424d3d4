# amaranth: UnusedElaboratable=no
"""The units of the sweep against their twins in the model, in every clock cycle."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import signed
from networks import random_networks, with_option
from unit_clock import drive

from bitlif.hdl.adjoint import AdjointPipe
from bitlif.hdl.credit import CreditPipe, CreditTree
from bitlif.hdl.fixed import shape_for, shape_of
from bitlif.hdl.gradient_pass import GradientPass
from bitlif.hdl.sign_pass import SignPass
from bitlif.hdl.spike_update import SpikeUpdate
from bitlif.hdl.surrogate import SurrogatePipe
from bitlif.hdl.window_memories import MARK_BITS
from bitlif.model import network_clocks as clocks
from bitlif.model.adjoint import adjoint_sum
from bitlif.model.config.network import NetworkConfig
from bitlif.model.credit import credit, credit_sum
from bitlif.model.interval import Interval
from bitlif.model.surrogate import surrogate_value

ROWS = 400
NETWORKS = range(16)


def pick(rng: random.Random, low: int, high: int) -> int:
    """Return a value of a range, often its minimum or maximum, or near zero."""
    near = rng.randint(max(low, -9), min(high, 9))
    return rng.choice((low, high, near, near, rng.randint(low, high)))


def pipelined(unit: Any, rows: list[dict[str, int]], delays: dict[str, int], *shown: str) -> Any:
    """Feed one row per clock cycle; return the outputs of each, `unit.latency` cycles later."""
    fed = []
    for t in range(len(rows) + unit.latency):
        fed.append(
            {
                name: rows[t - delays.get(name, 0)][name]
                for name in rows[0]
                if 0 <= t - delays.get(name, 0) < len(rows)
            }
        )
    return drive(unit, fed, *shown)[unit.latency :]


def wrapped(value: int, bits: int) -> int:
    """Return a value in two's complement of some bits."""
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def layers(number: int) -> list[tuple[NetworkConfig, int]]:
    config = random_networks(16)[number]
    return [(config, layer) for layer in range(len(config.layers))]


@pytest.mark.parametrize("option", [None, "no leak", "no synaptic filter"])
@pytest.mark.parametrize("number", NETWORKS)
def test_adjoint_filters_match_the_model(number: int, option: str | None) -> None:
    rng = random.Random(number)
    drawn = random_networks(16)[number]
    config = drawn if option is None else with_option(drawn, option)
    assert config is not None
    for layer in range(len(config.layers)):
        own = config.layers[layer]
        swept = config.derived_sweep(layer).constants
        drive_format = own.sweep.credit if swept.hidden else own.config.error.format
        for f, fmt, taken in (
            (swept.membrane, own.sweep.membrane, drive_format),
            (swept.current, own.sweep.current, own.sweep.membrane),
        ):
            unit = AdjointPipe(f, fmt, shape_of(taken))
            rows = [
                {
                    "state": pick(rng, fmt.raw_min, fmt.raw_max),
                    "taken": pick(rng, taken.raw_min, taken.raw_max),
                    "random": rng.getrandbits(f.shift.random_bits or 1),
                }
                for _ in range(ROWS)
            ]
            if not f.shift.random_bits:
                for row in rows:
                    row["random"] = 0
            found = pipelined(unit, rows, {"random": unit.random_delay}, "state_next", "saturated")
            expected = [adjoint_sum(row["state"], row["taken"], row["random"], f) for row in rows]
            assert found == [(value, int(flag)) for value, flag in expected]


@pytest.mark.parametrize("number", NETWORKS)
def test_credit_matches_the_model(number: int) -> None:
    rng = random.Random(number)
    for config, layer in layers(number)[:-1]:
        own, after = config.layers[layer], config.layers[layer + 1]
        swept = config.derived_sweep(layer).constants
        c, fmt = swept.credit, own.sweep.credit
        weight, kap = after.config.synapse.weight, after.sweep.current
        neurons = after.config.layer.neurons
        total = Interval.of(weight) * Interval.of(kap)
        total = total.times(neurons)
        if own.sweep.feedback == "sign":
            total = (Interval(-1, 1) * Interval.of(kap)).times(neurons)
        tree = CreditTree(shape_of(weight), shape_of(kap), shape_for(total), neurons, c.feedback)
        sums = [
            {
                "weights": [pick(rng, weight.raw_min, weight.raw_max) for _ in range(neurons)],
                "adjoints": [pick(rng, kap.raw_min, kap.raw_max) for _ in range(neurons)],
                "first": rng.random() < 0.5 or not place,
            }
            for place in range(ROWS // 4)
        ]
        found = pipelined(tree, sums, {"first": tree.latency - 1}, "total")
        running = 0
        for row, (value,) in zip(sums, found, strict=True):
            mine = credit_sum(np.array(row["weights"]), np.array(row["adjoints"]), c.feedback)
            running = mine + (0 if row["first"] else running)
            # A sum of more rows than a layer has may leave its range; the next one starts anew.
            assert value == wrapped(running, shape_for(total).width)
        bits = own.sweep.surrogate.bits
        unit = CreditPipe(c, fmt, shape_for(total), bits)
        rows = [
            {
                "total": pick(rng, total.low, total.high),
                "derivative": pick(rng, 0, (1 << bits) - 1),
                "random": rng.getrandbits(c.shift.random_bits) if c.shift.random_bits else 0,
            }
            for _ in range(ROWS)
        ]
        found = pipelined(unit, rows, {"random": unit.random_delay}, "credit", "saturated")
        expected = [credit(row["total"], row["derivative"], row["random"], c) for row in rows]
        assert found == [(value, int(flag)) for value, flag in expected]


@pytest.mark.parametrize("number", NETWORKS)
def test_surrogate_matches_the_model(number: int) -> None:
    rng = random.Random(number)
    for config, layer in layers(number)[:-1]:
        own = config.layers[layer]
        s = config.derived_sweep(layer).constants.surrogate
        fmt = own.config.membrane.format
        threshold = config.derived(layer).constants.threshold
        unit = SurrogatePipe(s, threshold, shape_of(fmt), own.sweep.surrogate.bits)
        edges = [threshold + sign * (s.width + off) for sign in (-1, 1) for off in (-1, 0, 1)]
        values = [pick(rng, fmt.raw_min, fmt.raw_max) for _ in range(ROWS)]
        values += [min(max(own_edge, fmt.raw_min), fmt.raw_max) for own_edge in edges]
        found = pipelined(unit, [{"membrane": value} for value in values], {}, "derivative")
        assert found == [(surrogate_value(value, threshold, s),) for value in values]


def test_clock_cycles_of_the_model_are_those_of_the_stages() -> None:
    assert (AdjointPipe.latency, CreditPipe.latency) == (clocks.ADJOINT, clocks.CREDIT)
    assert (SpikeUpdate.latency, SignPass.latency) == (clocks.UPDATE, clocks.SIGN)
    assert (GradientPass.latency, MARK_BITS) == (clocks.GRADIENT, clocks.MARK_BITS)
    one = CreditTree(signed(3), signed(3), signed(6), 1, 0)
    assert 2 + one.latency == clocks.TREE
