"""What may import what, where files and their tests are, and what the built package holds."""

from __future__ import annotations

import ast
import graphlib
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

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

MAY_IMPORT = {
    "bitlif": {"model", "tasks", "sim", "trained"},
    "model": set(),
    "tasks": {"model"},
    "hdl": {"model"},
    "host": {"model", "hdl"},
    "fpga": {"model", "tasks", "hdl"},
    "sim": {"model", "tasks", "hdl", "host", "fpga"},
    "study": {"model", "tasks", "hdl", "fpga", "sim"},
    "trained": {"model", "tasks"},
    "scripts": {"model", "tasks", "hdl", "host", "fpga", "sim", "study", "trained"},
    "configs": set(),
}
"""The folders in their order: each imports from those before it, and none from those after it."""

FOLDERS = tuple(MAY_IMPORT)

TWINS = {
    "adjoint", "credit", "fixed", "gradient", "layer", "lfsr", "network", "neuron", "noise",
    "signature", "surrogate", "table", "trace", "update",
}  # fmt: skip
"""Modules of `bitlif.model` whose gates are in a module of `bitlif.hdl` with the same name."""

MOST_LINES = 400

TESTED_ELSEWHERE = {
    "model/buffers.py": "model/test_layer.py",  # the arrays of every layer
    "model/config/schema.py": "model/config/test_toml.py",  # tables from TOML and back
    "model/config/network_layer.py": "model/config/test_network.py",  # a layer of a network
    "model/config/network_tree.py": "model/config/test_network.py",  # networks as TOML and back
    "model/constants.py": "model/test_derive.py",  # what derivation makes
    "model/sections.py": "model/config/test_config.py",  # parts of every configuration
    "model/clocks.py": "sim/backends/test_core.py",  # clock cycles that gates need
    "model/derive_sweep.py": "model/test_surrogate.py",  # and test_network: all of its integers
    "model/network_clocks.py": "hdl/test_network.py",  # clock cycles that gates need
    "model/network_part.py": "model/test_network.py",  # the arrays of a network's layer
    "model/network_result.py": "model/test_network.py",  # what a network returns
    "model/network_stepping.py": "sim/backends/test_network_core.py",  # windows in steps
    "model/network_window.py": "model/test_network.py",  # the windows of a network
    "model/sweep_sections.py": "model/config/test_network.py",  # parts of its configuration
    "model/files/target_file.py": "model/files/test_weight_file.py",  # both files in one place
    "model/counters.py": "model/test_reference.py",  # places in the array of counters
    "model/floating/constants.py": "model/floating/test_layer.py",  # parameters of every twin
    "model/floating/following.py": "model/floating/test_network_bound.py",  # what the twin follows
    "model/floating/network_part.py": "model/floating/test_network.py",  # arrays of its layers
    "model/floating/network_result.py": "model/floating/test_network.py",  # what it returns
    "model/floating/network_stepping.py": "sim/backends/test_network_float.py",  # its steps
    "model/floating/network_snapshot.py": "model/floating/test_network.py",  # its state
    "model/floating/network_step.py": "model/floating/test_network.py",  # its windows
    "model/floating/stepping.py": "sim/backends/test_stepping.py",  # windows in steps
    "model/gradient.py": "model/test_layer.py",  # sparse and dense sums
    "model/engine/loops.py": "model/engine/test_compile.py",  # loops of every kernel
    "model/engine/word_type.py": "model/engine/test_words.py",  # the type of compiled words
    "model/sweep_credit.py": "model/test_network.py",  # credit for the layer before
    "model/sweep_draws.py": "model/test_network.py",  # draws of the sweep
    "model/sweep_gradient.py": "model/test_network.py",  # the gradient of a window
    "model/logging.py": "model/storage/test_trust.py",  # one sentence a process
    "model/result.py": "model/test_layer.py",  # what a layer returns
    "model/signature.py": "sim/backends/test_core.py",  # what gates are compared by
    "model/stepping.py": "sim/backends/test_stepping.py",  # windows in steps
    "model/targets.py": "model/files/test_weight_file.py",  # rounding of real targets
    "model/trace.py": "model/test_reference.py",  # one step of the contract
    "model/update.py": "model/test_reference.py",  # one step of the contract
    "model/window.py": "model/test_reference.py",  # the steps in their order
}
"""Modules of the model without a test file of their own, and where they are tested."""


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


MODULES = {
    ".".join(("bitlif", *path.relative_to(ROOT).with_suffix("").parts)): path
    for folder in FOLDERS
    if folder != "bitlif"
    for path in sources(folder)
}


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


def module_of(name: str) -> str | None:
    """Return the module of ours that an imported name is, or is from."""
    return next((own for own in (name, name.rpartition(".")[0]) if own in MODULES), None)


IMPORTS = {
    own: {found for name in imports(path) if (found := module_of(name)) not in (None, own)}
    for own, path in MODULES.items()
}
"""Of every module, those that it imports: also in functions, and for type checkers."""


