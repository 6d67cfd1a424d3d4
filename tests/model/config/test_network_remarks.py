"""Remarks on networks: start weights of zero, and draws that repeat within a window."""

from __future__ import annotations

from typing import Any

import pytest

from bitlif.model.config.network import NetworkConfig, NetworkLayer, network_from_dict
from bitlif.model.config.network_remarks import network_remarks


def remarks_of(**fields: Any) -> tuple[str, ...]:
    layers = [{"inputs": 4, "neurons": 3, **fields}, {"neurons": 2}]
    return network_remarks(network_from_dict({"layer": layers}).layers)


def test_usual_networks_have_none() -> None:
    assert remarks_of() == ()
    assert network_remarks(NetworkConfig(layers=(NetworkLayer(),)).layers) == ()
    assert network_remarks(NetworkConfig.load("tiny").layers) == ()


@pytest.mark.parametrize(
    ("fields", "fact"),
    [
        ({"initial": {"low": 0, "high": 0}}, "layer.0.initial: all weights start at 0"),
        ({"initial": {"low": 0, "high": 1e-9}}, "layer.0.initial"),
        (
            {"noise": {"words": 1, "lfsr": {"width": 16, "leap": 13107}}},
            "layer.0.noise.lfsr: the noise of a neuron repeats",
        ),
        ({"sweep": {"lfsr": {"width": 8, "leap": 17}}}, "layer.0.sweep.lfsr: the random bits"),
    ],
)
def test_remark_names_the_field(fields: dict[str, Any], fact: str) -> None:
    assert any(fact in remark for remark in remarks_of(**fields)), remarks_of(**fields)


def test_rounding_without_draws_has_no_period() -> None:
    sweep = {"lfsr": {"width": 8, "leap": 17}, "rounding": "toward_zero"}
    assert remarks_of(sweep=sweep) == ()
