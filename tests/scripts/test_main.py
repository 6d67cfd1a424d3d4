"""The command line: help, examples, exit status and error messages."""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib.metadata
import io
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bitlif.model.config.config import ready_made, ready_made_networks
from bitlif.scripts.main import SUBCOMMANDS, build_parser, main

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}

Words = tuple[str, ...]


def commands(parser: argparse.ArgumentParser, words: Words = ()) -> Iterator[Words]:
    """Yield the words of every command and subcommand."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, own in action.choices.items():
                yield (*words, name)
                yield from commands(own, (*words, name))


COMMANDS = list(commands(build_parser()))
QUICK = [words for words in COMMANDS if words[0] not in ("bench", "selftest")]
"""Benchmarks take minutes; tests/scripts/test_bench.py and test_cli_bench_gates.py run small ones.

A self-test needs a board: tests/scripts/test_selftest.py has simulated ones at pseudo-terminals.
"""

Done = subprocess.CompletedProcess[str]


def help_of(words: Words) -> str:
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit, match=r"^0$"),
    ):
        main([*words, "--help"])
    assert err.getvalue() == ""
    return out.getvalue()


def examples_of(words: Words) -> list[str]:
    return [line[2:] for line in help_of(words).partition("\nexamples:\n")[2].splitlines()]


def shell(command: str, folder: Path) -> Done:
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_command_is_listed() -> None:
    assert {words[0] for words in COMMANDS} == set(SUBCOMMANDS)
    assert {words[1:] for words in COMMANDS if words[0] == "config"} == {
        (), ("show",), ("validate",), ("list",), ("diff",),
    }  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_ends_with_examples_of_its_command(words: Words) -> None:
    examples = examples_of(words)
    assert examples
    for example in examples:
        assert f"bitlif {' '.join(words)}" in example


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_example_is_a_valid_command_line(words: Words) -> None:
    for example in examples_of(words):
        for command in example.split("&&"):
            program, *arguments = shlex.split(command.partition(">")[0])
            assert program == "bitlif"
            assert callable(build_parser().parse_args(arguments).run)


@pytest.fixture(scope="module")
def first_examples(tmp_path_factory: pytest.TempPathFactory) -> dict[Words, Done]:
    """Run the first example of every command in an empty folder, two at a time."""

    examples = [examples_of(words)[0] for words in QUICK]
    # Made before the threads start: two first calls at once do not agree on pytest's base folder.
    folders = [tmp_path_factory.mktemp("-".join(words)) for words in QUICK]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(QUICK, pool.map(shell, examples, folders), strict=True))


@pytest.mark.parametrize("words", QUICK, ids=" ".join)
def test_first_example_runs_in_an_empty_folder(
    words: Words, first_examples: dict[Words, Done]
) -> None:
    done = first_examples[words]
    # `diff` exits with status 1 because the two differ.
    assert done.returncode == (1 if words == ("config", "diff") else 0), done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr


def test_module_and_command_print_the_installed_version() -> None:
    expected = f"bitlif {importlib.metadata.version('bitlif')}\n"
    for command in ([sys.executable, "-m", "bitlif"], [BIN / "bitlif"]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == (expected, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["lern"], "invalid choice: 'lern'"),
        (["config"], "the following arguments are required: ACTION"),
        (["demo", "--epoch", "three"], "invalid int value: 'three'"),
        (["learn", "tiny"], "the following arguments are required: --out"),
    ],
)
def test_invalid_command_line_exits_2_with_usage(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main(arguments)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: bitlif")
    assert message in captured.err.splitlines()[-1]


def test_error_of_the_user_is_one_line_and_exits_2(tmp_path: Path) -> None:
    done = shell("bitlif config show tyny", tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("bitlif config: a configuration must be a TOML file or one of ")
    names = ", ".join((*ready_made(), *ready_made_networks()))
    assert f"{names}, not 'tyny', did you mean 'tiny'?" in line


def test_error_of_the_system_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error, line in (
        (OSError(28, "No space left on device"), "No space left on device"),
        (PermissionError(13, "Permission denied", "x"), "Permission denied 'x'"),
        (OSError("odd"), "odd"),
    ):

        def fail(config: object, error: OSError = error) -> str:
            raise error

        monkeypatch.setattr("bitlif.scripts.config.dump_config", fail)
        assert main(["config", "show", "tiny"]) == 2
        assert capsys.readouterr() == ("", f"bitlif config: {line}\n")


def test_error_of_the_program_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(config: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("bitlif.scripts.config.dump_config", fail)
    with pytest.raises(ZeroDivisionError):
        main(["config", "show", "tiny"])


AT_WORK = """
import signal, sys
from bitlif.scripts import config, main
def dump_config(own):
    print("at work", flush=True)
    while True:
        signal.pause()
config.dump_config = dump_config
sys.exit(main.main(["config", "show", "tiny"]))
"""


def test_interrupt_exits_130_with_one_line() -> None:
    # Whoever runs the tests in the background may have made its children deaf to interrupts.
    hearing = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, "-c", AT_WORK], stdout=-1, stderr=-1, text=True, preexec_fn=hearing
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "", "bitlif config: interrupted\n")


@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "config show digits",
        "config show digits --derived",
        "config show digits --derived --json",
        "config list",
    ],
)
def test_closed_pipe_is_not_an_error(arguments: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [BIN / "bitlif", *arguments.split()], stdout=writer, stderr=-1, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_head_of_a_pipe_shows_the_first_line(tmp_path: Path) -> None:
    done = shell("bitlif config show digits | head -1", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, 'name = "digits"\n', "")
