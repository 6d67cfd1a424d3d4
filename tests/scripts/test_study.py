"""``bitlif study`` on the command line: results, interrupts and kills."""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bitlif.scripts.main import main
from bitlif.study.search.plan import ready_studies

import stopped_study
from study_plans import SMALL
from study_rows import line_study

RUNS_OF_A_SEED = 9
"""Of the study below, a third of which fail."""

MAX_CHANGES = 60
"""Most file changes before a kill: about 13 runs, so that every kill interrupts the study."""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def started(study: Path, out: Path, *stopped: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start the command, or with `stopped` the helper that stops in the middle of it."""
    program = [stopped_study.__file__, *stopped] if stopped else ["-m", "bitlif"]
    # A shell that runs the tests in the background may let its children ignore SIGINT.
    heed_sigint = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [sys.executable, *program, "study", str(study), "--out", str(out), "--workers", "1"],
        start_new_session=True, preexec_fn=heed_sigint,
        **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options},
    )  # fmt: skip


def many(seeds: int) -> str:
    return SMALL.replace("seeds = [3, 1]", f"seeds = {list(range(seeds))}")


def keys(folder: Path) -> list[str]:
    """Return the keys of the runs in all parts, duplicates included."""
    files = sorted((folder / "parts").glob("[0-9]*.parquet"))
    return [key for part in files for key in pq.read_table(part)["key"].to_pylist()]


@pytest.mark.parametrize(("kills", "seeds"), [(4, 8), pytest.param(10, 20, marks=pytest.mark.long)])
def test_killed_study_gives_the_same_table(kills: int, seeds: int, tmp_path: Path) -> None:
    study = tmp_path / "many.toml"
    study.write_text(many(seeds))
    runs = RUNS_OF_A_SEED * seeds
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert started(study, whole).wait() == 0
    draw = random.Random(5)
    known: list[str] = []
    at_work = 0
    for _ in range(kills):
        # The first change is the creation of the folder.
        with started(study, cut, str(draw.randint(1, MAX_CHANGES)), stdout=subprocess.PIPE) as own:
            assert own.stdout is not None
            assert own.stdout.readline() == b"stopped\n"
            os.killpg(own.pid, signal.SIGKILL)
        now = keys(cut)
        at_work += len(now) > len(known)
        assert now[: len(known)] == known
        known = now
    assert at_work >= min(kills, 3)
    assert len(known) < runs
    assert started(study, cut).wait() == 0
    # No run is stored twice, and the tables are identical.
    assert len(keys(cut)) == len(set(keys(cut))) == runs
    assert (cut / "results.parquet").read_bytes() == (whole / "results.parquet").read_bytes()


def test_interrupt_exits_130_and_leaves_a_table(tmp_path: Path) -> None:
    study = tmp_path / "many.toml"
    study.write_text(many(20))
    own = started(study, tmp_path / "s", "stuck", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert own.stdout is not None
    # The first result is stored, and the study waits for a second one that never comes.
    assert own.stdout.readline() == b"stopped\n"
    # A terminal sends the signal to the command and to all its workers.
    os.killpg(own.pid, signal.SIGINT)
    _, errors = own.communicate()
    assert own.returncode == 130
    compiling = "compiling the engine for this kind of layer (once) ..."
    assert set(errors.decode().splitlines()) - {compiling} == {"bitlif study: interrupted"}
    assert pq.read_table(tmp_path / "s" / "results.parquet").num_rows == 1


def test_json_output_of_a_study_and_its_repetition(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["study", str(study), "--out", str(tmp_path / "s"), "--workers", "1", "--json"]
    outputs = []
    for _ in range(2):
        assert main(arguments) == 0
        outputs.append(json.loads(capsys.readouterr().out))
    assert (outputs[0]["computed"], outputs[0]["reused"], outputs[0]["failed"]) == (18, 0, 6)
    assert (outputs[1]["computed"], outputs[1]["reused"], outputs[1]["failed"]) == (0, 18, 6)
    assert outputs[0]["best"] == outputs[1]["best"]
    values = [own["correlation"] for own in outputs[0]["best"]]
    assert len(values) == 6
    assert values == sorted(values, reverse=True)
    assert main([*arguments[:-1], "--retry"]) == 0
    out = capsys.readouterr().out
    assert "6 runs computed, 12 reused, 6 failed" in out
    assert "failed 6 time(s): noise.words * word_bits must be at most" in out


def test_status_is_1_if_every_run_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # All words of this study have more bits than the LFSR.
    plan = tmp_path / "none.toml"
    plan.write_text(SMALL.replace("[2, 4, 12]", "[12, 14]").replace("[3, 1]", "[3]"))
    arguments = ["study", str(plan), "--out", str(tmp_path / "s"), "--workers", "1"]
    for reused in (0, 6):
        assert main([*arguments, "--json"]) == 1
        found = json.loads(capsys.readouterr().out)
        assert (found["runs"], found["failed"], found["reused"]) == (6, 6, reused)
    assert main(arguments) == 1
    assert "6 failed" in capsys.readouterr().out


def test_folder_can_have_any_name(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "[bold]\x1b[2J\n\udcff"
    assert main(["study", str(study), "--out", str(out), "--workers", "1"]) == 0
    # Some runs of this study fail, which the report's status says.
    assert main(["report", str(out)]) == 1
    captured = capsys.readouterr()
    for line in (captured.out + captured.err).splitlines():
        assert line.isprintable()
    assert "[bold]\\x1b[2J\\n\\udcff" in captured.out
    assert (out / "report" / "report.html").exists()


def test_list_names_every_ready_made_study(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["studies"]
    assert [own["name"] for own in listed] == ready_studies()
    assert main(["study", "--list"]) == 0
    assert "quickstart" in capsys.readouterr().out


def without(*packages: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the command in a process that cannot import some packages."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({packages!r}))\n"
        f"from bitlif.scripts.main import main; sys.exit(main({arguments!r}))"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_list_needs_no_optional_package() -> None:
    done = without("dask", "distributed", "optuna", "plotly", "pyarrow",
                   arguments=["study", "--list"])  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "quickstart" in done.stdout


UNIX_MODULES = ("fcntl", "resource", "termios", "tty", "pty", "pwd", "grp")
"""Modules of the standard library that are missing on other systems."""


def test_list_and_report_import_no_unix_only_module(tmp_path: Path) -> None:
    listed = without(*UNIX_MODULES, arguments=["study", "--list"])
    assert (listed.returncode, listed.stderr) == (0, "")
    folder = line_study(tmp_path)
    reported = without(*UNIX_MODULES, arguments=["report", str(folder)])
    assert reported.returncode == 0, reported.stderr
    assert (folder / "report" / "report.html").exists()


def test_workers_import_no_unix_only_module() -> None:
    code = (
        f"import signal, sys; sys.modules.update(dict.fromkeys({UNIX_MODULES!r}))\n"
        "del signal.pthread_sigmask\n"
        "from bitlif.study.search import pool, run, store, worker\n"
        "with pool._interrupts_blocked():\n    print('imported')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "imported\n"), done.stderr


def test_dask_is_needed_only_for_a_scheduler(study: Path, tmp_path: Path) -> None:
    arguments = ["study", str(study), "--out", str(tmp_path / "s")]
    assert without("dask", "distributed", arguments=arguments).returncode == 0
    refused = without("dask", "distributed", arguments=[*arguments, "--scheduler", "tcp://h:1"])
    assert refused.returncode == 2
    assert "--scheduler needs distributed, which is not installed: pip install" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "STUDY must be given (or --list)"),
        (["quickstart"], "--out must be given (or --list)"),
        (["quickstart", "--out", "x", "--workers", "0"], "--workers must be in 1 ..= 1024, not 0"),
        (["quickstart", "--out", "x", "--workers", "1", "--scheduler", "tcp://h:1"],
         "--workers cannot be used with --scheduler"),
        (["quickstrt", "--out", "x"], "did you mean 'quickstart'"),
        (["none.toml", "--out", "x"], "study 'none.toml' cannot be read: No such file"),
    ],
)  # fmt: skip
def test_bad_arguments_are_reported_and_leave_nothing(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["study", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
