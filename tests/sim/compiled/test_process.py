"""A forked child ends without releasing the cores and boards of its parent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bitlif.sim

ENDS = {
    "exit": "pass",
    "close": "core.close()",
    "with": "core.__exit__(None, None, None)",
    "delete": "del core; gc.collect()",
    "refused": "\n".join((
        "try:",
        "    core.run(events)",
        "    raise SystemExit(3)",
        "except bitlif.model.errors.BitlifError as error:",
        "    assert 'belongs to the process that opened it' in str(error)",
        "core.close()",
        "with bitlif.sim.open(config, BACKEND) as own:",
        "    own.load(weights)",
        "    assert (own.run(events).raster == first.raster).all()",
    )),
    "work": "assert (core.run(events).raster.shape == first.raster.shape)",
}  # fmt: skip

SCRIPT = """
import gc, multiprocessing, os, sys, warnings
import numpy as np
import bitlif.sim
import bitlif.model.errors
from bitlif.model.config.config import Config
from bitlif.model.events import Events
BACKEND, WAY = sys.argv[1:3]
config = Config.load("tiny")
weights = np.full((6, 4), 9)
events = Events.from_raster(np.ones((2, 16, 6), bool))
core = bitlif.sim.open(config, BACKEND)
core.load(weights)
first = core.run(events)

def child():
    global core
{body}

# These tests fork on purpose, whether or not there are threads.
warnings.simplefilter("ignore", DeprecationWarning)
if WAY == "fork":
    number = os.fork()
    if number == 0:
        child()
        sys.exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
else:
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    code = process.exitcode
assert code == 0, code
core.reset()
assert (core.run(events).raster == first.raster).all()
core.close()
"""

CASES = [
    *((backend, end) for backend in ("rtl", "netlist:ice40") for end in ENDS if end != "work"),
    ("model", "work"), ("model", "close"), ("float", "work"),
]  # fmt: skip


@pytest.mark.parametrize("way", ["fork", "multiprocessing"])
@pytest.mark.parametrize(("backend", "end"), CASES)
def test_forked_child_ends_and_leaves_the_core_open(backend: str, end: str, way: str) -> None:
    body = "\n".join(f"    {line}" for line in ENDS[end].splitlines())
    # Only a child that never ends reaches the limit.
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(body=body), backend, way],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_compiled_resources_are_released_by_one_function() -> None:
    folder = Path(bitlif.sim.__file__).parent
    users = {path.name for path in folder.rglob("*.py") if "weakref" in path.read_text("utf-8")}
    assert users == {"process.py"}
