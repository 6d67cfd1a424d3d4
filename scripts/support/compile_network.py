"""A network's engine compiled in a process of its own, while another process does something else.

The compiled code reaches the other process through the cache on disk.
"""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import bitlif
from bitlif import tasks
from bitlif.model.config.network import NetworkConfig
from bitlif.tasks.task import Examples
from bitlif.tasks.training import train

from .processors import processors


def compile_network(
    network: NetworkConfig, task: str, examples: Examples, seed: int, threads: int
) -> None:
    """Have a spare core learn one window, so that compiling is not timed as training."""
    core: Any = bitlif.open(network, threads=threads, signature=False)
    train(core, task, epochs=1, seed=seed, examples=examples.head(1))


@contextlib.contextmanager
def beside(module: str, given: object) -> Iterator[Callable[[], object]]:
    """Run a module in another process, if there is a processor for it.

    `given` is pickled on its standard input. Yields a function that waits until the process has
    ended. Its failure is ignored, since what it compiles is only a part of the cache.
    """
    if processors() < 2:
        yield lambda: None
        return
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdin is not None
        with contextlib.suppress(OSError), process.stdin as pipe:
            pickle.dump(given, pipe)
        yield process.wait
    finally:
        process.kill()
        process.wait()


def compiled_beside(
    network: NetworkConfig, task: str, seed: int, threads: int
) -> contextlib.AbstractContextManager[Callable[[], object]]:
    """Compile the network's engine in another process; see `beside`.

    `compile_network` compiles what is not in the cache.
    """
    return beside(__name__, (network, task, seed, threads))


def main() -> None:
    """Compile the engine of the network that is pickled on the standard input."""
    network, task, seed, threads = pickle.load(sys.stdin.buffer)
    examples = tasks.get(task).load(network.outer, seed)
    compile_network(network, task, examples, seed, threads)


if __name__ == "__main__":
    main()
