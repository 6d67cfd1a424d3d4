"""Printed output: hostile text, narrow terminals, odd encodings, closed streams."""

from __future__ import annotations

import ast
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import warn
from bitlif.scripts.console.standard_streams import GuardedStream, encodable
from bitlif.scripts.console.terminal import (
    console,
    report_table,
    result_table,
    warnings_as_sentences,
)
from bitlif.scripts.main import SUBCOMMANDS, build_parser, main

ROOT = Path(__file__).parents[3]
BITLIF = [sys.executable, "-m", "bitlif"]

HOSTILE = (
    "[/x]",
    "[bold red]a[/]",
    "\x1b[2Jb",
    "c\nd",
    "\udcff",
    "\x9b31m",
    ":smile:",
    "\u202eabc",
)
"""Markup, escape sequences, ends of lines, bytes that are no UTF-8, text from right to left."""

NAME = "".join(text for text in HOSTILE if text.isprintable())
"""What the name of a configuration may hold of it."""

Caught = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hostile_config(path: str, name: str) -> str:
    text = dump_config(Config.load("tiny").replace(name=name))
    Path(path).write_text(text, "utf-8")
    return path


def exit_code(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as stop:
        return int(stop.code or 0)


def assert_harmless(text: str, *, lines: int | None = None) -> None:
    assert all(letter.isprintable() or letter == "\n" for letter in text), ascii(text)
    assert "Traceback" not in text
    if lines is not None:
        assert text.count("\n") == lines


# -- text that means something to a terminal -----------------------------------------------------


def test_only_one_module_prints() -> None:
    # Whoever prints by himself forgets what a name can do to a terminal.
    for path in sorted((ROOT / "scripts").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print" or path.name == "terminal.py", path.name
            if isinstance(node, ast.ImportFrom) and path.name != "rich_console.py":
                module = "" if node.level else str(node.module)
                assert module == "rich.progress" or module.split(".")[0] != "rich", path.name


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_text_is_printed_literally(text: str, capsys: Caught) -> None:
    screen = console()
    screen.print(f"sentence {text}")
    screen.print(result_table(f"title {text}", ("", f"column {text}"), [(f"row {text}", text)]))
    screen.print(report_table(text, {text: text}))
    shown = capsys.readouterr().out
    assert_harmless(shown)
    plain = text if text.isprintable() else repr(text)[1:-1]
    for place in ("sentence", "title", "column", "row"):
        assert f"{place} {plain}" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["config", "show", "FILE"],
        ["config", "show", "FILE", "--derived"],
        ["config", "validate", "FILE"],
        ["config", "diff", "FILE", "tiny"],
        ["estimate", "FILE"],
        ["fit", "FILE", "--board", "hx8k", "--vary", "lanes"],
        ["noise", "FILE", "--draws", "100000"],
        ["golden", "FILE", "--windows", "1", "--out", "NEW"],
        ["registers", "FILE", "--out", "NEW"],
        ["verilog", "FILE", "--out", "NEW"],
        ["crosscheck", "FILE", "--windows", "1", "--backends", "model,float"],
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_names_and_paths_are_text(words: list[str], folder: Path, capfd: Caught) -> None:
    path = "".join(HOSTILE)
    Path(path).parent.mkdir(parents=True)
    names = {"FILE": hostile_config(f"{path}.toml", NAME), "NEW": f"{path}-new"}
    assert main([names.get(word, word) for word in words]) in (0, 1)
    out, err = capfd.readouterr()
    # A document is not for the terminal here: it ends in the lines that it has.
    if words[1] != "show" or "--derived" in words:
        assert_harmless(out)
    assert NAME in out or path.encode("utf-8", "replace") not in out.encode("utf-8", "replace")
    assert_harmless(err)


def test_paths_are_text_from_learning_to_running(folder: Path, capfd: Caught) -> None:
    path = "".join(HOSTILE)
    assert main(["learn", "tiny", "--out", path, "--epochs", "1"]) == 0
    files = ["--weights", f"{path}/weights.npz", "--spikes", f"{path}/spikes.npz"]
    assert main(["run", "tiny", *files, "--out", f"{path}.npz"]) == 0
    out, err = capfd.readouterr()
    assert_harmless(out)
    assert_harmless(err)
    assert Path(path, "weights.npz").exists()


@pytest.mark.parametrize("command", [name for name in SUBCOMMANDS if name != "help"])
def test_wrong_arguments_are_refused_in_printable_text(
    command: str, folder: Path, capfd: Caught
) -> None:
    text = "".join(HOSTILE)
    for words in ([command, text, text], [command, f"--{text}"], [command, "--out", text, text]):
        assert exit_code(words) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert_harmless(err)
        assert len(err.splitlines()[-1]) < 450
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("path", ["/", "", ".", "..", "x" * 300, "/dev/null"])
@pytest.mark.parametrize(
    "words",
    [
        ["learn", "tiny", "--epochs", "1"], ["golden", "tiny", "--windows", "1"],
        ["noise", "tiny", "--draws", "100000"], ["registers", "tiny"], ["verilog", "tiny"],
        ["figures", "--quick", "--only", "bins"], ["demo", "--no-gates", "--epochs", "1"],
        ["build", "tiny", "--board", "hx8k"], ["study", "quickstart"],
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_impossible_places_are_one_sentence(
    words: list[str], path: str, folder: Path, capfd: Caught
) -> None:
    if path == "/dev/null" and words[0] in ("registers", "verilog"):
        return  # a file like any other
    if words[0] in ("noise", "study") and path in ("/", ".", ".."):
        return  # they write into folders that are there
    assert exit_code([*words, f"--out={path}"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert_harmless(err, lines=None if path == "" else 1)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["run", "tiny", "--weights", "w", "--spikes", "s", "--backend", "serial:x@" + 4300 * "9"],
        ["crosscheck", "tiny", "--backends", "model,serial:x@" + 5000 * "9"],
        ["selftest", "--port", "x", "--baud", 5000 * "9"],
        ["learn", "tiny", "--out", "x", "--seed", 5000 * "9"],
        ["learn", "tiny", "--out", "x", "--seed", "9" * 50],
        ["demo", "--epochs", "-1"],
        ["noise", "tiny", "--draws", "nan"],
        ["verify", "tiny", "--stall", "nan"],
        ["verify", "tiny", "--stall", "9" * 500],
        ["build", "tiny", "--board", "hx8k", "--mhz", "nan"],
        ["build", "tiny", "--board", "hx8k", "--mhz", "inf"],
        ["fit", "tiny", "--board", "hx8k", "--margin", "nan"],
        ["report", "x", "--loss", "nan"],
        ["study", "x" * 100_000, "--out", "y"],
        ["estimate", "x" * 100_000],
        ["estimate", "tiny", "--board", "x" * 100_000],
        ["crosscheck", "tiny", "--inject", "x" * 100_000],
        ["crosscheck", "tiny", "--backends", "x" * 100_000],
        ["figures", "--only", "x" * 100_000],
        ["bench", "--threads", "9" * 5000],
        ["fit", "tiny", "--board", "hx8k", "--vary", "x" * 100_000],
        ["verilog", "tiny", "--bus", "x" * 100_000],
        ["x" * 100_000],
    ],
    ids=lambda words: " ".join(words)[:40],
)
def test_huge_and_impossible_values_are_short_sentences(
    words: list[str], folder: Path, capfd: Caught
) -> None:
    assert exit_code(words) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert_harmless(err)
    assert len(err.splitlines()[-1]) < 600
    assert list(folder.iterdir()) == []


# -- terminals -----------------------------------------------------------------------------------


def on_terminal(words: list[str], columns: int, folder: Path, program: list[str] = BITLIF) -> str:
    """Return what a command prints on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    own = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [*program, *words], stdout=theirs, stderr=subprocess.PIPE, stdin=theirs, cwd=folder,
        env=own | {"TERM": "xterm"}, text=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        told = b""
        try:
            while block := os.read(ours, 65536):
                told += block
        except OSError:  # the end of output on Linux
            pass
        _, err = process.communicate()
        assert err == ""
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", told.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [20, 50, 80, 200])
@pytest.mark.parametrize(
    "words",
    [
        ["estimate", "digits"], ["config", "list"], ["config", "show", "digits", "--derived"],
        ["fit", "tiny", "--board", "hx8k", "--vary", "lanes"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_narrow_terminals_lose_no_words(
    words: list[str], columns: int, tmp_path: Path, capsys: Caught
) -> None:
    assert main(words) == 0
    # Frames, and the lines that words are broken into, differ.
    frame = re.compile(r"[^\w.,:%/()+-]")
    wanted = frame.sub(" ", capsys.readouterr().out).split()
    shown = on_terminal(words, columns, tmp_path)
    assert all(len(line) <= columns for line in shown.splitlines())
    joined = re.sub(r"\s", "", frame.sub("", shown))
    for word in wanted:
        assert word in joined


def test_narrow_tables_become_blocks(tmp_path: Path) -> None:
    blocks = on_terminal(["config", "list"], 30, tmp_path)
    assert "name: tiny\n  inputs: 6\n  neurons: 4\n" in blocks
    assert "┃ name" in on_terminal(["config", "list"], 80, tmp_path)


def test_text_columns_are_aligned_left(capsys: Caught) -> None:
    words, numbers = ("a word", "1 - q", "another word"), ("12345", "none", "7")
    rows = list(zip(("x", "y", "z"), words, numbers, strict=True))
    console().print(result_table("", ("name", "words", "numbers"), rows))
    shown = capsys.readouterr().out
    assert "│ 1 - q        │" in shown
    assert "│    none │" in shown
    assert "│       7 │" in shown


def test_tables_in_a_pipe_are_not_wrapped(capsys: Caught) -> None:
    long = "x" * 300
    console().print(result_table("", ("name", "value"), [(long, "some words " * 30)]))
    shown = capsys.readouterr().out
    assert long in shown
    assert shown.count("some") == 30


# -- encodings -----------------------------------------------------------------------------------

ENCODINGS = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.parametrize("environment", ENCODINGS, ids=str)
@pytest.mark.parametrize(
    "words",
    [
        ["--help"], ["help", "noise"], ["config", "list"], ["config", "diff", "ü.toml", "tiny"],
        ["noise", "ü.toml", "--draws", "100000"], ["config", "show", "nobody ü"],
        ["learn", "ü.toml", "--out", "ü"], ["lern ü"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_every_encoding_prints_everything(
    environment: dict[str, str], words: list[str], tmp_path: Path
) -> None:
    own = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG"))}
    hostile_config(str(tmp_path / "ü.toml"), "ü ± 世界")
    done = subprocess.run(
        [*BITLIF, *words], env=own | environment, capture_output=True, cwd=tmp_path, check=False
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == (2 if " ü" in words[-1] else 1 if words[1:2] == ["diff"] else 0)
    assert done.stdout or done.returncode == 2
    encoding = environment.get("PYTHONIOENCODING", "ascii")
    # Boxes are drawn in ASCII; the name's letter exists in one of these only.
    if encoding == "latin-1" and words[0] == "noise":
        assert "ü ± \\u4e16" in done.stdout.decode("latin-1")
    else:
        assert encoding == "latin-1" or done.stdout.isascii()
    for path in tmp_path.rglob("*.toml"):
        assert "ü ± 世界" in path.read_text("utf-8")


@pytest.mark.parametrize("environment", ENCODINGS, ids=str)
def test_documents_in_pipes_are_utf_8(environment: dict[str, str], tmp_path: Path) -> None:
    path = hostile_config(str(tmp_path / "x.toml"), "ü 世界")
    done = subprocess.run(
        [*BITLIF, "config", "show", path], env=os.environ | environment,
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout == (tmp_path / "x.toml").read_bytes()


def test_documents_on_terminals_are_escaped(tmp_path: Path) -> None:
    # Names print; a document may yet quote what does not.
    code = (
        "import sys; from bitlif.scripts.console.terminal import print_document; "
        "print_document(sys.argv[1])"
    )
    text = "a\x9b2J\u202e\n\tb\n"
    shown = on_terminal([text], 200, tmp_path, program=[sys.executable, "-c", code])
    assert shown == "a\\x9b2J\\u202e\n        b\n"


def test_missing_characters_are_replaced() -> None:
    assert encodable("±1 × ü 世", "ascii") == "+-1 x \\xfc \\u4e16"
    assert encodable("±1 × ü 世", "latin-1") == "±1 × ü \\u4e16"
    assert encodable("±\udcff", "utf-8") == "±\\udcff"


def _text_calls_without_encoding(tree: ast.AST) -> list[int]:
    lines = []
    # `OutputFile.write_text` writes UTF-8 by itself: where it is used, nothing else is written.
    files = {own.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
             for own in node.names}  # fmt: skip
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        names = {own.arg for own in node.keywords}
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        words = [own.value for own in node.args if isinstance(own, ast.Constant)]
        words += [own.value.value for own in node.keywords if isinstance(own.value, ast.Constant)]
        texts = {"read_text": 1, "write_text": 1 if "OutputFile" in files else 2}
        if name in texts:
            plain = len(node.args) < texts[name] and "encoding" not in names
        elif name in ("open", "fdopen", "NamedTemporaryFile"):
            modes = [str(word) for word in words if re.fullmatch(r"[rwxab+t]{1,3}", str(word))]
            plain = bool(modes) and "b" not in modes[0] and "encoding" not in names
        else:
            plain = bool(names & {"text", "universal_newlines"}) and "encoding" not in names
        if plain:
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize(
    "source",
    ["bitlif", "fpga", "hdl", "host", "model", "scripts", "sim", "study", "tasks", "trained"],
)
def test_no_text_uses_the_encoding_of_the_locale(source: str) -> None:
    for path in sorted((ROOT / source).rglob("*.py")):
        assert _text_calls_without_encoding(ast.parse(path.read_text("utf-8"))) == [], path.name


# -- streams that cannot be written --------------------------------------------------------------


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    text = command.replace("bitlif", f"{sys.executable} -m bitlif")
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", text], cwd=folder, capture_output=True, text=True,
        encoding="utf-8", check=False,
    )  # fmt: skip


FULL = "bitlif: standard output cannot be written: No space left on device\n"
CLOSED = "bitlif: standard output cannot be written: Bad file descriptor\n"


@pytest.mark.parametrize(
    "words",
    [
        "--help", "help run", "--version", "config list", "config show tiny", "registers",
        "config show digits --derived --json", "verilog tiny", "golden tiny -o x",
        "learn tiny --out x",
    ],
)  # fmt: skip
def test_unwritable_output_is_reported(words: str, tmp_path: Path) -> None:
    for where, said in ((">/dev/full", FULL), (">&-", CLOSED)):
        folder = tmp_path / where[-1]
        folder.mkdir()
        done = shell(f"bitlif {words} {where}", folder)
        assert (done.returncode, done.stderr.splitlines(keepends=True)[-1]) == (2, said)
        assert_harmless(done.stderr)
        if " x" in words:
            assert list((folder / "x").iterdir())


def test_closed_pipe_keeps_files_and_exit_status(tmp_path: Path) -> None:
    for words, code in (("learn tiny --out x", 0), ("config diff tiny digits", 1)):
        done = shell(f"(bitlif {words}; echo $? >code) | true", tmp_path)
        assert (done.stdout, done.stderr) == ("", "")
        assert int((tmp_path / "code").read_text("utf-8")) == code
    assert (tmp_path / "x" / "weights.npz").exists()
    # Together with the exit code, so that nothing of it was cut off.
    assert json.loads((tmp_path / "x" / "report.json").read_text("utf-8"))["config"] == "tiny"


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "<&- 2>&-", "2>&1 1>&- | true"])
def test_unwritable_standard_error_changes_nothing(where: str, tmp_path: Path) -> None:
    done = shell(f"bitlif config show tyny {where}", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    done = shell(f"bitlif lern {where}", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_closed_descriptors_are_not_reused(tmp_path: Path) -> None:
    code = "import sys, os\nfrom bitlif.scripts.main import main\nmain(['config', 'list'])\n"
    code += "sys.exit(os.open('own', os.O_CREAT | os.O_WRONLY))"
    command = ["bash", "-c", '"$0" -c "$1" >&- <&- 2>&-', sys.executable, code]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode > 2


def test_guarded_stream_may_have_no_stream() -> None:
    guard = GuardedStream(None)
    assert guard.write("x") == 1
    guard.flush()
    assert not guard.isatty()
    assert guard.error is not None
    assert guard.encoding == "utf-8"
    with pytest.raises(OSError, match="fileno"):
        guard.fileno()


# -- what is imported when ------------------------------------------------------------------------


def test_overview_equals_the_summaries_of_commands() -> None:
    def summaries(commands: tuple[str, ...]) -> dict[str, str]:
        parser = build_parser(commands)
        (action,) = (own for own in parser._actions if hasattr(own, "_choices_actions"))
        return {own.dest: own.help for own in action._choices_actions}

    assert summaries(()) == summaries(tuple(SUBCOMMANDS)) == SUBCOMMANDS


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["help"], ["lern"], []])
def test_overview_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys, bitlif.scripts.main as own\n"
        "try:\n    own.main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'numpy', 'numba', 'rich', 'amaranth'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_warning_with_a_file_name_is_not_repeated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with warnings_as_sentences("learn"):
        for sentence in ("a.toml: no rate", "no rate", "a.toml: no rate", "rate", "b.toml: rate"):
            warn(sentence)
    said = ["a.toml: no rate", "rate", "b.toml: rate"]
    expected = "".join(f"bitlif learn: warning: {own}\n" for own in said)
    assert capsys.readouterr().err == expected
