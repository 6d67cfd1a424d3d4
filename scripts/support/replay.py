"""Writes and reads the replay folder of ``bitlif verify``, left after a mismatch.

A folder may come from anywhere, so only its data is read: configuration, inputs, and the name of an
injected fault. The core is generated again from them. The folder's ``core.sv`` is code that can run
any command in a simulator; if it differs, it is used only on request.
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

from bitlif.model.config.network import NetworkConfig, load_any_config
from bitlif.model.config.network_tree import dump_network
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError
from bitlif.model.storage.reading import read_text
from bitlif.model.text import path_text, quoted

if TYPE_CHECKING:
    from bitlif.sim.compare.compare import RunComparison
    from bitlif.tasks.scenario import NetworkWork, Work

CORE, CONFIG, TASK, DIFFERENCE = "core.sv", "config.toml", "task.npz", "difference.json"

MOST_VERILOG = 1 << 26
"""Largest size of a core in bytes."""

SHOWN = 60
"""Largest number of characters of a line that an error shows."""


def read_replay(folder: Path, *, trust_core: bool) -> tuple[Work | NetworkWork, str]:
    """Read a replay folder.

    Parameters
    ----------
    folder : Path
    trust_core : bool
        Return the core in the folder, even if it differs from the generated one.

    Returns
    -------
    work : Work or NetworkWork
        The windows that were run.
    verilog : str
        Verilog of the core.

    Raises
    ------
    BitlifError
        If a file is missing or damaged, or, unless `trust_core`, if the folder's core differs.
    """
    from bitlif.tasks.scenario import NetworkWork, Work

    config = load_any_config(_file(folder, CONFIG))
    work: Work | NetworkWork
    if isinstance(config, NetworkConfig):
        work = NetworkWork.load(config, _file(folder, TASK))
    else:
        work = Work.load(config, _file(folder, TASK))
    if trust_core:
        return work, read_text("core", _file(folder, CORE), MOST_VERILOG)
    verilog = _verilog(work, _injected_fault(folder / DIFFERENCE))
    if (folder / CORE).exists():
        require_same_core(folder / CORE, verilog)
    return work, verilog


def _verilog(work: Work | NetworkWork, fault: str) -> str:
    """Return the Verilog of a core, with the fault if there is one of this name."""
    from bitlif.hdl.export.network_verilog import network_verilog
    from bitlif.hdl.export.verilog import core_verilog
    from bitlif.sim.compare.faults import FAULTS, faulty_verilog
    from bitlif.sim.compare.network_faults import NETWORK_FAULTS, faulty_network_verilog
    from bitlif.tasks.scenario import NetworkWork

    if isinstance(work, NetworkWork):
        if fault.partition("@")[0] in NETWORK_FAULTS:
            return faulty_network_verilog(fault, work.network)
        return network_verilog(work.network, learning=work.learns)
    if fault in FAULTS:
        return faulty_verilog(fault, work.config)
    return core_verilog(work.config, learning=work.learning)


def require_same_core(path: Path, generated: str) -> None:
    """Raise if a file differs from the generated core; the message has the first such line."""
    lines = zip_longest(read_text("core", path, MOST_VERILOG).splitlines(), generated.splitlines())
    for number, (found, wanted) in enumerate(lines, 1):
        if found != wanted:
            raise BitlifError(
                f"'{path_text(path)}' is not run: line {number} must be {quoted(wanted, SHOWN)}, "
                f"as generated, not {quoted(found, SHOWN)} (--trust-core runs it anyway; remove "
                "the file to generate it again)"
            )


def _file(folder: Path, name: str) -> Path:
    # Anything but a regular file is rejected when it is read.
    if not os.path.lexists(folder / name):
        raise BitlifError(
            f"--replay must be a folder written by verify, with {name}, not '{path_text(folder)}'"
        )
    return folder / name


def _injected_fault(path: Path) -> str:
    """Return the name of the injected fault in the file, or ""."""
    if not path.exists():
        return ""
    text = read_text("replay", path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BitlifError(f"'{path_text(path)}' is damaged: it must be JSON") from error
    fault = content.get("inject") if isinstance(content, dict) else None
    return fault if isinstance(fault, str) else ""


def make_replay(
    work: Work | NetworkWork, simulator: str, verdict: RunComparison, verilog: str | None,
    fault: str | None,
    scratch: Path, out: Path,
) -> None:  # fmt: skip
    """Simulate the windows up to the mismatch again, with a waveform, in the folder `scratch`.

    Parameters
    ----------
    work : Work or NetworkWork
    simulator : str
    verdict : RunComparison
        Its `first` is the mismatch to replay.
    verilog : str or None
        Verilog of the core; None generates it from the configuration.
    fault : str or None
        Name of the injected fault.
    scratch : Path
        New folder; contains the files of the replay afterwards.
    out : Path
        Folder that the replay command names.
    """
    from bitlif.hdl.export.network_verilog import network_name
    from bitlif.hdl.export.verilog import core_name
    from bitlif.sim.cocotb.cosim import run_cosim
    from bitlif.sim.cocotb.network_cosim import run_network_cosim
    from bitlif.tasks.scenario import NetworkWork

    first = verdict.first
    assert first is not None
    short = work.first_windows(first.place.get("window", work.events.windows - 1) + 1)
    with contextlib.redirect_stdout(io.StringIO()):
        if isinstance(short, NetworkWork):
            name, text = network_name(short.network), dump_network(short.network.to_dict())
            run_network_cosim(short, scratch, simulator=simulator, verilog=verilog, waves=True)
        else:
            name, text = core_name(short.config), dump_config(short.config)
            run_cosim(short, scratch, simulator=simulator, verilog=verilog, waves=True)
    (scratch / f"{name}.sv").rename(scratch / CORE)
    shutil.rmtree(scratch / simulator)
    (scratch / CONFIG).write_text(text, "utf-8")
    difference: dict[str, Any] = {
        "simulator": simulator, "inject": fault or "", "signal": first.signal,
        "place": first.place, "gates": first.gates, "model": first.model,
        "operation": first.operation, "replay": replay_command(out, simulator),
    }  # fmt: skip
    (scratch / DIFFERENCE).write_text(json.dumps(difference, indent=2) + "\n", "utf-8")


def replay_command(folder: Path, simulator: str | None = None) -> str:
    """Return the shell command that runs a replay."""
    words = ["bitlif", "verify", f"--replay={folder}"]
    if simulator:
        words += ["--simulator", simulator]
    return shlex.join(words)
