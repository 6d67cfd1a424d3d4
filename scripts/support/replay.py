"""The folder that ``bitlif verify`` leaves where gates and model differ, and its replay.

A folder may come from anywhere, so it is read as data: configuration, inputs, and the name of a
planted fault. The core is made anew from them. Its own ``core.sv`` is program text for a simulator
that can run any command; one that differs is run only if that is asked for.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlif.model.config.config import Config
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError
from bitlif.model.storage.reading import read_text
from bitlif.model.text import path_text, quoted

if TYPE_CHECKING:
    from bitlif.sim.compare.compare import RunComparison
    from bitlif.tasks.scenario import Work

CORE, CONFIG, TASK, DIFFERENCE = "core.sv", "config.toml", "task.npz", "difference.json"

MOST_VERILOG = 1 << 26
"""Bytes of a core beyond which it is refused."""

SHOWN = 60
"""Most characters of a line of a core that an error shows."""


def read_replay(folder: Path, *, trust_core: bool) -> tuple[Work, str]:
    """Return what a replay ran, and the Verilog of its core.

    Parameters
    ----------
    folder : Path
    trust_core : bool
        Return the folder's own core, even if it is another than its configuration makes.

    Raises
    ------
    BitlifError
        If a file is missing or damaged; unless `trust_core`, if the folder's core differs.
    """
    from bitlif.hdl.export.verilog import core_verilog
    from bitlif.sim.compare.faults import FAULTS, faulty_verilog
    from bitlif.tasks.scenario import Work

    config = Config.load(_file(folder, CONFIG))
    work = Work.load(config, _file(folder, TASK))
    if trust_core:
        return work, read_text("core", _file(folder, CORE), MOST_VERILOG)
    fault = _planted(folder / DIFFERENCE)
    if fault in FAULTS:
        verilog = faulty_verilog(fault, config)
    else:
        verilog = core_verilog(config, learning=work.learning)
    if (folder / CORE).exists():
        require_same_core(folder / CORE, verilog)
    return work, verilog


def require_same_core(path: Path, made: str) -> None:
    """Raise if a file is another core than the one made anew, with the first line that differs."""
    lines = zip_longest(read_text("core", path, MOST_VERILOG).splitlines(), made.splitlines())
    for number, (found, wanted) in enumerate(lines, 1):
        if found != wanted:
            raise BitlifError(
                f"'{path_text(path)}' is not run: line {number} is {quoted(found, SHOWN)}, its "
                f"configuration makes {quoted(wanted, SHOWN)} (--trust-core runs it, without it "
                "the core is made anew)"
            )


def _file(folder: Path, name: str) -> Path:
    # What is there but is no regular file is refused by who reads it.
    if not os.path.lexists(folder / name):
        raise BitlifError(
            f"--replay must be a folder that verify left, with {name}, not '{path_text(folder)}'"
        )
    return folder / name


def _planted(path: Path) -> str:
    """Return the name of the fault that was planted, as the folder says; "" without one."""
    if not path.exists():
        return ""
    text = read_text("replay", path)
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BitlifError(f"'{path_text(path)}' is damaged: it must be JSON") from error
    fault = told.get("inject") if isinstance(told, dict) else None
    return fault if isinstance(fault, str) else ""


def make_replay(
    work: Work, simulator: str, verdict: RunComparison, verilog: str | None, fault: str | None,
    scratch: Path, out: Path,
) -> None:  # fmt: skip
    """Run the windows up to the difference again, with a waveform, in the folder `scratch`.

    Parameters
    ----------
    work : Work
    simulator : str
    verdict : RunComparison
        That found a difference.
    verilog : str or None
        The core's text, if not the configuration's own.
    fault : str or None
        The name of the fault that is planted in it.
    scratch : Path
        New; holds the replay's files afterwards.
    out : Path
        Where they are to be put.
    """
    from bitlif.hdl.export.verilog import core_name
    from bitlif.sim.cocotb.cosim import run_cosim

    first = verdict.first
    assert first is not None
    short = work.first_windows(first.place.get("window", work.events.windows - 1) + 1)
    with contextlib.redirect_stdout(io.StringIO()):
        run_cosim(short, scratch, simulator=simulator, verilog=verilog, waves=True)
    (scratch / f"{core_name(work.config)}.sv").rename(scratch / CORE)
    shutil.rmtree(scratch / simulator)
    (scratch / CONFIG).write_text(dump_config(work.config), "utf-8")
    told: dict[str, Any] = {
        "simulator": simulator, "inject": fault or "", "signal": first.signal,
        "place": first.place, "gates": first.gates, "model": first.model,
        "operation": first.operation, "replay": replay_command(out, simulator),
    }  # fmt: skip
    (scratch / DIFFERENCE).write_text(json.dumps(told, indent=2) + "\n", "utf-8")


def replay_command(folder: Path, simulator: str | None = None) -> str:
    """Return the command that runs a replay, for a shell."""
    words = ["bitlif", "verify", f"--replay={folder}"]
    if simulator:
        words += ["--simulator", simulator]
    return shlex.join(words)
