"""The limits of this machine, measured in the same run as the engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController


def best_seconds(
    call: Callable[[], Any], repeats: int, before: Callable[[], Any] = lambda: None
) -> tuple[float, float]:
    """Return minimum and median of the seconds that `call` takes, after one warm-up call.

    `before` runs ahead of each call; its time is not counted.
    """
    before()
    call()
    times = []
    for _ in range(repeats):
        before()
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times), float(np.median(times))


def copy_bandwidth(repeats: int) -> float:
    """Return the GB/s (read plus written) of copying an array far larger than the caches."""
    source = np.ones(1 << 24)
    target = np.empty_like(source)
    seconds, _ = best_seconds(lambda: np.copyto(target, source), repeats)
    return 2 * source.nbytes / seconds / 1e9


def matrix_rate(kind: type[np.floating[Any]], repeats: int) -> float:
    """Return the GFLOP/s of a product of two 1024 x 1024 matrices on one thread."""
    size = 1024
    a = np.random.default_rng(0).standard_normal((size, size)).astype(kind)
    out = np.empty_like(a)
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        seconds, _ = best_seconds(lambda: np.matmul(a, a, out=out), repeats)
    return 2 * size**3 / seconds / 1e9


def minimal_loop(  # type: ignore[no-untyped-def]
    membrane, first, second, third, drive, steps
):
    """Run a minimal noisy integrate-and-fire layer in 32-bit integers, for comparison.

    Leak by shift, constant input, noise as the sum of twelve bytes of three xorshift generators,
    comparison, reset. It has no weights, counters, records or saturation.
    """
    spikes = 0
    for _ in range(steps):
        for i in range(membrane.size):
            a, b, c = first[i], second[i], third[i]
            a ^= a << np.uint32(13)
            a ^= a >> np.uint32(17)
            a ^= a << np.uint32(5)
            b ^= b << np.uint32(13)
            b ^= b >> np.uint32(17)
            b ^= b << np.uint32(5)
            c ^= c << np.uint32(13)
            c ^= c >> np.uint32(17)
            c ^= c << np.uint32(5)
            first[i], second[i], third[i] = a, b, c
            even = np.uint32(0x00FF00FF)
            pairs = np.uint32(
                (a & even) + ((a >> np.uint32(8)) & even)
                + (b & even) + ((b >> np.uint32(8)) & even)
                + (c & even) + ((c >> np.uint32(8)) & even)
            )  # fmt: skip
            noise = np.int32(pairs & np.uint32(0xFFFF)) + np.int32(pairs >> np.uint32(16))
            v = membrane[i] - (membrane[i] >> np.int32(4)) + drive[i]
            fired = v + noise >= np.int32(4096)
            spikes += fired
            membrane[i] = np.int32(0) if fired else np.int32(v)
    return spikes


def minimal_loop_call() -> tuple[Callable[[], Any], int]:
    """Return a call of the compiled `minimal_loop`, and its neuron-steps."""
    import numba

    neurons, steps = 1024, 1000
    random = np.random.default_rng(1)
    states = [random.integers(1, 1 << 32, neurons, np.uint32) for _ in range(3)]
    membrane, drive = np.zeros(neurons, np.int32), np.full(neurons, 150, np.int32)
    compiled: Any = numba.njit(nogil=True)(minimal_loop)
    return lambda: compiled(membrane, *states, drive, steps), neurons * steps


def minimal_loop_rate(repeats: int) -> float:
    """Return the million neuron-steps/s of `minimal_loop` with 1024 neurons."""
    call, neuron_steps = minimal_loop_call()
    seconds, _ = best_seconds(call, repeats)
    return neuron_steps / seconds / 1e6
