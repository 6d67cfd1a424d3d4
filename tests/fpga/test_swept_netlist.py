"""Networks that learn, in cells of a UP5K: products of sweeps do not meet errors of Yosys."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_network import small_network, small_work

import bitlif
from bitlif.fpga.estimate import estimate
from bitlif.fpga.netlist import mapped_core
from bitlif.fpga.paired_products import CELL
from bitlif.fpga.synthesis import _require_operands
from bitlif.hdl.export.network_verilog import network_name, network_verilog
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError

NETWORK: NetworkConfig = small_network().replace(layer__1__sweep__update="spike")
"""Two credit products of a row are added, and products of the updates have repeated signs."""


def test_products_of_sweeps_are_logic_as_estimated() -> None:
    top = network_name(NETWORK)
    netlist = json.loads(mapped_core(network_verilog(NETWORK), top, "ice40").read_text("utf-8"))
    names = [
        name for name, cell in netlist["modules"][top]["cells"].items() if cell["type"] == CELL
    ]
    assert names
    assert not [name for name in names if ".sweep" in name]
    assert len(names) == estimate(NETWORK, "ice40", learning=True).core["multipliers"]


MULTIPLIER: dict[str, Any] = {
    "type": CELL,
    "parameters": {
        f"{half}{name}": value
        for half in ("TOP", "BOT")
        for name, value in (("ADDSUB_UPPERINPUT", "1"), ("OUTPUT_SELECT", "01"))
    },
    "connections": {"C": [*range(16)], "D": [*range(16, 32)]},
}


def test_lost_operand_of_an_adder_is_refused() -> None:
    _require_operands({"cells": {"m": MULTIPLIER}}, Path("log"))
    for port in ("C", "D"):
        lost = copy.deepcopy(MULTIPLIER)
        lost["connections"][port][3] = "x"
        with pytest.raises(BitlifError, match=f"^yosys lost operand {port} of m; its log is log$"):
            _require_operands({"cells": {"m": lost}}, Path("log"))
        # The product alone is shown: its adder is not used.
        lost["parameters"] |= {"TOPOUTPUT_SELECT": "11", "BOTOUTPUT_SELECT": "11"}
        _require_operands({"cells": {"m": lost}}, Path("log"))


@pytest.mark.long
@pytest.mark.parametrize("family", ["ice40", "ice40hx"])
def test_netlist_learns_as_the_model(family: str) -> None:
    work = small_work(6)
    with bitlif.open(NETWORK) as model, bitlif.open(NETWORK, f"netlist:{family}") as gates:
        model.load(work.weights)
        gates.load(work.weights)
        for window in range(6):
            one = work.events.select([window])
            goals = work.targets[window : window + 1]
            model.learn(one, goals)
            gates.learn(one, goals)
            for own, right in zip(gates.weights(), model.weights(), strict=True):
                np.testing.assert_array_equal(own, right)
        assert gates.signature() == model.signature()
        assert all(
            np.any(own != old) for own, old in zip(model.weights(), work.weights, strict=True)
        )
