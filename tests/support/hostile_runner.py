"""Runs ``bitlif`` commands in child processes of one process that has imported everything already.

Each line of JSON on standard input describes a call; each line on standard output, how it ended.
No limit depends on how fast or busy the machine is: processor time is compared with that of a
fixed loop on the same machine, and a call hangs only if all its processes sleep.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

ADDRESS_SPACE = 8 << 30

CPU_UNITS = 400
"""Processor time that a call may take before it is killed, in times of `unit_seconds`."""

SLEEP_SECONDS = 300
"""A call hangs if all its processes sleep this long. They do not sleep on a busy machine."""


LOOK_SECONDS, LOOKS = 0.005, 100
"""How often a call is looked at, and how many looks pass between two at what its processes do."""


def unit_seconds() -> float:
    """Return the processor time of a fixed loop: a quarter of a second on a usual machine."""
    start = time.process_time()
    total = 0
    for number in range(5_000_000):
        total += number
    return max(time.process_time() - start, 0.01)


UNIT = unit_seconds()


def child(task: dict[str, Any]) -> None:
    """Run the call in this process, in a process group of its own."""
    os.setpgid(0, 0)
    os.chdir(task["folder"])
    cpu_seconds = int(CPU_UNITS * UNIT) + 1
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for descriptor, name in ((1, "out"), (2, "err")):
        handle = os.open(task[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, descriptor)
        os.close(handle)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    arguments = [os.fsdecode(bytes.fromhex(word)) for word in task["arguments"]]
    if task["environment"] is not None:
        environment = {**os.environ, **task["environment"]}
        wanted = {name: value for name, value in environment.items() if value is not None}
        os.execve(sys.executable, [sys.executable, "-P", "-m", "bitlif", *arguments], wanted)
    os.environ["TMPDIR"] = task["scratch"]
    from bitlif.scripts.main import main

    code: object = 1
    try:
        code = main(arguments)
        sys.stdout.flush()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(code if isinstance(code, int) else 1)


def run(task: dict[str, Any]) -> dict[str, Any]:
    """Run a call and return how it ended."""
    pid = os.fork()
    if pid == 0:
        try:
            child(task)
        finally:
            os._exit(99)
    asleep = 0.0
    hung = False
    while True:
        for _ in range(LOOKS):
            done, status, used = os.wait4(pid, os.WNOHANG)
            if done:
                break
            time.sleep(LOOK_SECONDS)
        if done:
            break
        asleep = asleep + LOOKS * LOOK_SECONDS if sleeps(pid) else 0.0
        if asleep > SLEEP_SECONDS:
            hung = True
            os.killpg(pid, signal.SIGKILL)
    left = still_there(pid)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "hung": hung,
        "left": left,
        "cpu": (used.ru_utime + used.ru_stime) / UNIT,
        "memory": used.ru_maxrss << 10,
    }


def sleeps(group: int) -> bool:
    """Return whether every living process of a group waits for something but the processor."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:
            continue
        state, _, own = text.rpartition(") ")[2].split()[:3]
        if int(own) == group and state in "RD":
            return False
    return True


def still_there(group: int) -> bool:
    """Return whether processes of a group stay although nothing wakes them; kill them."""
    asleep = 0.0
    try:
        while asleep < SLEEP_SECONDS:
            for _ in range(LOOKS):
                os.killpg(group, 0)
                time.sleep(LOOK_SECONDS)  # a pool's last worker may be about to end
            asleep = asleep + LOOKS * LOOK_SECONDS if sleeps(group) else 0.0
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def serve() -> None:
    """Answer calls until the input ends."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    import bitlif.scripts.main
    import bitlif.sim.cocotb.cosim
    import bitlif.sim.compare.expected

    bitlif.scripts.main.build_parser()
    for line in sys.stdin:
        answers.write(json.dumps(run(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
