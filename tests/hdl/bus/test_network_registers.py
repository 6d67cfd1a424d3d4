"""The register map of networks, and the files that are generated from it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from networks import random_networks

from bitlif.hdl.adjoint_pass import sweep_streams
from bitlif.hdl.bus.network_registers import (
    NETWORK_IDENTITY,
    NETWORK_MEMORIES,
    NETWORK_REGISTERS,
    SELECTED,
)
from bitlif.hdl.bus.register_files import FORMATS
from bitlif.hdl.bus.register_map import register_map
from bitlif.hdl.bus.registers import (
    ADDRESS_BITS,
    IDENTITY,
    MEMORIES,
    REGISTERS,
    SCHEDULE,
    WORD_BITS,
)
from bitlif.hdl.core_signals import SWEPT_COUNTERS, lfsr_counts
from bitlif.hdl.network_port import SweptHostSignature
from bitlif.model.config.network import NetworkConfig, any_hash
from bitlif.model.state import FREE_MEMORY_NUMBERS
from bitlif.scripts.main import main

NETWORKS = (NetworkConfig.load("digits-96"), *random_networks(12))


def test_registers_are_aligned_words_that_do_not_overlap() -> None:
    offsets = [register.offset for register in NETWORK_REGISTERS.values()]
    assert offsets == sorted(set(offsets))
    assert all(offset % 4 == 0 and offset < 1 << ADDRESS_BITS for offset in offsets)
    for register in NETWORK_REGISTERS.values():
        taken = 0
        for field in register.fields:
            assert field.mask < 1 << WORD_BITS
            assert not taken & field.mask, f"{register.name}.{field.name}"
            taken |= field.mask


def test_registers_and_memories_of_a_layer_keep_their_place() -> None:
    for name, own in NETWORK_REGISTERS.items():
        if name in REGISTERS:
            assert (own.offset, own.access) == (REGISTERS[name].offset, REGISTERS[name].access)
        else:
            assert own.offset not in {other.offset for other in REGISTERS.values()}
    assert set(REGISTERS) - set(NETWORK_REGISTERS) == {
        "SYNAPTIC_TRACE_SATURATIONS", "TRACE_SATURATIONS"
    }  # fmt: skip
    for name, memory in NETWORK_MEMORIES.items():
        assert name == "sweep_lfsr" or memory == MEMORIES[name]
    # No variable that somebody adds can take its number.
    assert NETWORK_MEMORIES["sweep_lfsr"].number not in FREE_MEMORY_NUMBERS


def test_every_counter_of_a_network_has_a_register_of_the_layer() -> None:
    assert {name.upper() for name in SWEPT_COUNTERS} <= set(NETWORK_REGISTERS)
    assert set(SELECTED) <= set(NETWORK_REGISTERS)


@pytest.mark.parametrize("number", range(len(NETWORKS)))
def test_elements_match_the_host_ports(number: int) -> None:
    network = NETWORKS[number]
    for place, own in enumerate(network.layers):
        config = own.config
        port = SweptHostSignature(network, place)
        found = register_map(network).places[place].elements
        phase = port.members["schedule"].shape
        for memory, field in SCHEDULE.items():
            assert found[memory].count == len(config.schedule)
            assert found[memory].high < 1 << phase[field].width
        assert found["weights"].count == config.layer.inputs * config.layer.neurons
        assert ("table_a" in found) == ("table_b" in found) == ("entry" in port.members)
        for name in ("update_lfsr", "sweep_lfsr"):
            assert (name in found) == (name in port.members)
            if name in found:
                assert found[name].count == port.members[name].shape.length
        if "sweep_lfsr" in found:
            assert found["sweep_lfsr"].count == sweep_streams(network, place)
        assert found["noise_lfsr"].count == lfsr_counts(config)[0]
        lean = register_map(network, learning=False).places[place].elements
        assert list(lean) == ["weights", "current", "membrane", "noise_scale", "noise_lfsr"]


def test_constants_identify_network_and_layer() -> None:
    network = NETWORKS[0]
    own = register_map(network)
    digest = own.constants["CONFIG_HASH_HIGH"] << 32 | own.constants["CONFIG_HASH_LOW"]
    assert f"{digest:016x}" == any_hash(network)
    assert NETWORK_IDENTITY.to_bytes(4, "little") == b"BTLN"
    assert own.constants["IDENTITY"] == NETWORK_IDENTITY != IDENTITY
    assert own.constants["LAYERS"] == 2
    hidden, last = (place.constants for place in own.places)
    assert (hidden["INPUTS"], hidden["NEURONS"], hidden["LANES"]) == (65, 96, 4)
    assert (last["INPUTS"], last["NEURONS"], last["LANES"]) == (96, 10, 1)
    assert (hidden["ENTRIES"], last["ENTRIES"]) == (0, 256)
    # learning, update_lfsr, learned, sweep_lfsr; and in the last layer targets
    assert (hidden["VARIANT"], last["VARIANT"]) == (0b111001, 0b111101)
    lean = register_map(network, learning=False)
    assert [place.constants["VARIANT"] for place in lean.places] == [0, 0]


@pytest.mark.parametrize("words", [["--network"], ["tiny-net"]])
def test_c_header_compiles_and_has_the_layers(words: list[str], tmp_path: Path) -> None:
    if words == ["tiny-net"]:
        NETWORKS[1].save(tmp_path / "net.toml")
        words = [str(tmp_path / "net.toml")]
    header, source = tmp_path / "map.h", tmp_path / "map.c"
    assert main(["registers", *words, "--format", "c", "--out", str(header)]) == 0
    text = header.read_text("utf-8")
    for name, register in NETWORK_REGISTERS.items():
        assert f"#define BITLIF_{name} {register.offset:#x}u\n" in text
    if words[0] != "--network":
        for number, place in enumerate(register_map(NETWORKS[1]).places):
            for name, value in place.constants.items():
                assert f"#define BITLIF_LAYER_{number}_{name}_VALUE {value:#x}u\n" in text
            for name, own in place.elements.items():
                line = f"BITLIF_LAYER_{number}_ELEMENTS_OF_{name.upper()} {own.count:#x}u"
                assert f"#define {line}\n" in text
    source.write_text('#include "map.h"\n#include "map.h"\nint last;\n')
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"]
    subprocess.run(["gcc", *flags, source], check=True)


def test_python_module_and_document_have_the_layers() -> None:
    network = NETWORKS[0]
    found: dict[str, object] = {}
    exec(compile(FORMATS["python"](network), "map.py", "exec"), found)
    assert found["LAYER_0_ELEMENTS_OF_WEIGHTS"] == 65 * 96
    assert found["LAYER_1_NEURONS_VALUE"] == 10
    text = FORMATS["markdown"](network)
    assert "### Layer 1" in text
    assert "| `weights` | 6240 | -2048 | 2047 |" in text


def test_network_option_needs_no_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["registers", "digits-96", "--network"]) == 2
    assert "--network must not be given with CONFIG" in capsys.readouterr().err
