"""Files and folders are complete or unchanged after any failure."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.storage import atomic
from bitlif.model.storage.atomic import NewFile, NewFolder, exchange, new_file, recover, write_file
from bitlif.model.storage.ownership import require_ours, write_marker


def content(path: Path) -> dict[str, str]:
    """Return all files of a folder by name."""
    return {own.name: own.read_text() for own in path.iterdir()}


def names(path: Path) -> list[str]:
    return sorted(own.name for own in path.iterdir())


def earlier(path: Path) -> dict[str, str]:
    path.mkdir()
    (path / "old").write_text("old")
    write_marker(path, "learn")
    return content(path)


def ours(path: Path) -> None:
    require_ours("--out", path, "learn")


def write(path: Path) -> None:
    made = NewFolder(path)
    try:
        (made.folder / "new").write_text("new")
        write_marker(made.folder, "learn")
        made.commit(ours)
    finally:
        made.close()


@pytest.fixture(params=["exchange", "two renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with and without the system's exchange of names."""
    if request.param == "two renames":
        monkeypatch.setattr(atomic, "exchange", lambda one, other: False)
    return str(request.param)


def test_exchange_swaps_folders(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text(name)
    assert exchange(tmp_path / "a", tmp_path / "b")
    assert content(tmp_path / "a") == {"b": "b"}
    with pytest.raises(OSError, match="No such file or directory"):
        exchange(tmp_path / "a", tmp_path / "c")


def test_folder_replaces_the_old_one(way: str, tmp_path: Path) -> None:
    earlier(tmp_path / "out")
    write(tmp_path / "out")
    assert content(tmp_path / "out")["new"] == "new"
    assert names(tmp_path) == ["out"]


def test_folder_is_hidden_until_it_is_complete(tmp_path: Path) -> None:
    made = NewFolder(tmp_path / "a" / "out")
    assert made.folder.parent == tmp_path / "a"
    assert made.folder.name.startswith(".out.bitlif-")
    made.close()
    made.close()
    assert names(tmp_path) == []


def test_foreign_file_written_meanwhile_is_kept(way: str, tmp_path: Path) -> None:
    old = earlier(tmp_path / "out")
    made = NewFolder(tmp_path / "out")
    calls = 0

    def check(folder: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:  # between the first check and the exchange
            (folder / "mine").write_text("mine")
        ours(folder)

    with pytest.raises(BitlifError, match=r"'mine'$"):
        made.commit(check)
    made.close()
    assert content(tmp_path / "out") == {**old, "mine": "mine"}
    assert names(tmp_path) == ["out"]


def test_old_folder_being_replaced_is_not_a_leftover(way: str, tmp_path: Path) -> None:
    earlier(tmp_path / "out")
    made = NewFolder(tmp_path / "out")
    (made.folder / "new").write_text("new")
    seen = []

    def check(folder: Path) -> None:
        recover(tmp_path / "out")  # as another process does
        seen.append(names(folder))
        ours(folder)

    made.commit(check)
    assert seen == [["bitlif.json", "old"]] * 2
    assert names(tmp_path / "out") == ["new"]


def test_path_created_by_others_meanwhile_is_kept(tmp_path: Path) -> None:
    made = NewFolder(tmp_path / "out")
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OSError, match="Not a directory"):
        made.commit(ours)
    made.close()
    assert (tmp_path / "out").read_text() == "mine"
    assert names(tmp_path) == ["out"]


def test_failed_second_rename_restores_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "exchange", lambda one, other: False)
    old = earlier(tmp_path / "out")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="Input/output error"):
        write(tmp_path / "out")
    assert content(tmp_path / "out") == old
    assert names(tmp_path) == ["out"]


KILL = """
import os, signal, sys
from pathlib import Path
from bitlif.model.storage import atomic
from bitlif.model.storage.ownership import require_ours, write_marker

path, kind, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
if kind == "two renames":
    atomic.exchange = lambda one, other: False
count = 0

def before(call):
    def counted(*args, **kwargs):
        global count
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return counted

for name in ("rename", "replace", "mkdir", "rmdir", "unlink", "open", "fsync", "close", "chmod"):
    setattr(os, name, before(getattr(os, name)))
atomic.exchange = before(atomic.exchange)
if kind == "file":
    atomic.write_file(path, "new")
else:
    made = atomic.NewFolder(path)
    for name in ("a", "b"):
        (made.folder / name).write_text("new")
    write_marker(made.folder, "learn")
    made.commit(lambda folder: require_ours("--out", folder, "learn"))
print("done")
"""