def test_folders_are_the_packages_that_are_built() -> None:
    built = PROJECT["tool"]["setuptools"]
    places = {name: name.removeprefix("bitlif.") for name in FOLDERS if name != "bitlif"}
    assert built["package-dir"] == {f"bitlif.{name}": name for name in places}
    found = {path.parent.relative_to(ROOT) for path in ROOT.glob("*/**/__init__.py")}
    packages = {
        "bitlif" if path == Path("bitlif") else ".".join(("bitlif", *path.parts))
        for path in found
        if path.parts[0] in FOLDERS
    }
    assert set(built["packages"]) == packages
    # No folder without its __init__: it would be left out.
    for folder in FOLDERS:
        assert {path.parent.relative_to(ROOT) for path in sources(folder)} <= found


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_imports_only_from_those_below_it(folder: str) -> None:
    for path in sources(folder):
        # `python -m bitlif` is the command, as the installed one is.
        entry = {"scripts"} if path == ROOT / "bitlif" / "__main__.py" else set()
        for name in imports(path):
            allowed = {folder, *MAY_IMPORT[folder], *entry, None}
            assert folder_of(name) in allowed, f"{path.name}: {name}"


def test_modules_import_each_other_in_no_cycle() -> None:
    try:
        graphlib.TopologicalSorter(IMPORTS).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_folders_within_folders_import_each_other_in_no_cycle() -> None:
    # A module beside such folders counts as one of them.
    parts = {name: ".".join(name.split(".")[:3]) for name in MODULES}
    graph: dict[str, set[str]] = {part: set() for part in parts.values()}
    for name, found in IMPORTS.items():
        graph[parts[name]] |= {parts[own] for own in found} - {parts[name]}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_module_is_too_long() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
        for folder in FOLDERS
        for path in sources(folder)
    }
    assert not {name for name, lines in lengths.items() if lines > MOST_LINES}


@pytest.mark.parametrize("name", sorted(TWINS))
def test_twins_have_one_name_and_the_gates_say_so(name: str) -> None:
    assert (ROOT / "model" / f"{name}.py").exists()
    text = (ROOT / "hdl" / f"{name}.py").read_text("utf-8")
    assert f"model twin: `bitlif.model.{name}`" in text[:400]


def test_modules_of_one_name_in_model_and_hdl_are_twins() -> None:
    both = [{path.stem for path in (ROOT / name).glob("*.py")} for name in ("model", "hdl")]
    assert both[0] & both[1] - {"__init__"} == TWINS


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
        "fpga": extras["gates"],
        # The classifier derives from scikit-learn's classes, and is imported without them.
        "sim": extras["gates"] | extras["prove"] | extras["dev"] | {"sklearn"},
        "study": extras["study"],
        "trained": extras["torch"],
    }
    required |= optional.get(folder, set())
    for path in sources(folder):
        for top in (True, False):
            # What only some commands need is imported where they need it.
            known = (
                required
                if top
                else required.union(
                    *(
                        extras[name]
                        for name in (
                            "demo",
                            "gates",
                            "serial",
                            "boards",
                            "study",
                            "bench",
                            "torch",
                            "nir",
                        )
                    )
                )
            )
            for name in imports(path, top=top):
                # cocotb's distribution brings its runner under a name of its own.
                first = name.split(".")[0].replace("cocotb_tools", "cocotb")
                allowed = known | sys.stdlib_module_names | {"bitlif"}
                assert first in allowed, f"{path.name}: {name}"


def test_every_file_of_the_model_has_tests() -> None:
    for path in sources("model"):
        name = path.relative_to(ROOT)
        test = ROOT / "tests" / name.with_name(f"test_{path.name}")
        if path.stem != "__init__" and not test.exists():
            assert name.as_posix() in TESTED_ELSEWHERE, f"{name} has no tests"
            assert (ROOT / "tests" / TESTED_ELSEWHERE[name.as_posix()]).exists()


def test_exceptions_are_files_of_the_model() -> None:
    known = {path.relative_to(ROOT).as_posix() for path in sources("model")}
    assert set(TESTED_ELSEWHERE) <= known


def test_tests_stand_in_the_folders_of_what_they_test() -> None:
    folders = {path.parent.relative_to(ROOT) for folder in FOLDERS for path in sources(folder)}
    allowed = {Path("tests") / folder for folder in folders} | {
        Path("tests"), Path("tests/support"), Path("tests/whole"),
    }  # fmt: skip
    for path in sources("tests"):
        assert path.parent.relative_to(ROOT) in allowed, path
        if path.parent == ROOT / "tests" / "support":
            assert not path.name.startswith("test_")


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


def test_wheel_has_all_sources_configurations_and_py_typed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {"bitlif/py.typed"}
    for folder in FOLDERS:
        kinds = ("*.py", "*.toml", "*.json", "*.v", "*.cc", "*.css", "*.js", "*.html")
        kept = [path for kind in kinds for path in (ROOT / folder).rglob(kind)]
        names = [path.relative_to(ROOT).as_posix() for path in kept]
        expected |= {name if folder == "bitlif" else f"bitlif/{name}" for name in names}
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
