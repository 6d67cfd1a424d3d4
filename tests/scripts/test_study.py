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

KILLS = 10

MANY = SMALL.replace("seeds = [3, 1]", f"seeds = {list(range(20))}")
RUNS = 180
"""Of `MANY`, of which a third fail."""

MOST_CHANGES = 60
"""Changes to files before a kill: of about 13 runs, so that all kills find work to do."""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def started(study: Path, out: Path, *stopped: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start the command, or with `stopped`, the helper that stops in the middle of it."""
    program = [stopped_study.__file__, *stopped] if stopped else ["-m", "bitlif"]
    # A shell that runs the tests in the background may have made its children ignore SIGINT.
    hearing = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [sys.executable, *program, "study", str(study), "--out", str(out), "--workers", "1"],
        start_new_session=True, preexec_fn=hearing,
        **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options},
    )  # fmt: skip


def keys(folder: Path) -> list[str]:
    """Return the keys of the runs in all parts, duplicates included."""
    files = sorted((folder / "parts").glob("[0-9]*.parquet"))
    return [key for part in files for key in pq.read_table(part)["key"].to_pylist()]


def test_killed_ten_times_it_ends_with_the_same_table(tmp_path: Path) -> None:
    study = tmp_path / "many.toml"
    study.write_text(MANY)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert started(study, whole).wait() == 0
    draw = random.Random(5)
    known: list[str] = []
    at_work = 0
    for _ in range(KILLS):
        # From the first folder that it makes on.
        with started(study, cut, str(draw.randint(1, MOST_CHANGES)), stdout=subprocess.PIPE) as own:
            assert own.stdout is not None
            assert own.stdout.readline() == b"stopped\n"
            os.killpg(own.pid, signal.SIGKILL)
        now = keys(cut)
        at_work += len(now) > len(known)
        assert now[: len(known)] == known
        known = now
    assert at_work >= 3
    assert len(known) < RUNS
    assert started(study, cut).wait() == 0
    # Nothing twice, and the same table to the bit.
    assert len(keys(cut)) == len(set(keys(cut))) == RUNS
    assert (cut / "results.parquet").read_bytes() == (whole / "results.parquet").read_bytes()


def test_interrupt_exits_130_and_leaves_a_table(tmp_path: Path) -> None:
    study = tmp_path / "many.toml"
    study.write_text(MANY)
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


def test_result_as_json_and_again(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["study", str(study), "--out", str(tmp_path / "s"), "--workers", "1", "--json"]
    said = []
    for _ in range(2):
        assert main(arguments) == 0
        said.append(json.loads(capsys.readouterr().out))
    assert (said[0]["computed"], said[0]["reused"], said[0]["failed"]) == (18, 0, 6)
    assert (said[1]["computed"], said[1]["reused"], said[1]["failed"]) == (0, 18, 6)
    assert said[0]["best"] == said[1]["best"]
    values = [own["correlation"] for own in said[0]["best"]]
    assert len(values) == 6
    assert values == sorted(values, reverse=True)
    assert main([*arguments[:-1], "--retry"]) == 0
    out = capsys.readouterr().out
    assert "6 runs computed, 12 were there, 6 failed" in out
    assert "failed 6 time(s): noise.words * word_bits must be at most" in out


def test_folder_may_have_any_name(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "[bold]\x1b[2J\n\udcff"
    assert main(["study", str(study), "--out", str(out), "--workers", "1"]) == 0
    assert main(["report", str(out)]) == 0
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
    assert "taste" in capsys.readouterr().out


def without(*packages: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the command where some packages are not installed."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({packages!r}))\n"
        f"from bitlif.scripts.main import main; sys.exit(main({arguments!r}))"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_list_needs_no_package_of_studies() -> None:
    done = without("dask", "distributed", "optuna", "plotly", "pyarrow",
                   arguments=["study", "--list"])  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "taste" in done.stdout


def test_dask_is_needed_for_a_scheduler_only(study: Path, tmp_path: Path) -> None:
    arguments = ["study", str(study), "--out", str(tmp_path / "s")]
    assert without("dask", "distributed", arguments=arguments).returncode == 0
    refused = without("dask", "distributed", arguments=[*arguments, "--scheduler", "tcp://h:1"])
    assert refused.returncode == 2
    assert "--scheduler needs distributed, which is not installed: pip install" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "STUDY must be given (or --list)"),
        (["taste"], "--out must be given (or --list)"),
        (["taste", "--out", "x", "--workers", "0"], "--workers must be in 1 ..= 1024, not 0"),
        (["taste", "--out", "x", "--workers", "1", "--scheduler", "tcp://h:1"],
         "--workers must be left out with --scheduler"),
        (["tast", "--out", "x"], "did you mean 'taste'"),
        (["none.toml", "--out", "x"], "study 'none.toml' cannot be read: No such file"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence_and_leave_nothing(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["study", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
