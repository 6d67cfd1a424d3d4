"""Runs calls of ``bitlif`` in children of one process, which has imported everything before.

A line of JSON on standard input asks for a call; a line of JSON on standard output tells its end.
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
from typing import Any

ADDRESS_SPACE = 8 << 30
CPU_SECONDS = 100
WALL_SECONDS = 300
"""For hangs only: how long a call may take on a machine that has much else to do."""


def child(task: dict[str, Any]) -> None:
    """Be a process of its own that runs the call."""
    os.setpgid(0, 0)
    os.chdir(task["folder"])
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
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
    """Run a call and say how it ended."""
    pid = os.fork()
    if pid == 0:
        try:
            child(task)
        finally:
            os._exit(99)
    start = time.monotonic()
    hung = False
    while True:
        done, status, used = os.wait4(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() - start > WALL_SECONDS:
            hung = True
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.005)
    left = still_there(pid)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "hung": hung,
        "left": left,
        "cpu": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss << 10,
    }


def still_there(group: int) -> bool:
    """Return whether processes of a group are left, which do not end by themselves; kill them."""
    start = time.monotonic()
    try:
        while time.monotonic() - start < WALL_SECONDS:
            os.killpg(group, 0)
            time.sleep(0.005)  # A pool's last worker may be on its way out.
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def serve() -> None:
    """Answer until the input ends."""
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
