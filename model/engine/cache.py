"""The engine's compiled code on disk: checked before it is loaded, made anew where it is not whole.

Numba loads what it finds with `pickle` and jumps into it. Here a file is loaded only if no other
user could have written it, and if it is the one that was written: each begins with a hash of its
name, of the sources and versions that it was compiled from, and of its content.

Code is looked for in several folders and kept in the first that can be written, so that a
read-only installation may come with its code. Where none can be written, nothing is kept.
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
"""What a file of ours begins with; then comes the hash, then the content."""

BEGIN = len(MAGIC) + hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that may hold compiled code.

    Attributes
    ----------
    folder : Path
    owners : collection of int
        Users that are trusted with it besides this one and the superuser.
    """

    folder: Path
    owners: Collection[int] = ()


def places(source: Path) -> Iterator[Place]:
    """Yield where a source's compiled code may be, up to the first place that can be written.

    The order is Numba's own: NUMBA_CACHE_DIR, the folder beside the source, the user's cache
    folder; then a private one. Whoever owns the source is trusted with the folder beside it.
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
            # As Python makes it: others may read what is installed for all.
            if not make_own(beside.folder, beside.owners, mode=0o755):
                return
    with contextlib.suppress(BitlifError):
        folder = own_cache() / "numba" / within
        if not make_own(folder):
            yield Place(folder)


class EngineCache(caching._Cache):
    """What a compiled function asks for its code, and gives its code to.

    Parameters
    ----------
    function : callable
    stamp : str
        Changes with every source that the code depends on.
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
        """The folder in which code is kept; nothing if there is none."""
        return "".join([str(place.folder) for place in places(self._source)][-1:])

    def enable(self) -> None:
        """Use the disk."""
        self._enabled = True

    def disable(self) -> None:
        """Do not use the disk."""
        self._enabled = False

    def flush(self) -> None:
        """Do nothing: what does not fit is not loaded, and is replaced when it is compiled."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the code for a signature, or None where there is none that is whole."""
        target_context.refresh()
        if not self._enabled:
            return None
        key = sig, target_context.codegen().magic_tuple()
        name = self._file(key)
        for place in places(self._source):
            content = read_trusted(place.folder / name, place.owners)
            data = None if content is None else self._unpacked(name, key, content)
            if data is not None:
                # What another build of the same version cannot take is compiled anew.
                with contextlib.suppress(Exception):
                    return CompileResult._rebuild(target_context, *data)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code for a signature, if any place for it can be written."""
        if not self._enabled or data.library.has_dynamic_globals:
            return
        key = sig, data.codegen.magic_tuple()
        name = self._file(key)
        content = dumps((key, data._reduce()))
        packed = MAGIC + self._digest(name, content) + content
        # Code that is not kept is compiled again by the next process, which works as well.
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
        """Return what `save_overload` packed, or None if this is something else."""
        content = packed[BEGIN:]
        if packed[:BEGIN] != MAGIC + self._digest(name, content):
            return None
        with contextlib.suppress(Exception):
            found, data = pickle.loads(content)
            return data if found == key else None
        return None


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, 0o644)
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