def killed_before(call: int, path: Path, kind: str) -> bool:
    """Write `path` in a process that is killed before a system call; tell whether it was."""
    command = [sys.executable, "-c", KILL, path, kind, str(call)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


@pytest.mark.parametrize("kind", ["exchange", "two renames"])
def test_kill_leaves_the_old_or_the_new_folder(kind: str, tmp_path: Path) -> None:
    old = earlier(tmp_path / "reference")
    write(tmp_path / "whole")
    new = {"a", "b", "bitlif.json"}
    seen = set()
    for call in range(1, 200):
        home = tmp_path / f"{call}"
        home.mkdir()
        out = home / "out"
        earlier(out)
        if not killed_before(call, out, kind):
            assert set(content(out)) == new
            break
        if kind == "exchange":
            # Never without a whole one under its name, even before the next call.
            assert out.exists()
        recover(out)
        seen.add(out.exists() and set(content(out)) == new)
        assert content(out) == old or set(content(out)) == new
        assert names(home) == ["out"], call
    else:
        pytest.fail("the process never came to its end")
    assert seen == {False, True}


def test_kill_leaves_the_old_or_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    seen = set()
    for call in range(1, 50):
        path.write_text("old")
        if not killed_before(call, path, "file"):
            break
        seen.add(path.read_text())
        write_file(path, "next")
        assert names(tmp_path) == ["out.txt"], call
    else:
        pytest.fail("the process never came to its end")
    assert seen == {"old", "new"}


def test_output_of_a_live_process_is_kept(tmp_path: Path) -> None:
    made = NewFolder(tmp_path / "out")
    with new_file(tmp_path / "file") as other:
        recover(tmp_path / "out")
        write(tmp_path / "out")
        write_file(tmp_path / "file", "x")
        assert made.folder.exists()
        assert other.exists()
    made.close()
    assert names(tmp_path) == ["file", "out"]


def test_leftover_with_a_foreign_file_is_kept(tmp_path: Path) -> None:
    left = tmp_path / ".out.bitlif-0123abcd.new"
    earlier(left)
    recover(tmp_path / "out")
    assert not left.exists()
    earlier(left)
    (left / "mine").write_text("mine")
    recover(tmp_path / "out")
    assert (left / "mine").exists()


def test_old_folder_is_kept_if_its_path_is_taken(tmp_path: Path) -> None:
    left = tmp_path / ".out.bitlif-0123abcd.old"
    earlier(left)
    (tmp_path / "out").mkdir()
    recover(tmp_path / "out")
    assert left.exists()


def test_folders_with_similar_names_are_kept(tmp_path: Path) -> None:
    for name in (".out2.bitlif-0123abcd.new", ".out.bitlif-0123abcd.newer", ".out-abc", "out.new"):
        (tmp_path / name).mkdir()
    (tmp_path / ".out.bitlif-0123abcd.new").symlink_to("out.new")
    before = names(tmp_path)
    recover(tmp_path / "out")
    assert names(tmp_path) == before


def test_long_names_are_possible(tmp_path: Path) -> None:
    name = "é" * 127
    write(tmp_path / name)
    write(tmp_path / name)
    write_file(tmp_path / f"{name[:120]}.txt", "x")
    assert len(names(tmp_path)) == 2


def full(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_full_disk_leaves_no_partial_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("old")
    code = (
        "import signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from pathlib import Path; from bitlif.model.storage.atomic import write_file\n"
        "write_file(Path(sys.argv[1]), 'x' * 100_000)"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, tmp_path / "out"],
        preexec_fn=full(65536), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "File too large" in done.stderr
    assert content(tmp_path) == {"out": "old"}


def test_file_keeps_its_link_and_mode(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    write_file(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640


def test_new_file_has_default_mode(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    write_file(tmp_path / "c.v", b"x")
    assert (tmp_path / "c.v").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_missing_parents_are_created_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.v"
    with pytest.raises(FileNotFoundError):
        NewFile(path)
    for finish in (NewFile.close, NewFile.commit):
        made = NewFile(path, parents=True)
        made.file.write_text("x")
        finish(made)
        assert names(tmp_path) == (["a"] if path.exists() else [])
    assert path.read_text() == "x"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ZeroDivisionError])
def test_interrupted_file_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    def interrupted() -> None:
        with new_file(tmp_path / "b.npz") as made:
            assert made.suffix == ".npz"
            made.write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert names(tmp_path) == []


def test_devices_and_pipes_are_written_directly() -> None:
    with new_file(Path("/dev/null")) as made:
        assert made == Path("/dev/null")
    write_file(Path("/dev/null"), "x")


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1"])
def test_standard_output_may_be_a_pipe(path: str) -> None:
    code = (
        "import sys; from pathlib import Path; from bitlif.model.storage.atomic import write_file\n"
        "write_file(Path(sys.argv[1]), 'x')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("x", "")


@pytest.mark.parametrize("path", ["/", "/proc/x", "/proc/1/x", "."])
def test_impossible_paths_fail_before_the_work(path: str) -> None:
    with pytest.raises(OSError), new_file(Path(path)):
        pytest.fail("it was given a place")
