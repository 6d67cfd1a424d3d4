"""The engine: the specification's own functions, compiled by Numba and kept on disk.

Numba keeps compiled code as long as the *file of the function* is unchanged, but these functions
call others in other files. Here the stamp is a hash of every file of `bitlif.model`.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import caching
from numba.extending import register_jitable

# Kernels never allocate, so they need not count references to arrays, which costs atomic
# operations in every step. Nothing calls them from C, so they get no wrapper for it either.
_OPTIONS = {"_nrt": False, "no_cfunc_wrapper": True}

compilable = register_jitable(**_OPTIONS)
"""Marks a function that compiled ones call; it stays the plain function that it is."""

inlined = register_jitable(forceinline=True, **_OPTIONS)
"""The same for one called every step: for a small layer, to pass NamedTuples of arrays (a hundred
words by value) costs more than the step."""


@functools.cache
def source_stamp() -> str:
    """Return a hash of all sources of `bitlif.model`."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


class _WholeModelStamp:
    def get_source_stamp(self) -> str:
        return source_stamp()


class _UserProvided(_WholeModelStamp, caching.UserProvidedCacheLocator):
    pass


class _InTree(_WholeModelStamp, caching.InTreeCacheLocator):
    pass


class _UserWide(_WholeModelStamp, caching.UserWideCacheLocator):
    pass


class _CacheImpl(caching.CompileResultCacheImpl):
    def __init__(self, function: Callable[..., Any]) -> None:
        # The order is Numba's own: NUMBA_CACHE_DIR, beside the source, the user's cache folder.
        self._locator_classes = [_UserProvided, _InTree, _UserWide]
        super().__init__(function)


class _Cache(caching.FunctionCache):
    _impl_class = _CacheImpl


@functools.cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` compiled on first call, from disk if it can; it frees the interpreter."""
    make: Any = numba.njit
    dispatcher = make(nogil=True, **_OPTIONS)(function)
    # A file imported under another name (as doctests may) must not leave that name in the cache.
    if function.__module__.startswith("bitlif."):
        dispatcher._cache = _Cache(function)
    return dispatcher  # type: ignore[no-any-return]
