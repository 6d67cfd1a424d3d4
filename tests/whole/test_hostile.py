"""Hostile inputs to every reader and command are rejected in one sentence or read correctly.

A failure names its seed; ``python tests/whole/test_hostile.py SEED`` shows the call and its output.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from hostile_calls import Call, make_call

SHORT, LONG, BLOCK = 100, 1000, 50
MEMORY = 1 << 30
CPU_UNITS = 120
"""Processor time of a refusal in units of `hostile_runner`, which do not depend on the machine.

Half of it is for the engine, where the first call of a kind compiles it.
"""

LINE = 1000
"""Largest number of characters in a line, which may contain two paths of 400."""


class Runner:
    """A process that runs calls in child processes."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).parents[1] / "support" / "hostile_runner.py"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            self._usual = self.run(Call(arguments=["config", "list"]), Path(folder))["memory"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.__exit__(kind, error, trace)

    def run(self, call: Call, folder: Path) -> dict[str, Any]:
        """Run a call in `folder` and return how it ended."""
        scratch = folder.with_name(f"{folder.name}-tmp")
        scratch.mkdir()
        task = {
            "arguments": [os.fsencode(word).hex() for word in call.arguments],
            "environment": call.environment, "folder": str(folder), "scratch": str(scratch),
            "out": f"{folder}-out", "err": f"{folder}-err",
        }  # fmt: skip
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(task) + "\n")
        process.stdin.flush()
        ended: dict[str, Any] = json.loads(process.stdout.readline())
        ended["out"] = Path(task["out"]).read_bytes().decode("utf-8", "surrogateescape")
        ended["err"] = Path(task["err"]).read_bytes().decode("utf-8", "surrogateescape")
        ended["scratch"] = sorted(path.name for path in scratch.iterdir())
        return ended

    def faults(self, call: Call, folder: Path) -> list[str]:
        """Return everything wrong with a call in its folder."""
        before = contents(folder)
        ended = self.run(call, folder)
        found = list(self._faults(call, ended))
        after = contents(folder)
        replaced = call.replaces and ended["code"] == 0
        if not replaced and any(after.get(name) != own for name, own in before.items()):
            found.append("files that were there have changed")
        if ended["code"] != 0 and after.keys() - before.keys():
            found.append(f"half-written: {sorted(after.keys() - before.keys())}")
        return found

    def _faults(self, call: Call, ended: dict[str, Any]) -> Iterator[str]:
        code, said = ended["code"], ended["err"]
        if ended["hung"]:
            yield "hangs"
            return
        if code not in call.codes:
            yield f"exit code {code}"
        if "Traceback" in said or "Warning:" in said:
            yield "a traceback or a warning of Python's"
        if ended["left"]:
            yield "processes are left"
        if ended["memory"] - self._usual > MEMORY:
            yield f"{(ended['memory'] - self._usual) >> 20} MB"
        if code == 2:
            last = said.rstrip("\n").rpartition("\n")[2]
            if not last.startswith("bitlif"):
                yield "no sentence"
            if ended["cpu"] > CPU_UNITS:
                yield f"{ended['cpu']:.0f} units of processor time"
            # Logs named in the message are kept.
            if any(name not in said for name in ended["scratch"]):
                yield f"left in the temporary folder: {ended['scratch']}"
        for line in (said + ended["out"]).split("\n"):
            if code != 0 and len(line) > LINE:
                yield f"a line of {len(line)} characters"
            if not line.replace("\t", " ").isprintable():
                yield f"a line that does not print: {line[:80]!r}"
        if code == 0:
            complaint = call.complaint(ended["out"])
            if complaint:
                yield complaint


def contents(folder: Path) -> dict[str, str]:
    """Return the contents of a folder: hashes of files, types of everything else."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = str(path.stat().st_mode)
    return found


def faults_of(seeds: range, folder: Path, *, quick: bool = False) -> dict[int, list[str]]:
    found = {}
    with Runner() as runner:
        for seed in seeds:
            own = folder / str(seed)
            own.mkdir()
            call = make_call(seed, own, quick=quick)
            found[seed] = runner.faults(call, own)
    return {seed: own for seed, own in found.items() if own}


@pytest.mark.parametrize("begin", range(0, SHORT, BLOCK))
def test_hostile_inputs_do_no_harm(begin: int, tmp_path: Path) -> None:
    assert faults_of(range(begin, begin + BLOCK), tmp_path, quick=True) == {}


def test_harmful_calls_are_detected(tmp_path: Path) -> None:
    calls = {
        "exit code 0": Call(arguments=["config", "list"], codes=(2,)),
        "exit code 2": Call(arguments=["no such command"], codes=(0,)),
        "ready": Call(arguments=["config", "list"], complaint=lambda out: out[:5]),
        "files that were there have changed": Call(arguments=["registers", "--out", "mine"]),
    }
    with Runner() as runner:
        for number, (fault, call) in enumerate(calls.items()):
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "mine").write_text("mine\n")
            assert runner.faults(call, folder) == [fault]


@pytest.mark.long
@pytest.mark.parametrize("begin", range(0, LONG, BLOCK))
def test_many_hostile_inputs_do_no_harm(begin: int, tmp_path: Path) -> None:
    assert faults_of(range(begin, begin + BLOCK), tmp_path) == {}


def show(seeds: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name, Runner() as runner:
        for seed in seeds:
            folder = Path(name) / str(seed)
            folder.mkdir()
            call = make_call(seed, folder)
            ended = runner.run(call, folder)
            words = [word if len(word) < 80 else f"{word[:40]}..." for word in call.arguments]
            print(f"{seed}: bitlif {words!r} {call.environment or ''}")
            print({key: value for key, value in ended.items() if key not in ("out", "err")})
            print(ended["out"][:500], ended["err"][-1500:], sep="\n--\n")


if __name__ == "__main__":
    show([int(word) for word in sys.argv[1:]])
