"""Planted faults: each is found, in the layer and the pass in which it was planted."""

from __future__ import annotations

import re
from typing import Any

import pytest
from amaranth.hdl import Fragment
from network_faults import KINDS, LATE, WINDOWS, faulty_network, first_difference, kind_of

from bitlif.hdl.export.network_verilog import network_verilog
from bitlif.hdl.layer import LayerCore
from bitlif.hdl.network import NetworkCore
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.sim.compare.network_faults import (
    NETWORK_FAULTS,
    fault_planted,
    faulty_network_verilog,
)

EVERY_LAYER = ("adjoint-sign", "gradient-sign", "credit-kept", "active-stale")
"""Faults of each kind of pass, planted in every layer by day; the others in one."""


def cases() -> list[Any]:
    """Return each fault with each layer in which it can be planted."""
    found = []
    for number, (name, fault) in enumerate(NETWORK_FAULTS.items()):
        layers = fault.layers(faulty_network(kind_of(name))) or [None]
        for layer in layers:
            # Neighbours in the list are in different layers.
            quick = name in EVERY_LAYER or layer == layers[number % len(layers)]
            marks = [] if quick else [pytest.mark.long]
            found.append(pytest.param(name, layer, marks=marks, id=f"{name}@{layer}"))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_no_difference_without_a_fault(kind: str) -> None:
    assert first_difference(kind, WINDOWS) is None


@pytest.mark.parametrize(("name", "layer"), cases())
def test_fault_is_found_where_it_is(name: str, layer: int | None) -> None:
    fault, kind = NETWORK_FAULTS[name], kind_of(name)
    inject = name if layer is None else f"{name}@{layer}"
    with fault_planted(inject, faulty_network(kind)):
        found = first_difference(kind, WINDOWS if name in LATE else 1)
    assert found is not None
    if layer is not None:
        assert found[0] == layer + fault.shown
    assert found[1] == fault.part


def units(core: Any) -> set[str]:
    """Return the modules of `bitlif.hdl` whose units a core has."""
    fragments, found = [Fragment.get(core, None)], set()
    while fragments:
        own = fragments.pop()
        fragments += [part for part, *_ in own.subfragments]
        found |= {type(origin).__module__ for origin in own.origins or ()}
    return {name.rpartition(".")[2] for name in found if name.startswith("bitlif.hdl.")}


def test_every_unit_has_a_fault() -> None:
    """The units that layers have, too, have the faults of layers."""
    only_networks = set.union(*(units(NetworkCore(faulty_network(kind))) for kind in KINDS))
    only_networks -= units(LayerCore(Config.load("tiny")))
    assert {fault.unit for fault in NETWORK_FAULTS.values()} == only_networks


def test_fault_of_a_layer_is_in_that_layer_only() -> None:
    config = faulty_network("window")

    def modules(text: str) -> dict[str, str]:
        return dict(re.findall(r"^module (\S+) (.*?)^endmodule", text, re.M | re.S))

    right = modules(network_verilog(config))
    for inject, layers in (("adjoint-sign", {"0", "1", "2"}), ("adjoint-sign@1", {"1"})):
        wrong = modules(faulty_network_verilog(inject, config))
        assert wrong.keys() == right.keys()
        differ = [name for name in right if wrong[name] != right[name]]
        assert {re.findall(r"layer_(\d)", name)[0] for name in differ} == layers
    assert modules(network_verilog(config)) == right


@pytest.mark.parametrize(
    ("inject", "message"),
    [
        ("reset-uncut@2", "LAYER in --inject reset-uncut@LAYER must be 0 or 1, where the fault "),
        ("reset-uncut@", "LAYER in --inject reset-uncut@LAYER must be 0 or 1, .*, not ''$"),
        ("marks-stale@x", "LAYER in --inject marks-stale@LAYER must be 0, .* in faulty, not 'x'$"),
        ("close-early@1", "^fault close-early connects the layers: .* takes no @LAYER$"),
        ("adjoint-floor@1", "no layer learns with sweep.rounding = 'toward_zero'"),
        ("resetuncut@1", "did you mean 'reset-uncut'"),
    ],
)
def test_fault_without_effect_raises(inject: str, message: str) -> None:
    with (
        pytest.raises(BitlifError, match=message),
        fault_planted(inject, faulty_network("window")),
    ):
        pass
