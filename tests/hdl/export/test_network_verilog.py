# amaranth: UnusedElaboratable=no
"""The exported network, compiled by Verilator: windows of learning, bit for bit the model's."""

from __future__ import annotations

import re

import numpy as np
import pytest
from network_faults import WINDOWS, faulty_network, start_weights, stimulus
from network_host import NetworkHost

import bitlif
from bitlif.hdl.export.network_verilog import network_verilog
from bitlif.hdl.network import NetworkCore
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError


@pytest.mark.parametrize("update", ["window", "spike"])
def test_compiled_network_learns_as_the_model(update: str) -> None:
    config = faulty_network(update)
    host = NetworkHost(config)
    events, targets = stimulus()
    with bitlif.open(config) as core:
        core.load(start_weights(config))
        host.load(core.weights())
        for window in range(WINDOWS):
            given = events.select(range(window, window + 1))
            goals = targets[window : window + 1]
            raster, _ = host.run(given, goals, learn=True)
            expected = core.run(given, goals, learn=True)
            np.testing.assert_array_equal(raster, expected.raster[0])
            assert host.design.clock()["digest"] == core.signature()
        for own, right in zip(host.weights(), core.weights(), strict=True):
            np.testing.assert_array_equal(own, right)


def test_header_explains_every_port() -> None:
    text = network_verilog(faulty_network("spike"))
    head, _, rest = text.partition("\n\n")
    explained = re.findall(r"^// (?:input|output) +\d+ (\w+) +\S", head, re.MULTILINE)
    top = rest[rest.index("module bitlif_faulty(") :]
    top = top[: top.index("endmodule")]
    ports = re.findall(r"^  (?:input|output) (?:\[\d+:0\] )?(\w+);", top, re.MULTILINE)
    assert sorted(explained) == sorted(ports)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"layer__1__gates__single_port": "weights"},
            "layer.1.gates.single_port must be 'none' in a network that learns in gates",
        ),
        (
            {"layer__0__gates__products": 2},
            "layer.0.gates.products must be gates.synapses = 4 in a network that learns",
        ),
    ],
)  # fmt: skip
def test_networks_that_cannot_learn_in_gates_are_refused(change: dict, message: str) -> None:
    config: NetworkConfig = faulty_network("window").replace(**change)
    with pytest.raises(BitlifError, match=f"^{re.escape(message)}"):
        NetworkCore(config)
