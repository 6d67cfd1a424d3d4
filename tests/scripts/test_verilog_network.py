"""``bitlif verilog`` of a network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bitlif.hdl.export.network_verilog import network_axi_verilog, network_verilog
from bitlif.model.config.network import NetworkConfig
from bitlif.scripts.main import main

NETWORK = """
name = "two"
[window]
steps = 4
[[layer]]
inputs = 3
neurons = 2
lanes = 1
[[layer]]
neurons = 2
lanes = 1
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "two.toml"
    path.write_text(NETWORK)
    return path


@pytest.mark.parametrize("learning", [True, False])
def test_network_is_written(source: Path, learning: bool) -> None:
    out = source.with_suffix(".sv")
    options = [] if learning else ["--inference"]
    assert main(["verilog", str(source), "--out", str(out), *options]) == 0
    assert out.read_text() == network_verilog(NetworkConfig.load(source), learning=learning)
    assert ("sweep" in out.read_text()) == learning


def test_network_behind_axi_is_written_with_its_ports_explained(source: Path) -> None:
    out = source.with_suffix(".sv")
    assert main(["verilog", str(source), "--bus", "axi", "--out", str(out)]) == 0
    text = out.read_text()
    assert text == network_axi_verilog(NetworkConfig.load(source))
    head, _, rest = text.partition("\n\n")
    explained = re.findall(r"^// (?:input|output) +\d+ (\w+) +\S", head, re.MULTILINE)
    top = rest[rest.index("module bitlif_two_axi(") :]
    ports = re.findall(
        r"^  (?:input|output) (?:\[\d+:0\] )?(\w+);", top[: top.index("endmodule")], re.MULTILINE
    )
    assert sorted(explained) == sorted(ports)
    assert "docs/network-registers.md has the map" in head


@pytest.mark.parametrize("option", [["--weights", "w.npz"], ["--memories", "m"]])
def test_options_of_layers_are_refused(
    source: Path, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verilog", str(source), *option]) == 2
    assert f"{option[0]} must not be given with a network" in capsys.readouterr().err
