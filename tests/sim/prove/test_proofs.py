"""Proofs of all units, and that faults and changed models are refuted."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from bitlif.hdl import neuron as neuron_gates
from bitlif.hdl import trace as trace_gates
from bitlif.model import derive as derivation
from bitlif.model import neuron as model_neuron
from bitlif.model import signature as model_signature
from bitlif.model import table as model_table
from bitlif.model import trace as model_trace
from bitlif.model import update as model_update
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.interval import Interval
from bitlif.sim.compare.faults import FAULTS
from bitlif.sim.compare.patches import patched
from bitlif.sim.prove.finding import Finding
from bitlif.sim.prove.proofs import UNITS, proofs, units_of

from strategies import random_configs

ARITHMETIC = {
    "lfsr-taps": "noise_lfsr",
    "lfsr-leap": "noise_lfsr",
    "noise-bit": "noise",
    "current-floor": "neuron",
    "current-wraps": "neuron",
    "membrane-leak": "neuron",
    "threshold-greater": "neuron",
    "reset-other": "neuron",
    "noise-truncated": "neuron",
    "hold-missing": "neuron",
    "flag-lost": "neuron",
    "table-columns": "table",
    "target-complement": "error",
    "table-short": "error",
    "trace-floor": "trace",
    "error-bit": "gradient",
    "update-floor": "update",
    "update-magnitude": "update",
    "rate-left": "update",
    "draws-shared": "update_lfsr",
    "polynomial": "signature",
}
"""The planted faults of arithmetic units, and the unit that each is in."""

ELSEWHERE = {
    "row-ignored", "mark-missed", "schedule-rate", "state-stale", "spike-dropped", "counter-short",
    "bubble", "sums-stale", "silence-unseen", "marks-late", "errors-bank", "clear-other",
    "place-first", "empty-slot-draws", "empty-slot-update", "trace-stale", "lfsr-stale",
    "phase-stuck",
}  # fmt: skip
"""The planted faults of what connects the units: they are tested, not proved."""

LONG = ("digits", "digits-4bit", "teacher", "patterns", "icebreaker-20k")
RANDOM = 20
LIMIT = 1200.0
"""Seconds for a claim: far more than any needs, so that a busy machine changes no result."""


def refuted(config: Config, unit: str) -> list[Finding]:
    found = [
        finding for proof in proofs(units_of(config, unit), LIMIT) for finding in proof.findings
    ]
    return [finding for finding in found if finding.answer.result == "refuted"]


def units_of_kind(config: Config, name: str) -> list[Any]:
    """Return the units of a kind; a configuration without random bits has no LFSR for them."""
    if name == "update_lfsr" and not config.learning.random_bits:
        return []
    return units_of(config, name)


COMMON = {"axi_lite", "register_seek", "uart_line", "uart_frames", "update_pass", "step_clocks"}
"""Units that do not depend on a configuration."""


def check(config: Config, limit: float) -> None:
    units = [own for name in UNITS if name not in COMMON for own in units_of_kind(config, name)]
    for proof in proofs(units, limit):
        assert proof.result == "proved", (config, proof)


def test_tiny_is_proved() -> None:
    names = []
    for proof in proofs(units_of(Config.load("tiny")), LIMIT):
        assert proof.result == "proved", proof
        assert proof.bits > 0
        names.append(proof.unit)
    parts = {
        "update": ["update_0"],
        "turns": ["turns", "turns_inference"],
        "step_clocks": ["gather_clocks", "neuron_clocks", "emitter_clocks", "product_clocks"],
        "axi_stream": [
            "axi_stream_events_fast", "axi_stream_targets_fast", "axi_stream_events_slow",
            "axi_stream_targets_slow", "axi_stream_output",
        ],
        "uart_frames": ["uart_sender", "uart_receiver"],
    }  # fmt: skip
    assert names == [part for name in UNITS for part in parts.get(name, [name])]


def test_every_fault_is_of_a_unit_or_between_units() -> None:
    assert set(FAULTS) == set(ARITHMETIC) | ELSEWHERE
    assert not set(ARITHMETIC) & ELSEWHERE


@pytest.mark.parametrize("name", ARITHMETIC)
def test_planted_fault_is_refuted_and_replayed(name: str) -> None:
    fault = FAULTS[name]
    with contextlib.ExitStack() as stack:
        for owner, attribute, value in fault.patches(fault.config):
            stack.enter_context(patched(owner, attribute, value))
        found = refuted(fault.config, ARITHMETIC[name])
    assert found
    assert all(finding.gates != finding.model for finding in found)
    assert found[0].operation
    if name != "table-columns":  # its counterexample is an entry that the table begins with
        assert any(" and not " in finding.replayed for finding in found), found
    assert not refuted(fault.config, ARITHMETIC[name])  # the patches are undone


def half_down(x: Any, bias: int, shift: int) -> Any:
    """Round to nearest, ties toward minus infinity."""
    return (x + bias - 1) >> shift if bias else x >> shift


CHANGES = {
    "neuron": (model_neuron, "round_shift", half_down),
    "error": (model_table, "round_shift", half_down),
    "trace": (model_neuron, "round_shift", half_down),
    "update": (
        model_update, "stochastic_shift",
        lambda x, left, bias, right, random, bits: (((x << left) >> right) + random) >> bits,
    ),
    "signature": (model_signature, "POLYNOMIAL", 0x04C11DB5),
}  # fmt: skip


@pytest.mark.parametrize("unit", CHANGES)
def test_change_of_the_model_alone_is_refuted(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*CHANGES[unit])
    found = refuted(Config.load("tiny"), unit)
    assert found
    assert any(" and not " in finding.replayed for finding in found)


def test_range_that_is_too_narrow_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config.load("tiny")
    true = derivation.derive(config)
    reach = true.ranges["membrane sum"]
    narrow = {**true.ranges, "membrane sum": Interval(reach.low, reach.high - 1)}
    from bitlif.sim.prove import forward_units

    class Narrow:
        constants, phases, table, ranges = true.constants, true.phases, true.table, narrow

    monkeypatch.setattr(forward_units, "derive", lambda asked: Narrow)
    (found,) = refuted(config, "neuron")
    assert found.claim == "range of membrane sum"
    assert (found.gates, found.model) == (None, reach.high)
    assert f"{reach.low} ..= {reach.high - 1}" in found.describe()


def test_trace_steps_are_what_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    def sticky(state: Any, taken: Any, f: Any) -> Any:
        return model_neuron.saturate(state + taken, f.low, f.high)

    monkeypatch.setattr(model_trace, "leaky_sum", sticky)
    assert refuted(Config.load("tiny"), "trace")


def test_time_that_is_not_enough_is_told() -> None:
    (proof,) = proofs(units_of(Config.load("conformance/wide"), "neuron"), 0.001)
    assert proof.result == "unknown"


def test_unknown_unit_raises() -> None:
    with pytest.raises(BitlifError, match=r"^--unit must be one of rounding, .*did you mean 'tr"):
        units_of(Config.load("tiny"), "traces")
    nearest = Config.load("tiny").replace(learning__random_bits=0)
    with pytest.raises(BitlifError, match=r"learning\.random_bits is 0"):
        units_of(nearest, "update_lfsr")


@pytest.mark.long
@pytest.mark.parametrize("name", LONG)
def test_shipped_configuration_is_proved(name: str) -> None:
    check(Config.load(name), LIMIT)


@pytest.mark.long
@pytest.mark.parametrize("number", range(RANDOM))
def test_random_configuration_is_proved(number: int) -> None:
    check(random_configs(RANDOM)[number], LIMIT)


@pytest.mark.parametrize("injection", ["threshold", "membrane"])
def test_neuron_without_noise_is_proved(injection: str) -> None:
    config = Config.load("tiny").replace(noise__kind="none", membrane__injection=injection)
    [proof] = proofs(units_of(config, "neuron"), LIMIT)
    assert proof.result == "proved"
    for unit in ("noise", "noise_lfsr"):
        with pytest.raises(BitlifError, match=rf"than {unit}: noise\.kind is 'none' in tiny$"):
            units_of(config, unit)
    with contextlib.ExitStack() as stack:
        for owner, attribute, value in FAULTS["threshold-greater"].patches(config):
            stack.enter_context(patched(owner, attribute, value))
        assert "spike" in {finding.claim for finding in refuted(config, "neuron")}


@pytest.mark.parametrize("injection", ["threshold", "membrane"])
def test_subtracted_threshold_is_proved(injection: str) -> None:
    changes = {"membrane__reset": "subtract", "membrane__injection": injection}
    config = Config.load("tiny").replace(noise__kind="none", **changes)
    [proof] = proofs(units_of(config, "neuron"), LIMIT)
    assert proof.result == "proved"
    with patched(
        neuron_gates, "derive", lambda own: derivation.derive(own.replace(membrane__reset="free"))
    ):
        assert {finding.claim for finding in refuted(config, "neuron")} == {"kept membrane"}


@pytest.mark.parametrize("unit", ["neuron", "trace"])
def test_units_without_a_leak_are_proved(unit: str) -> None:
    config = Config.load("tiny").replace(membrane__decay="integrate")
    assert [proof.result for proof in proofs(units_of(config, unit), LIMIT)] == ["proved"]
    leaky = Config.load("tiny")
    owner = {"neuron": neuron_gates, "trace": trace_gates}[unit]
    with patched(owner, "derive", lambda own: derivation.derive(leaky)):
        assert refuted(config, unit)


@pytest.mark.parametrize("unit", ["neuron", "trace", "rounding"])
def test_units_without_a_synaptic_filter_are_proved(unit: str) -> None:
    config = Config.load("tiny").replace(synapse__decay="none")
    assert [proof.result for proof in proofs(units_of(config, unit), LIMIT)] == ["proved"]
    if unit == "neuron":
        with contextlib.ExitStack() as stack:
            for owner, attribute, value in FAULTS["current-floor"].patches(config):
                stack.enter_context(patched(owner, attribute, value))
            coarse = config.replace(synapse__current="s8.1")
            assert "synaptic current" in {finding.claim for finding in refuted(coarse, unit)}
