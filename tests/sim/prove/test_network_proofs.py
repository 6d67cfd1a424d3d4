"""Proofs of the units of networks, and that faults and changed models are refuted."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from network_faults import faulty_network, kind_of
from networks import random_networks

from bitlif.hdl.bus import register_bank
from bitlif.model import adjoint as model_adjoint
from bitlif.model import credit as model_credit
from bitlif.model.config.network import NetworkConfig, network_from_dict
from bitlif.model.errors import BitlifError
from bitlif.model.interval import Interval
from bitlif.sim.compare.network_faults import NETWORK_FAULTS
from bitlif.sim.compare.patches import line_replaced
from bitlif.sim.prove.elaborate import elaborated
from bitlif.sim.prove.finding import Finding
from bitlif.sim.prove.network_units import NETWORK_UNITS, layer_units
from bitlif.sim.prove.proofs import proofs, units_of
from bitlif.sim.prove.prover import prove

ARITHMETIC = {
    "adjoint-sign": "adjoint",
    "adjoint-rounding": "adjoint",
    "adjoint-floor": "adjoint",
    "reset-uncut": "adjoint",
    "surrogate-width": "surrogate",
    "credit-kept": "credit_sum",
    "gradient-sign": "sweep_gradient",
    "weights-stale": "spike_update",
}
"""The planted faults of arithmetic units, and the unit that each is in."""

ELSEWHERE = {
    "sweep-order", "adjoint-stale", "active-stale", "surrogate-step", "surrogate-absent",
    "credit-row", "credit-stale", "credit-overrun", "rows-open", "sweep-lfsr", "gradient-kept",
    "mute-never", "marks-stale", "draws-first", "spikes-left", "sign-row", "spikes-inverted",
    "spikes-absent", "error-absent", "flags-lost", "errors-lost", "noise-shared", "sweeps-shared",
    "sweeps-early", "close-early", "digest-unturned",
}  # fmt: skip
"""The planted faults of what connects the units: they are tested, not proved."""

SHIPPED = ("digits-96", "gunpoint", "randman")
RANDOM = 16
LIMIT = 1200.0
"""Seconds for a claim: far more than any needs, so that a busy machine changes no result."""


def small_network() -> NetworkConfig:
    """Return a network with the kinds of rounding, feedback, surrogate and update of no other."""
    layers: list[dict[str, Any]] = [
        {
            "inputs": 3, "neurons": 4, "lanes": 2,
            "sweep": {"rounding": "toward_zero", "surrogate": {"width": 0.7, "bits": 4}},
        },
        {
            "neurons": 3, "lanes": 1,
            "sweep": {"rounding": "nearest", "feedback": "sign", "update": "spike"},
        },
        {"neurons": 3, "lanes": 2, "gates": {"synapses": 4}, "sweep": {"update": "spike"}},
    ]  # fmt: skip
    return network_from_dict({"name": "small", "window": {"steps": 6}, "layer": layers})


SWEEP = ("surrogate", "sweep_lfsr", "adjoint", "credit_sum", "sweep_gradient", "spike_update")
"""The units that single layers do not have."""


def check(config: NetworkConfig, *kinds: str) -> list[str]:
    """Prove all units, or those of some kinds, and return their names."""
    units = [own for kind in kinds or (None,) for own in units_of(config, kind)]
    names = []
    for proof in proofs(units, LIMIT):
        assert proof.result == "proved", (config, proof)
        assert proof.bits > 0
        names.append(proof.unit)
    return names


def refuted(config: NetworkConfig, unit: str, layer: int) -> list[Finding]:
    """Return what is refuted of a unit of a layer."""
    found = [
        own for proof in proofs(layer_units(config, layer)[unit], LIMIT) for own in proof.findings
    ]
    return [own for own in found if own.answer.result == "refuted"]


def test_units_of_every_kind_are_proved() -> None:
    kinds = [kind for kind in SWEEP if kind != "sweep_gradient"]
    names = check(NetworkConfig.load("yin-yang")) + check(small_network(), *kinds)
    assert len(set(names)) < len(names)  # both networks have some of the same name
    bases = {re.sub(r"^layer_\d+_", "", name) for name in names}
    found = {re.sub(r"(_\d+)+$", "", base) for base in bases}
    passes = {"adjoint_clocks", "credit_clocks", "update_clocks"}
    assert found == {*NETWORK_UNITS, *passes} - {"sweep_clocks"}
    assert {"spike_update_0_0", "spike_update_0_1", "update_1"} <= bases


def test_layers_have_the_units_that_they_use() -> None:
    frozen = small_network().replace(layer__0__sweep__feedback="none")
    kinds = [set(layer_units(frozen, number)) for number in range(3)]
    common = {"rounding", "noise_lfsr", "noise", "neuron", "signature", "turns"}
    taught = {"adjoint", "update_lfsr", "spike_update"}
    assert kinds == [
        common,
        common | taught | {"surrogate"},
        common | taught | {"table", "error", "credit_sum", "sweep_lfsr"},
    ]


def test_every_fault_is_of_a_unit_or_between_units() -> None:
    assert set(NETWORK_FAULTS) == set(ARITHMETIC) | ELSEWHERE
    assert not set(ARITHMETIC) & ELSEWHERE


def layer_of(name: str) -> int:
    """Return the last layer whose unit can have a fault."""
    return NETWORK_FAULTS[name].layers(faulty_network(kind_of(name)))[-1]


@pytest.mark.parametrize("name", ARITHMETIC)
def test_planted_fault_is_refuted_and_replayed(name: str) -> None:
    fault = NETWORK_FAULTS[name]
    with line_replaced(fault.module, fault.line, fault.wrong):
        found = refuted(faulty_network(kind_of(name)), ARITHMETIC[name], layer_of(name))
    assert found
    assert all(own.gates != own.model for own in found)
    assert found[0].operation
    assert any(" and not " in own.replayed for own in found), found


@pytest.mark.long
@pytest.mark.parametrize("name", ARITHMETIC)
def test_unit_without_its_fault_is_proved(name: str) -> None:
    config = faulty_network(kind_of(name))
    (proof, *_) = proofs(layer_units(config, layer_of(name))[ARITHMETIC[name]], LIMIT)
    assert proof.result == "proved", proof


def floor(x: Any, random: Any, s: Any) -> Any:
    """Round down, whatever the mode."""
    return ((x << s.left) >> s.right) >> s.random_bits


@pytest.mark.parametrize(
    ("module", "claim"), [(model_adjoint, "adjoint membrane"), (model_credit, "credit")]
)
def test_change_of_the_model_alone_is_refuted(
    module: Any, claim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "shift_sweep", floor)
    found = refuted(NetworkConfig.load("yin-yang"), "adjoint", 0)
    assert found[0].claim == claim
    assert f"saturated to {-512} ..= {511}" in found[0].operation
    assert any(" and not " in own.replayed for own in found)


@pytest.mark.parametrize(
    "name", ["adjoint membrane sum", "adjoint current sum", "credit sum", "sweep gradient"]
)
def test_range_that_is_too_narrow_is_refuted(name: str) -> None:
    units = layer_units(NetworkConfig.load("yin-yang"), 0)
    (unit,) = units["sweep_gradient" if name == "sweep gradient" else "adjoint"]
    if name == "sweep gradient":
        reach = unit._reach
        unit._reach = narrow = Interval(reach.low, reach.high - 1)
    else:
        reach = unit._derived.ranges[name]
        narrow = Interval(reach.low, reach.high - 1)
        ranges = {**unit._derived.ranges, name: narrow}
        unit._derived = dataclasses.replace(unit._derived, ranges=ranges)
    found = list(prove(unit, elaborated({unit.name: unit.component()})[unit.name], LIMIT))
    (wrong,) = [own for own in found if own.answer.result == "refuted"]
    assert wrong.claim == f"range of {name}"
    assert wrong.model == reach.high
    assert f"{narrow.low} ..= {narrow.high}" in wrong.describe()


@pytest.mark.parametrize(
    ("line", "wrong", "violated"),
    [
        # A write into a layer that is not selected; a layer that there is not.
        ("port.store.eq(here(access.write", "port.store.eq((access.write", {"host", "same"}),
        ("(word[: field.bits] >= layers)", "(word[: field.bits] > layers)", {"response"}),
    ],
)
def test_fault_of_the_register_bank_violates_a_property(
    line: str, wrong: str, violated: set[str]
) -> None:
    with line_replaced(register_bank, line, wrong):
        (proof,) = proofs(units_of(NetworkConfig.load("yin-yang"), "register_bank"), LIMIT)
    found = {own.claim.split(",")[0] for own in proof.findings if own.answer.result == "refuted"}
    assert violated <= found


def test_registers_of_all_layers_are_watched() -> None:
    (unit,) = units_of(NetworkConfig.load("yin-yang"), "register_bank")
    machine = elaborated({unit.name: unit.component()})[unit.name]
    watched = {name.removeprefix("bank.") for name, *_ in unit._held if machine.has(name)}
    ports = ("memory", "index", "row", "high", "store", "advance", "seek_state")
    assert watched >= {
        "run", "learn", "flush", "load", "_layer", "effect_control", "effect_load", "effect_layer",
        "effect_memory", "effect_address", *(f"port_{k}.{name}" for k in (0, 1) for name in ports),
    }  # fmt: skip
    paired = {name for name, _ in unit._same if machine.has(name)}
    assert paired == {"bank.access_state", "bank._layer", "bank.selected_0", "bank.selected_1"}


def test_unit_that_no_layer_has_raises() -> None:
    with pytest.raises(BitlifError, match=r"^--unit must be one of rounding, .*did you mean 'adj"):
        units_of(small_network(), "adjoints")
    with pytest.raises(BitlifError, match=r"than spike_update: no layer of yin-yang has it$"):
        units_of(NetworkConfig.load("yin-yang"), "spike_update")


@pytest.mark.long
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_network_is_proved(name: str) -> None:
    check(NetworkConfig.load(name))


@pytest.mark.long
@pytest.mark.parametrize("number", range(RANDOM))
def test_random_network_is_proved(number: int) -> None:
    check(random_networks(RANDOM)[number])
