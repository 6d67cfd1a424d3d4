"""The register map, and the files that are generated from it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from bitlif.hdl.bus.register_files import FORMATS
from bitlif.hdl.bus.registers import (
    ADDRESS_BITS,
    MEMORIES,
    REGISTERS,
    SCHEDULE,
    WORD_BITS,
    constants,
    elements,
    variant,
)
from bitlif.hdl.core_signals import COUNTERS, lfsr_counts
from bitlif.hdl.host_port import phase_layout
from bitlif.hdl.loadable import rate_shifts
from bitlif.model.config.config import Config
from bitlif.model.config.toml import config_hash
from bitlif.scripts.main import main

DOCS = Path(__file__).parents[3] / "docs"


def test_registers_are_aligned_words_that_do_not_overlap() -> None:
    offsets = [register.offset for register in REGISTERS.values()]
    assert offsets == sorted(set(offsets))
    assert all(offset % 4 == 0 and offset < 1 << ADDRESS_BITS for offset in offsets)
    assert {register.access for register in REGISTERS.values()} == {"ro", "rw"}


def test_fields_lie_within_their_register_and_do_not_overlap() -> None:
    for register in REGISTERS.values():
        taken = 0
        for field in register.fields:
            assert field.mask < 1 << WORD_BITS
            assert not taken & field.mask, f"{register.name}.{field.name}"
            taken |= field.mask


def test_memory_numbers_are_consecutive() -> None:
    assert [memory.number for memory in MEMORIES.values()] == list(range(len(MEMORIES)))


def test_every_counter_of_the_core_has_a_register() -> None:
    assert {name.upper() for name in COUNTERS} <= set(REGISTERS)


@pytest.mark.parametrize("name", ["tiny", "digits", "digits-4bit", "teacher"])
def test_elements_match_the_core(name: str) -> None:
    config = Config.load(name)
    own = elements(config)
    layout = phase_layout(config)
    for memory, field in SCHEDULE.items():
        assert own[memory].high < 1 << layout[field].width
        assert own[memory].count == len(config.schedule)
    assert own["shift"].high == len(rate_shifts(config)) - 1
    noise, update = lfsr_counts(config)
    assert own["noise_lfsr"].count == noise
    assert ("update_lfsr" in own) == (update > 0)
    assert own["weights"].count == config.layer.inputs * config.layer.neurons
    lean = elements(config, learning=False)
    assert list(lean) == ["weights", "current", "membrane", "noise_scale", "noise_lfsr"]


def test_core_without_noise_has_no_elements_of_noise() -> None:
    config = Config.load("tiny")
    quiet = config.replace(noise__kind="none")
    for learning in (True, False):
        without = set(elements(config, learning=learning)) - {"noise_scale", "noise_lfsr"}
        assert set(elements(quiet, learning=learning)) == without


def test_constants_identify_configuration_and_variant() -> None:
    config = Config.load("tiny")
    fixed = constants(config)
    digest = fixed["CONFIG_HASH_HIGH"] << 32 | fixed["CONFIG_HASH_LOW"]
    assert f"{digest:016x}" == config_hash(config)
    assert fixed["IDENTITY"].to_bytes(4, "little") == b"BTLF"
    assert variant(config) == 0b1101
    assert variant(config, learning=False) == 0
    teacher = config.replace(membrane__reset="teacher")
    assert variant(teacher, learning=False) == 0b0110
    assert all(0 <= value < 1 << WORD_BITS for value in fixed.values())


def test_values_wider_than_a_word_are_refused() -> None:
    config = Config.load("tiny")
    long = config.replace(schedule=[{"windows": 1 << 32, "sigma": 0.3}, {"sigma": 0.15}])
    with pytest.raises(ValueError, match=r"^schedule\.windows must be below 2\*\*32"):
        elements(long)
    # An inference-only core has no memory of windows per phase.
    wide = config.replace(layer__inputs=1 << 16, layer__neurons=1 << 16)
    with pytest.raises(ValueError, match=r"^layer\.inputs times layer\.neurons must be below"):
        elements(wide)


@pytest.mark.parametrize(
    ("name", "kind"), [("registers.md", "markdown"), ("bitlif_registers.h", "c")]
)
def test_committed_files_match_the_command(name: str, kind: str, tmp_path: Path) -> None:
    made = tmp_path / name
    assert main(["registers", "--format", kind, "--out", str(made)]) == 0
    fresh = f"stale: bitlif registers --format {kind} --out docs/{name}"
    assert made.read_text("utf-8") == (DOCS / name).read_text("utf-8"), fresh


def test_committed_map_of_networks_matches_the_command(tmp_path: Path) -> None:
    made = tmp_path / "map.md"
    assert main(["registers", "--network", "--out", str(made)]) == 0
    fresh = "stale: bitlif registers --network --out docs/network-registers.md"
    assert made.read_text("utf-8") == (DOCS / "network-registers.md").read_text("utf-8"), fresh


def numbers() -> Iterator[tuple[str, int]]:
    """Yield the names that both languages must define, and their values."""
    for register in REGISTERS.values():
        yield register.name, register.offset
        for field in register.fields:
            yield f"{register.name}_{field.name.upper()}_MASK", field.mask
            yield f"{register.name}_{field.name.upper()}_LOW", field.low
    for memory in MEMORIES.values():
        yield f"MEMORY_{memory.name.upper()}", memory.number


@pytest.mark.parametrize("name", [None, "tiny"])
def test_c_header_compiles_and_matches_the_map(name: str | None, tmp_path: Path) -> None:
    words = [] if name is None else [name]
    header, source, program = (tmp_path / own for own in ("map.h", "map.c", "map"))
    assert main(["registers", *words, "--format", "c", "--out", str(header)]) == 0
    expected = dict(numbers())
    if name:
        fixed = constants(Config.load(name))
        expected |= {f"{register}_VALUE": value for register, value in fixed.items()}
    lines = [f'    printf("%s %lu\\n", "{own}", (unsigned long)BITLIF_{own});' for own in expected]
    text = ["#include <stdio.h>", '#include "map.h"', '#include "map.h"', "int main(void) {"]
    source.write_text("\n".join([*text, *lines, "    return 0;", "}", ""]))
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["gcc", *flags, source, "-o", program], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    found = dict(line.split() for line in done.stdout.splitlines())
    assert {own: int(value) for own, value in found.items()} == expected


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_python_module_imports_and_matches_the_map(tmp_path: Path) -> None:
    made = tmp_path / "made_registers.py"
    assert main(["registers", "tiny", "--format", "python", "--out", str(made)]) == 0
    module = load(made)
    for name, value in numbers():
        assert getattr(module, name) == value
    for name, value in constants(Config.load("tiny")).items():
        assert getattr(module, f"{name}_VALUE") == value
    for name, own in elements(Config.load("tiny")).items():
        assert getattr(module, f"ELEMENTS_OF_{name.upper()}") == own.count
    assert module.__doc__


@pytest.mark.parametrize("name", ["*/ #error x /*", "/*", "**//", "a\\", "??/", '"""', "# x"])
def test_configuration_name_cannot_end_a_comment(name: str, tmp_path: Path) -> None:
    config = Config.load("tiny").replace(name=name)
    source = tmp_path / "map.c"
    source.write_text(FORMATS["c"](config) + "int last;\n")
    flags = ["-std=c99", "-trigraphs", "-Wall", "-Wextra", "-Werror", "-Wno-trigraphs"]
    subprocess.run(["gcc", *flags, "-fsyntax-only", source], check=True)
    found: dict[str, object] = {}
    exec(compile(FORMATS["python"](config), "map.py", "exec"), found)
    assert found["ELEMENTS_OF_WEIGHTS"] == 24


def test_configuration_name_is_escaped_in_the_document() -> None:
    text = FORMATS["markdown"](Config.load("tiny").replace(name="<script>*x*|"))
    assert r"## The core of \<script\>\*x\*\|" in text.splitlines()


def test_document_of_a_configuration_has_its_elements(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["registers", "tiny", "--inference"]) == 0
    text = capsys.readouterr().out
    assert "| `weights` | 24 | -32 | 31 |" in text
    assert "| `trace` | 6" not in text


def test_map_needs_no_amaranth() -> None:
    code = """
import sys
sys.modules["amaranth"] = None
from bitlif.scripts.main import main
sys.exit(main(["registers", "tiny", "--format", "c"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
