"""The engine: the functions of the integer model, compiled by Numba and cached on disk.

Numba is imported when the first function is compiled, so that reading a configuration or printing
help does not pay for it. Markers such as `compilable` only record a function until then.

Numba keeps compiled code as long as the *file of the function* is unchanged, but these functions
call others in other files. The stamp of our cache is therefore a hash of every file of
`bitlif.model`; see `bitlif.model.engine.cache`.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

# Kernels never allocate, so they need no reference counts of arrays, which would cost atomic
# operations in every step. They are not called from C, so they need no wrapper for it either.
_OPTIONS = {"_nrt": False, "no_cfunc_wrapper": True}

NO_JIT = (
    "NUMBA_DISABLE_JIT is set: the model runs interpreted, with the same results, but hundreds of "
    "times slower; unset it to run the compiled engine"
)

_marked: list[tuple[Callable[..., Any], dict[str, bool]]] = []
"""Functions marked since Numba last registered them, with their options."""

_observers: list[Callable[[], None]] = []
"""Functions to call when a compilation starts."""

_dispatchers: set[Any] = set()
"""What `compiled` returned."""

_lock = threading.RLock()
"""Held while Numba is imported, and while functions are made known to it."""


def compilable(function: F) -> F:
    """Mark a function that compiled functions may call, and return it unchanged."""
    _marked.append((function, _OPTIONS))
    return function


def inlined(function: F) -> F:
    """Mark a function that is inlined wherever compiled functions call it.

    For functions called every step: with few neurons, passing NamedTuples of arrays (a hundred
    words by value) costs more than the step itself.
    """
    _marked.append((function, {"forceinline": True, **_OPTIONS}))
    return function


def on_compilation(observer: Callable[[], None]) -> None:
    """Call `observer` whenever a function is compiled, rather than loaded from the cache.

    Registering the same observer again has no effect.
    """
    if observer not in _observers:
        _observers.append(observer)


@functools.cache
def _load_numba() -> Any:
    """Import Numba and have it report compilations to the observers; callers hold the lock."""
    import numba
    from numba.core import event

    class CompilationListener(event.Listener):
        """Calls the observers when a compilation starts."""

        def on_start(self, event: Any) -> None:
            # Numba also compiles functions of others.
            if event.data["dispatcher"] in _dispatchers:
                for observer in _observers:
                    observer()

        def on_end(self, event: Any) -> None:
            pass

    event.register("numba:compile", CompilationListener())
    return numba


def _register_marked() -> None:
    """Make the functions marked so far known to Numba; callers hold the lock."""
    from numba.extending import register_jitable

    from . import word_type  # noqa: F401

    while _marked:
        function, options = _marked.pop(0)
        register_jitable(**options)(function)


@functools.cache
def source_stamp() -> str:
    """Return a hash of the names and contents of all sources of `bitlif.model`."""
    digest = hashlib.sha256()
    folder = Path(__file__).parents[1]
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def jit_disabled() -> bool:
    """Return whether NUMBA_DISABLE_JIT is set, so that functions run interpreted.

    Interpreted functions need arrays of Python integers: those of NumPy would wrap.
    """
    with _lock:
        return bool(_load_numba().config.DISABLE_JIT)


@functools.cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the compiled version of `function`.

    It is loaded from the cache or compiled at its first call with each combination of types, and
    releases the GIL while it runs. With NUMBA_DISABLE_JIT set, `function` itself is returned.
    """
    if jit_disabled():
        return function
    with _lock:
        _register_marked()
        dispatcher = _load_numba().njit(nogil=True, **_OPTIONS)(function)
    # Only the package itself uses the cache: a file imported under another name (as doctests may
    # be) must not leave that name in it.
    if function.__module__.startswith("bitlif."):
        from .cache import EngineCache

        dispatcher._cache = EngineCache(function, source_stamp())
    _dispatchers.add(dispatcher)
    return dispatcher  # type: ignore[no-any-return]
