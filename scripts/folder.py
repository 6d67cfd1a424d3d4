"""Result folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bitlif.model.errors import BitlifError

MARK = "report.json"
"""A folder that holds this was made by a command, and may be replaced by one."""


def check_folder(path: Path, *, force: bool = False) -> None:
    """Raise unless `path` is free, empty, or (with `force`) a folder that a command made before."""
    if not path.exists():
        return
    if not path.is_dir():
        raise BitlifError(f"--out must be a folder, not the file '{path}'")
    content = list(path.iterdir())
    if not content:
        return
    if not (path / MARK).exists():
        raise BitlifError(
            f"--out must be a new or empty folder, not '{path}', which holds others' files"
        )
    if not force:
        raise BitlifError(f"--out must be a new folder, not '{path}': give --force to replace it")


@contextlib.contextmanager
def new_folder(path: Path, *, force: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside `path`; rename it to `path` once all in it is written.

    An interruption or error leaves `path` as it was.
    """
    check_folder(path, force=force)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        made.chmod(0o755)
        yield made
        if path.exists():
            shutil.rmtree(path)
        made.rename(path)
    finally:
        shutil.rmtree(made, ignore_errors=True)
