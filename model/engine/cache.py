"""The cache of compiled code on disk. Code is verified before it is loaded, and recompiled if bad.

Numba loads any file that it finds with `pickle` and executes it. This cache loads a file only if no
other user could have written it, and if its hash is right. The hash covers the file's name, the
sources and versions from which it was compiled, and its content.

Several folders are searched, and code is written to the first one that is writable, so that a
read-only installation can include its compiled code. If no folder is writable, nothing is cached.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numba
from numba.core import caching, config
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from bitlif.model.errors import BitlifError
from bitlif.model.logging import warn_once
from bitlif.model.storage.trust import distrust, make_own, own_cache, read_trusted

MAGIC = b"bitlif engine 1\n"
"""First bytes of a file; the hash and the content follow."""

BEGIN = len(MAGIC) + hashlib.sha256().digest_size
"""Offset of the content."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that may hold compiled code.

    Attributes
    ----------
    folder : Path
    owners : collection of int
        Users that may own it besides the current user and the superuser.
    """

    folder: Path
    owners: Collection[int] = ()


def places(source: Path) -> Iterator[Place]:
    """Yield the folders that may hold the compiled code of a source, up to the first writable one.

    The order is that of Numba: NUMBA_CACHE_DIR, the folder beside the source, the cache folder of
    the user; then a private folder. The owner of the source may own the folder beside it.
    """
    within = caching._CacheLocator.get_suitable_cache_subpath(str(source))
    chosen = getattr(config, "CACHE_DIR", "")
    if chosen:
        folder = Path(os.path.abspath(chosen), within)  # noqa: PTH100
        fault = distrust(folder)
        if fault:
            warn_once(f"{fault}: NUMBA_CACHE_DIR is not used")
        else:
            yield Place(folder)
            if not make_own(folder):
                return
    with contextlib.suppress(OSError):
        beside = Place(source.parent / "__pycache__", (source.stat().st_uid,))
        if not distrust(beside.folder, beside.owners):
            yield beside
            # The permissions that Python gives this folder: all users may read it.
            if not make_own(beside.folder, beside.owners, mode=0o755):
                return
    with contextlib.suppress(BitlifError):
        folder = own_cache() / "numba" / within
        if not make_own(folder):
            yield Place(folder)


class EngineCache(caching._Cache):
    """The cache of one compiled function, in the form that Numba calls.

    Parameters
    ----------
    function : callable
    stamp : str
        A hash of all sources that the code depends on.
    """

    def __init__(self, function: Callable[..., Any], stamp: str) -> None:
        self._source = Path(inspect.getfile(function))
        bytecode = hashlib.sha256(function.__code__.co_code).hexdigest()
        self._stamp = f"{stamp} {bytecode} {numba.__version__} {metadata.version('llvmlite')}"
        name = f"{self._source.stem}.{function.__qualname__}-{function.__code__.co_firstlineno}"
        name = name.replace("<", "").replace(">", "")
        self._name = f"{name}.py{sys.version_info[0]}{sys.version_info[1]}{sys.abiflags}"
        self._enabled = True

    @property
    def cache_path(self) -> str:
        """Folder to which code is written; an empty string if there is none."""
        return "".join([str(place.folder) for place in places(self._source)][-1:])

    def enable(self) -> None:
        """Enable the cache."""
        self._enabled = True

    def disable(self) -> None:
        """Disable the cache."""
        self._enabled = False

    def flush(self) -> None:
        """Do nothing: outdated code is not loaded, and is replaced when it is recompiled."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the code for a signature, or None if no valid code is found."""
        target_context.refresh()
        if not self._enabled:
            return None
        key = sig, target_context.codegen().magic_tuple()
        name = self._file(key)
        for place in places(self._source):
            content = read_trusted(place.folder / name, place.owners)
            data = None if content is None else self._unpacked(name, key, content)
            if data is not None:
                # Code from another build of the same version may fail to load; it is recompiled.
                with contextlib.suppress(Exception):
                    return CompileResult._rebuild(target_context, *data)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write the code for a signature, if any folder is writable."""
        if not self._enabled or data.library.has_dynamic_globals:
            return
        key = sig, data.codegen.magic_tuple()
        name = self._file(key)
        content = dumps((key, data._reduce()))
        packed = MAGIC + self._digest(name, content) + content
        # If writing fails, the next process compiles again.
        with contextlib.suppress(OSError):
            for place in [*places(self._source)][-1:]:
                _write(place.folder / name, packed)

    def _file(self, key: Any) -> str:
        return f"{self._name}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.nbc"

    def _digest(self, name: str, content: bytes) -> bytes:
        digest = hashlib.sha256(f"{name} {self._stamp}\n".encode())
        digest.update(content)
        return digest.digest()

    def _unpacked(self, name: str, key: Any, packed: bytes) -> Any:
        """Return the data that `save_overload` packed, or None if the file is not valid."""
        content = packed[BEGIN:]
        if packed[:BEGIN] != MAGIC + self._digest(name, content):
            return None
        with contextlib.suppress(Exception):
            found, data = pickle.loads(content)
            return data if found == key else None
        return None


def _write(path: Path, content: bytes) -> None:
    """Replace a file atomically.

    Unlike `bitlif.model.storage.atomic.write_file`, this replaces a symbolic link rather than its
    target, and the permissions are fixed rather than those of the replaced file: a planted link or
    a file that others can write must not survive.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o644)
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
