"""Locks exclude other descriptors, and their absence is an ordinary error of the system."""

from __future__ import annotations

import errno
import os
import sys
import threading
from pathlib import Path

import pytest

from bitlif.model.storage.locks import lock_exclusively


@pytest.mark.parametrize("folder", [False, True])
def test_lock_excludes_other_descriptors_until_closed(folder: bool, tmp_path: Path) -> None:
    path = tmp_path if folder else tmp_path / "file"
    if not folder:
        path.write_text("")
    holder, other = os.open(path, os.O_RDONLY), os.open(path, os.O_RDONLY)
    lock_exclusively(holder, wait=False)
    with pytest.raises(BlockingIOError):
        lock_exclusively(other, wait=False)
    os.close(holder)
    lock_exclusively(other, wait=True)
    os.close(other)


def test_lock_waits_for_another_thread(tmp_path: Path) -> None:
    holder, other = os.open(tmp_path, os.O_RDONLY), os.open(tmp_path, os.O_RDONLY)
    lock_exclusively(holder, wait=True)
    waiting = threading.Thread(target=lock_exclusively, args=(other,), kwargs={"wait": True})
    waiting.start()
    os.close(holder)
    waiting.join(60)
    assert not waiting.is_alive()
    os.close(other)


def test_system_without_fcntl_raises_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(OSError, match=r"^\[Errno") as info:
        lock_exclusively(0, wait=False)
    assert info.value.errno == errno.ENOTSUP
