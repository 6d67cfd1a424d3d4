"""What may import what, and what the built package holds."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import bitlif

ROOT = Path(__file__).parent.parent
FOLDERS = ("bitlif", "model", "hdl", "sim", "study", "scripts", "configs")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

MAY_IMPORT = {
    "bitlif": {"model", "sim"},
    "model": {"model"},
    "hdl": {"model", "hdl"},
    "sim": {"model", "hdl", "sim"},
    "study": {"model", "sim", "study"},
    "scripts": {"model", "hdl", "sim", "study", "scripts"},
    "configs": set(),
}
"""The model stands alone; gates are built from it; simulation holds them against each other."""

TESTED_ELSEWHERE = {
    "arrays": "test_engine.py",  # one loop, which every kernel begins with
    "buffers": "test_layer.py",  # the arrays of every layer, in types that must be wide enough
    "clocks": "test_core.py",  # clocks that gates need
    "gradient": "test_layer.py",  # sparse and dense sums
    "learner": "test_cli_backend.py",  # names only: what training asks of a layer
    "notices": "test_trust.py",  # one sentence a process
    "result": "test_layer.py",  # what a layer gives back
    "signature": "test_core.py",  # what gates are compared by
    "targetfile": "test_weightfile.py",  # both files in one place
    "trace": "test_reference.py",  # one step of the contract
    "update": "test_reference.py",  # one step of the contract
    "window": "test_reference.py",  # the steps in their order
}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path, *, top: bool = False) -> Iterator[str]:
    """Yield the full names that a file imports, only those outside functions if `top`."""
    folder = path.parent.relative_to(ROOT).parts
    package = ["bitlif", *(part for part in folder if part != "bitlif")]
    pending: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif not (top and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))):
            pending += ast.iter_child_nodes(node)


def folder_of(name: str) -> str | None:
    """Return the folder that an import is from: None for other packages and for bitlif itself."""
    parts = name.split(".")
    return parts[1] if parts[0] == "bitlif" and len(parts) > 1 and parts[1] in FOLDERS else None


def test_folders_are_the_packages_that_are_built() -> None:
    built = PROJECT["tool"]["setuptools"]
    places = {"bitlif": "bitlif"} | built["package-dir"]
    assert {name: places[name] for name in built["packages"]} == {
        ("bitlif" if folder == "bitlif" else f"bitlif.{folder}"): folder for folder in FOLDERS
    }
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found == set(FOLDERS)
    # No package within a package: it would be left out.
    assert not [path for folder in FOLDERS for path in (ROOT / folder).glob("*/*.py")]


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_imports_only_from_those_below_it(folder: str) -> None:
    for path in sources(folder):
        # `python -m bitlif` is the command, as the installed one is.
        entry = {"scripts"} if path == ROOT / "bitlif" / "__main__.py" else set()
        for name in imports(path):
            assert folder_of(name) in MAY_IMPORT[folder] | entry | {None}, f"{path.name}: {name}"


def test_only_the_entry_point_imports_the_scripts() -> None:
    importers = [
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        if folder != "scripts"
        for path in sources(folder)
        if any(folder_of(name) == "scripts" for name in imports(path))
    ]
    assert importers == ["bitlif/__main__.py"]
    assert PROJECT["project"]["scripts"] == {"bitlif": "bitlif.scripts.main:main"}


def test_nothing_imports_a_folder_past_its_package() -> None:
    # A second import path would load every class twice.
    for path in (*(own for folder in FOLDERS for own in sources(folder)), *sources("tests")):
        for name in imports(path):
            assert name.split(".")[0] not in set(FOLDERS) - {"bitlif"}, f"{path.name}: {name}"


def packages(requirements: list[str]) -> set[str]:
    """Return the import names of requirements."""
    named = {"scikit-learn": "sklearn", "cocotbext-axi": "cocotbext", "pyserial": "serial"}
    words = [re.match(r"[\w-]+", text)[0] for text in requirements]  # type: ignore[index]
    return {named.get(word, word).replace("-", "_") for word in words}


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_needs_only_packages_that_are_declared(folder: str) -> None:
    required = packages(PROJECT["project"]["dependencies"])
    extras = {
        name: packages(own) for name, own in PROJECT["project"]["optional-dependencies"].items()
    }
    # Of the studies' packages matplotlib comes by way of `demo`, which files import where needed.
    optional = {
        "hdl": extras["gates"],
        "sim": extras["gates"] | extras["dev"],
        "study": extras["study"],
    }
    required |= optional.get(folder, set())
    for path in sources(folder):
        for top in (True, False):
            # What only some commands need is imported where they need it.
            known = (
                required
                if top
                else required.union(
                    *(extras[name] for name in ("demo", "gates", "serial", "boards", "study"))
                )
            )
            for name in imports(path, top=top):
                # cocotb's distribution brings its runner under a name of its own.
                first = name.split(".")[0].replace("cocotb_tools", "cocotb")
                allowed = known | sys.stdlib_module_names | {"bitlif"}
                assert first in allowed, f"{path.name}: {name}"


def test_every_file_of_the_model_has_tests() -> None:
    for path in sources("model"):
        name = path.stem
        if name != "__init__" and not (ROOT / "tests" / f"test_{name}.py").exists():
            assert name in TESTED_ELSEWHERE, f"model/{path.name} has no tests"
            assert (ROOT / "tests" / TESTED_ELSEWHERE[name]).exists()


def test_exceptions_are_files_of_the_model() -> None:
    assert set(TESTED_ELSEWHERE) <= {path.stem for path in sources("model")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package from a copy: building in place leaves files there, and reads old ones."""
    copy = tmp_path_factory.mktemp("source") / "copy"
    ignore = shutil.ignore_patterns("__pycache__")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", out, copy], check=True, capture_output=True)
    (made,) = out.iterdir()
    return made


def test_wheel_holds_every_source_configuration_and_the_mark_of_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {"bitlif/py.typed"}
    for folder in FOLDERS:
        place = "bitlif" if folder == "bitlif" else f"bitlif/{folder}"
        kinds = ("*.py", "*.toml", "*.json", "*.v", "*.cc")
        kept = [path for kind in kinds for path in (ROOT / folder).glob(kind)]
        expected |= {f"{place}/{path.name}" for path in kept}
    assert files == expected
    assert {"bitlif/configs/digits.toml", "bitlif/configs/tiny.toml"} <= files


def test_wheel_is_named_and_licensed_as_the_project(wheel: Path) -> None:
    version = PROJECT["project"]["version"]
    assert version == bitlif.__version__
    assert wheel.name == f"bitlif-{version}-py3-none-any.whl"
    info = f"bitlif-{version}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        entry = archive.read(f"{info}/entry_points.txt").decode()
    assert entry == "[console_scripts]\nbitlif = bitlif.scripts.main:main\n"


def test_wheel_alone_knows_its_configurations(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "import bitlif; print(bitlif.__file__); print(bitlif.Config.load('digits').name)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.stdout.splitlines() == [str(tmp_path / "bitlif" / "__init__.py"), "digits"]
