"""The kinds of a core's memories by family."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitlif.fpga.memory_table import MemoryRow, memory_rows
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError

DIGITS = Config.load("digits")
DOCUMENT = Path(__file__).parents[2] / "docs" / "network-gates.md"


def row(config: Config, family: str, name: str) -> MemoryRow:
    (found,) = [own for own in memory_rows(config, family) if own.memory == name]
    return found


def test_kind_depends_on_size_ports_and_family() -> None:
    single = DIGITS.replace(gates__single_port="all", layer__lanes=1)
    assert row(single, "ice40", "weights") == MemoryRow(
        "weights", 650, 10, 1, "read or write", "large RAM", 1
    )
    assert row(single, "ice40", "gradient").blocks == 2
    for config, family in ((single, "ice40hx"), (single, "ecp5"), (DIGITS, "ice40")):
        assert row(config, family, "weights").kind == "block RAM"
    assert row(DIGITS, "ice40", "weights").ports == "read, write"
    assert row(DIGITS, "ice40", "targets").kind == "registers"
    assert row(DIGITS, "ecp5", "membranes").kind == "distributed RAM"
    for weights, gradient in (("weights", "block RAM"), ("all", "large RAM")):
        part = single.replace(gates__single_port=weights)
        assert row(part, "ice40", "weights").kind == "large RAM"
        assert row(part, "ice40", "gradient").kind == gradient


def test_memories_that_no_longer_fit_large_ram_are_in_block_ram() -> None:
    # Ten sums are wider than four large RAMs; the weights still fit.
    wide = DIGITS.replace(gates__single_port="all", gates__synapses=10)
    assert row(wide, "ice40", "gradient").kind == "block RAM"
    assert row(wide, "ice40", "weights").kind == "block RAM"
    assert row(wide.replace(gates__synapses=6), "ice40", "weights").blocks == 4


def test_read_only_tables_have_one_port() -> None:
    config = DIGITS.replace(noise__kind="inverse_cdf", noise__words=1, noise__word_bits=8)
    assert row(config, "ice40", "quantiles").ports == "read"


def test_inference_only_cores_have_fewer_memories() -> None:
    names = {own.memory for own in memory_rows(DIGITS, "ecp5", learning=False)}
    assert "weights" in names
    assert "gradient" not in names


def test_bits_of_a_window_of_a_network_are_those_of_the_document() -> None:
    rows = memory_rows(NetworkConfig.load("digits-96"), "ecp5")
    bits = sum(own.rows * own.bits for own in rows if own.memory.endswith(" of a window"))
    assert f"these memories have {bits:,} bits" in DOCUMENT.read_text("utf-8")


def test_unknown_family_is_rejected() -> None:
    with pytest.raises(BitlifError, match=r"^family must be one of .*, not 'vax'$"):
        memory_rows(DIGITS, "vax")
