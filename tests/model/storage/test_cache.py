"""Cache entries are built once, visible only when complete, and verified before use."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.storage.cache import NOTE, VARIABLE, cache_folder, cached, key_of

KEY, PRODUCT = "0123", "core.so"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache folder for this test only, not created yet."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def make(folder: Path) -> None:
    (folder / PRODUCT).write_text("whole")
    (folder / "log").write_text("said")


def never(folder: Path) -> None:
    raise AssertionError("built again")


def names(path: Path) -> set[str]:
    return {own.name for own in path.iterdir()}


def unfinished(root: Path) -> set[str]:
    return {name for name in names(root) if name.startswith(".")}


def test_variable_names_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.setenv(VARIABLE, "/some/where")
    assert cache_folder() == Path("/some/where")
    monkeypatch.setenv(VARIABLE, "here")
    assert cache_folder() == Path.cwd() / "here"


def test_default_folder_is_in_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.setenv("HOME", "/me")
    monkeypatch.setenv(VARIABLE, "")
    assert cache_folder() == Path("/x/bitlif")
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "x")
    assert cache_folder() == Path("/me/.cache/bitlif")


def test_key_depends_on_every_text_and_not_on_their_order() -> None:
    parts = {"a": "1", "b": "2"}
    assert key_of(parts) == key_of({"b": "2", "a": "1"})
    others = ({"a": "1"}, {"a": "2", "b": "1"}, {"a": "12", "b": ""}, {"a": "1", "b": "2", "c": ""})
    assert len({key_of(parts), *(key_of(other) for other in others)}) == 5


def test_entry_is_built_once_and_keeps_all_files(root: Path) -> None:
    path = cached(KEY, PRODUCT, make)
    assert path == root / KEY / PRODUCT
    assert names(root) == {KEY, f"{KEY}.lock"}
    assert names(root / KEY) == {PRODUCT, "log", NOTE}
    assert (root / KEY).stat().st_mode & 0o777 == 0o755
    assert cached(KEY, PRODUCT, never) == path
    assert path.read_text() == "whole"


def test_entry_is_invisible_while_it_is_built(root: Path) -> None:
    def look(folder: Path) -> None:
        assert folder.parent == root
        assert names(root) == {folder.name, f"{KEY}.lock"}
        assert folder.name in unfinished(root)
        make(folder)

    cached(KEY, PRODUCT, look)


@pytest.mark.parametrize("error", [BitlifError, KeyboardInterrupt, ZeroDivisionError])
def test_failure_leaves_its_logs_and_no_entry(error: type[BaseException], root: Path) -> None:
    def fail(folder: Path) -> None:
        make(folder)
        raise error("so")

    with pytest.raises(error, match=r"^so$"):
        cached(KEY, PRODUCT, fail)
    assert not (root / KEY).exists()
    (left,) = unfinished(root)
    assert (root / left / "log").read_text() == "said"
    cached(KEY, PRODUCT, make)
    assert names(root) == {KEY, f"{KEY}.lock"}


def test_unfinished_folders_of_other_entries_stay(root: Path) -> None:
    (root / ".4567-other").mkdir(parents=True)
    (root / f".{KEY}-dead").mkdir()
    cached(KEY, PRODUCT, make)
    assert unfinished(root) == {".4567-other"}


def test_missing_product_is_an_error(root: Path) -> None:
    with pytest.raises(
        BitlifError,
        match=r"^core\.so was not built, and no tool reported .*; the logs are in '(.*)'$",
    ) as info:
        cached(KEY, PRODUCT, lambda folder: None)
    assert Path(str(info.value).split("'")[1]).parent == root
    assert not (root / KEY).exists()


def test_unsafe_folder_is_replaced_by_a_private_one(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    private = tmp_path / "private"
    monkeypatch.setattr("bitlif.model.storage.cache.private_folder", lambda: private)
    planted = cached(KEY, PRODUCT, make)
    root.chmod(0o777)
    for making in (make, never):
        path = cached(KEY, PRODUCT, making)
        assert path == private / "bitlif" / KEY / PRODUCT
    planted.write_text("never read")
    assert path.read_text() == "whole"
    assert private.stat().st_mode & 0o777 == 0o700
    text = f"bitlif: '{root}' can be written by other users: compiled cores are kept in "
    assert capsys.readouterr().err == f"{text}'{private / 'bitlif'}'\n"


def test_folder_of_another_user_is_replaced_by_a_private_one(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bitlif.model.storage.cache.private_folder", lambda: tmp_path / "private")
    root.mkdir()
    place = root.stat().st_ino
    monkeypatch.setattr(
        "bitlif.model.storage.trust._owner",
        lambda status: 54321 if status.st_ino == place else status.st_uid,
    )
    assert tmp_path / "private" in cached(KEY, PRODUCT, make).parents
    assert f"'{root}' belongs to another user (number 54321): " in capsys.readouterr().err


def test_unsafe_entry_is_refused_until_removed(root: Path) -> None:
    for open_one in (root / KEY, root / KEY / PRODUCT):
        path = cached(KEY, PRODUCT, make)
        open_one.chmod(0o777)
        text = rf"^'{open_one}' can be written by other users: remove '{root / KEY}' to re"
        with pytest.raises(BitlifError, match=text):
            cached(KEY, PRODUCT, never)
        shutil.rmtree(path.parent)


def test_entry_linked_by_another_user_is_refused(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached(KEY, PRODUCT, make).parent.rename(tmp_path / "elsewhere")
    (root / KEY).symlink_to(tmp_path / "elsewhere")
    assert cached(KEY, PRODUCT, never).read_text() == "whole"
    place = (root / KEY).lstat().st_ino
    monkeypatch.setattr(
        "bitlif.model.storage.trust._owner",
        lambda status: 54321 if status.st_ino == place else status.st_uid,
    )
    with pytest.raises(BitlifError, match=rf"^'{root / KEY}' belongs to another user"):
        cached(KEY, PRODUCT, never)


def test_entry_is_not_writable_by_others(root: Path) -> None:
    before = os.umask(0)
    try:
        path = cached(KEY, PRODUCT, make)
    finally:
        os.umask(before)
    for own in (root, *root.rglob("*")):
        assert not own.stat().st_mode & 0o022, own
    assert root.stat().st_mode & 0o777 == 0o700
    assert cached(KEY, PRODUCT, never) == path


def test_lock_does_not_follow_a_link(root: Path, tmp_path: Path) -> None:
    root.mkdir()
    (tmp_path / "victim").write_text("mine")
    (root / f"{KEY}.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(BitlifError, match=r"cannot be used \(Too many levels of symbolic links\)"):
        cached(KEY, PRODUCT, make)
    assert (tmp_path / "victim").read_text() == "mine"


def test_user_without_a_home_gets_a_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr("bitlif.model.storage.cache.user_cache", lambda: None)
    monkeypatch.setattr("bitlif.model.storage.cache.own_cache", lambda: tmp_path / "private")
    assert cached(KEY, PRODUCT, make) == tmp_path / "private" / "bitlif" / KEY / PRODUCT


def test_unwritable_home_uses_a_private_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(VARIABLE)
    home = tmp_path / "home"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.setattr("bitlif.model.storage.cache.private_folder", lambda: tmp_path / "private")
    (tmp_path / "home").write_text("not a folder")
    assert cached(KEY, PRODUCT, make) == tmp_path / "private" / "bitlif" / KEY / PRODUCT
    said = capsys.readouterr().err
    assert said.startswith(f"bitlif: '{home / 'bitlif'}' cannot be made (Not a directory): compi")


def truncate(product: Path) -> None:
    product.write_bytes(product.read_bytes()[:-1])


def grow(product: Path) -> None:
    product.write_bytes(product.read_bytes() + b"\0")


def make_folder(product: Path) -> None:
    product.unlink()
    product.mkdir()


def make_file(product: Path) -> None:
    shutil.rmtree(product.parent)
    product.parent.write_text("file")


def change_note(text: str) -> Callable[[Path], None]:
    def change(product: Path) -> None:
        product.with_name(NOTE).write_text(text)

    return change


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": truncate,
    "empty": lambda product: product.write_bytes(b""),
    "longer": grow,
    "missing": Path.unlink,
    "a folder": make_folder,
    "note missing": lambda product: product.with_name(NOTE).unlink(),
    "note empty": change_note(""),
    "note cut": change_note('{"sha256": "'),
    "note of another kind": change_note("[1, 2]"),
    "note of nothing": change_note("{}"),
    "note not text": lambda product: product.with_name(NOTE).write_bytes(b"\xff\xfe"),
    "note of null": change_note('{"sha256": null}'),
    "note of another file": change_note(json.dumps({"sha256": sha256(b"other").hexdigest()})),
    "entry a file": make_file,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_damaged_entry_is_refused_until_removed(damage: Callable[[Path], object]) -> None:
    path = cached(KEY, PRODUCT, make)
    damage(path)
    for _ in range(2):
        with pytest.raises(BitlifError) as info:
            cached(KEY, PRODUCT, never)
        told = re.fullmatch(
            r"'(.*)' has changed since it was built: remove '(.*)' to rebuild it",
            str(info.value),
        )
        assert told is not None
        assert Path(told[1]) == path
        advised = Path(told[2])
    advised.unlink() if advised.is_file() else shutil.rmtree(advised)
    assert cached(KEY, PRODUCT, make).read_text() == "whole"


@pytest.mark.parametrize("below", [".", "deeper"])
def test_file_in_the_folders_place_names_the_variable(
    below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine")
    place = tmp_path / "file" / below
    monkeypatch.setenv(VARIABLE, str(place))
    with pytest.raises(
        BitlifError,
        match=rf"^the cache of compiled cores, '{place}', cannot be used \((File exists|Not a dir"
        rf"ectory)\): set {VARIABLE} to a folder that can be written$",
    ):
        cached(KEY, PRODUCT, never)
    assert (tmp_path / "file").read_text() == "mine"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    cached(KEY, PRODUCT, make)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left on device"),
        (shutil.Error("these files"), "these files"),
    ],
)
def test_full_disk_is_reported(error: OSError, reason: str, root: Path) -> None:
    def full(folder: Path) -> None:
        (folder / PRODUCT).write_text("wh")
        raise error

    text = rf"'{root}', cannot be used \({reason}\): set {VARIABLE} to a folder that can be written"
    with pytest.raises(BitlifError, match=text):
        cached(KEY, PRODUCT, full)
    assert cached(KEY, PRODUCT, make).read_text() == "whole"


def test_existing_entry_needs_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    path = cached(KEY, PRODUCT, make)

    def refuse(*arguments: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("fcntl.flock", refuse)
    assert cached(KEY, PRODUCT, never) == path
    with pytest.raises(BitlifError, match=r"cannot be used \(Read-only file system\)"):
        cached("4567", PRODUCT, make)


def test_threads_build_an_entry_once() -> None:
    count, start = 0, threading.Barrier(8)

    def slow(folder: Path) -> None:
        nonlocal count
        count += 1
        threading.Event().wait(0.2)
        make(folder)

    def ask(number: int) -> Path:
        start.wait()
        return cached(KEY, PRODUCT, slow)

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(ask, range(8)))
    assert len(found) == 1
    assert count == 1


def test_different_entries_are_built_in_parallel() -> None:
    # Each waits until the other is being made too.
    meeting = threading.Barrier(2)

    def meet(folder: Path) -> None:
        meeting.wait()
        make(folder)

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(lambda key: cached(key, PRODUCT, meet), ("a", "b")))) == 2


def test_entry_may_need_another_entry(root: Path) -> None:
    def nested(folder: Path) -> None:
        (folder / PRODUCT).write_text(cached("part", "part.o", part).read_text() + "!")

    def part(folder: Path) -> None:
        (folder / "part.o").write_text("part")

    assert cached(KEY, PRODUCT, nested).read_text() == "part!"
    assert names(root) == {KEY, f"{KEY}.lock", "part", "part.lock"}


HALF = """
import subprocess, sys
from bitlif.model.storage.cache import cached
def make(folder):
    (folder / "core.so").write_text("half")
    with subprocess.Popen(["sleep", "600"]) as helper:
        print(helper.pid, flush=True)
cached("0123", "core.so", make)
"""


def test_killed_process_releases_its_lock(root: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HALF], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        helper = int(process.stdout.readline())
        try:
            with (root / f"{KEY}.lock").open() as lock:
                with pytest.raises(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                process.kill()
                process.wait()
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            assert not (root / KEY).exists()
            assert len(unfinished(root)) == 1
            assert cached(KEY, PRODUCT, make).read_text() == "whole"
            assert names(root) == {KEY, f"{KEY}.lock"}
        finally:
            os.kill(helper, signal.SIGKILL)
