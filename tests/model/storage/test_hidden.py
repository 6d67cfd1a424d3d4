"""Hidden names are recognised, and locks show which of them a live process writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bitlif.model.storage.hidden import claimed, hidden, leftovers, lock
from bitlif.model.storage.ownership import TEMPORARY


@pytest.mark.parametrize("name", ["out", "\u00e9" * 127, "a.b [1]"])
def test_names_are_new_short_and_recognised(name: str, tmp_path: Path) -> None:
    made = [hidden(tmp_path / name, ".new") for _ in range(2)]
    for path in made:
        path.touch()
        assert TEMPORARY.fullmatch(path.name)
    hidden(tmp_path / f"{name[:9]}2", ".new").touch()
    assert made[0] != made[1]
    assert leftovers(tmp_path / name, r"\.new") == sorted(made)
    assert leftovers(tmp_path / name, r"\.old") == []


def test_missing_folder_has_no_leftovers(tmp_path: Path) -> None:
    assert leftovers(tmp_path / "no" / "out", r"\.new") == []


@pytest.mark.parametrize("folder", [False, True])
def test_locked_file_is_alive(folder: bool, tmp_path: Path) -> None:
    path = tmp_path / "x"
    _ = path.mkdir() if folder else path.touch()
    handle = lock(path, folder=folder, wait=True)
    with claimed(path, folder=folder) as whose:
        assert whose == "alive"
    os.close(handle)
    with claimed(path, folder=folder) as whose:
        assert whose == "ours"
        with pytest.raises(BlockingIOError):
            lock(path, folder=folder, wait=False)


def test_links_and_missing_files_are_not_locked(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(OSError, match="symbolic links"):
        lock(tmp_path / "link", folder=False, wait=True)
    with pytest.raises(FileNotFoundError):
        lock(tmp_path / "gone", folder=False, wait=True)
    with claimed(tmp_path / "gone", folder=False) as whose:
        assert whose == "alive"
