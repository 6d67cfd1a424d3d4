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

GOLDEN_MARK = "manifest.json"
"""So does one of golden vectors; it is a common name, so its text must say so too."""

GOLDEN_KIND = '"kind": "bitlif golden vectors"'


def check_folder(path: Path, *, force: bool = False) -> None:
    """Raise unless `path` is free, empty, or (with `force`) a folder that a command made before."""
    above = next(own for own in (*path.absolute().parents, Path("/")) if own.exists())
    if not above.is_dir():
        raise BitlifError(f"--out must be in a folder, not in the file '{above}'")
    if not path.exists():
        return
    if Path.cwd().is_relative_to(path.resolve()):
        raise BitlifError(f"--out must be a new folder, not '{path}', from which you call")
    if not path.is_dir():
        raise BitlifError(f"--out must be a folder, not the file '{path}'")
    content = list(path.iterdir())
    if not content:
        return
    if not _made_by_a_command(path):
        raise BitlifError(
            f"--out must be a new or empty folder, not '{path}', which holds others' files"
        )
    if not force:
        raise BitlifError(f"--out must be a new folder, not '{path}': give --force to replace it")


def _made_by_a_command(path: Path) -> bool:
    if (path / MARK).exists():
        return True
    golden = path / GOLDEN_MARK
    return golden.is_file() and GOLDEN_KIND.encode() in golden.read_bytes()


@contextlib.contextmanager
def new_folder(path: Path, *, force: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside `path`; rename it to `path` once all in it is written.

    An interruption or error leaves `path` as it was.
    """
    check_folder(path, force=force)
    # A link stays, and what it points to is replaced.
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    old = made.with_name(f"{made.name}-old")
    try:
        made.chmod(0o755)
        yield made
        # Others may have filled it meanwhile.
        check_folder(path, force=force)
        if path.exists():
            path.rename(old)
        made.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
