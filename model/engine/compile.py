"""The engine: the specification's own functions, compiled by Numba and kept on disk.

Numba keeps compiled code as long as the *file of the function* is unchanged, but these functions
call others in other files. Here the stamp is a hash of every file of `bitlif.model`, and
`bitlif.model.engine.cache` looks after what is on disk.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.extending import register_jitable

from .cache import EngineCache

# Kernels never allocate, so they need not count references to arrays, which costs atomic
# operations in every step. Nothing calls them from C, so they get no wrapper for it either.
_OPTIONS = {"_nrt": False, "no_cfunc_wrapper": True}

compilable = register_jitable(**_OPTIONS)
"""Marks a function that compiled ones call; it stays the plain function that it is."""

inlined = register_jitable(forceinline=True, **_OPTIONS)
"""The same for one called every step: for a small layer, to pass NamedTuples of arrays (a hundred
words by value) costs more than the step."""

NO_JIT = (
    "NUMBA_DISABLE_JIT is set: the model runs interpreted, with the same results, but hundreds of "
    "times slower; unset it to run the compiled engine"
)


@functools.cache
def source_stamp() -> str:
    """Return a hash of all sources of `bitlif.model`."""
    digest = hashlib.sha256()
    folder = Path(__file__).parents[1]
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def jit_disabled() -> bool:
    """Return whether Numba compiles nothing (NUMBA_DISABLE_JIT): functions then run as they stand.

    Functions on arrays of narrow integers must then be given Python's own: NumPy's would wrap.
    """
    return bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]


@functools.cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` compiled on first call, from disk if it can; it frees the interpreter."""
    if jit_disabled():
        return function
    make: Any = numba.njit
    dispatcher = make(nogil=True, **_OPTIONS)(function)
    # A file imported under another name (as doctests may) must not leave that name in the cache.
    if function.__module__.startswith("bitlif."):
        dispatcher._cache = EngineCache(function, source_stamp())
    return dispatcher  # type: ignore[no-any-return]
