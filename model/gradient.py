"""The exact gradient of a window: sums of error times trace, in integers of sufficient width.

There are two implementations with identical results: a pass over the non-zero errors, and a matrix
product in floating point, which is exact because all partial sums are integers that the float type
represents.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from .engine.compile import compilable
from .engine.loops import set_zero

TILE = 32
"""Steps and neurons transposed at a time."""


@compilable
def sparse_gradient(errors, traces, gradient, by_neuron, active):  # type: ignore[no-untyped-def]
    """Write the sum over steps of error times trace, skipping errors of zero.

    Parameters
    ----------
    errors : (T, M) int
    traces : (T, N) unsigned
    gradient : (M, N) int32 or int64, written
    by_neuron : (M, T) int
        Scratch, with the dtype of the errors.
    active : (T,) int
        Scratch.
    """
    steps, neurons = errors.shape
    for t0 in range(0, steps, TILE):
        for i0 in range(0, neurons, TILE):
            for t in range(t0, min(t0 + TILE, steps)):
                for i in range(i0, min(i0 + TILE, neurons)):
                    by_neuron[i, t] = errors[t, i]
    for i in range(neurons):
        own = by_neuron[i]
        count = 0
        for t in range(steps):
            active[count] = t
            count += 1 if own[t] != 0 else 0
        row = gradient[i]
        set_zero(row)
        # Four steps per pass, so that a sum is loaded and stored once per four products.
        k = 0
        while k + 4 <= count:
            ta, tb, tc, td = active[k], active[k + 1], active[k + 2], active[k + 3]
            ea, eb, ec, ed = own[ta], own[tb], own[tc], own[td]
            xa, xb, xc, xd = traces[ta], traces[tb], traces[tc], traces[td]
            for j in range(row.size):
                row[j] += (ea * xa[j] + eb * xb[j]) + (ec * xc[j] + ed * xd[j])
            k += 4
        while k < count:
            e = own[active[k]]
            x = traces[active[k]]
            for j in range(row.size):
                row[j] += e * x[j]
            k += 1


def dense_gradient(
    errors: NDArray[np.signedinteger],
    traces: NDArray[np.integer],
    gradient: NDArray[np.signedinteger],
    largest_product: int,
    threads: int,
) -> None:
    """Write the same sum with matrix products over runs of steps that are exact in floating point.

    Parameters
    ----------
    errors : (T, M) int
    traces : (T, N) unsigned
    gradient : (M, N) int32 or int64, written
    largest_product : int
        Maximum of ``|error| * trace`` for the formats.
    threads : int
        Number of threads of the matrix product.
    """
    steps = errors.shape[0]
    run = (1 << 24) // largest_product
    kind: type[np.floating] = np.float32
    if run < min(steps, 128):
        run, kind = max((1 << 53) // largest_product, 1), np.float64
    with _BLAS.limit(limits=threads, user_api="blas"):
        for start in range(0, steps, run):
            e = errors[start : start + run].T.astype(kind)
            part = e @ traces[start : start + run].astype(kind)
            if start == 0:
                gradient[...] = part
            else:
                gradient += part.astype(gradient.dtype)


_BLAS = ThreadpoolController()
