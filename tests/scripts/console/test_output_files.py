"""Results are written atomically, never replace foreign files, and are never lost."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.storage.ownership import GOLDEN, MARKER, write_marker
from bitlif.scripts.console import output_files
from bitlif.scripts.console.output_files import (
    KeptElsewhere,
    OutputFile,
    OutputFolder,
    require_place,
)


def earlier_result(path: Path) -> None:
    path.mkdir()
    (path / "old").write_text("old")
    write_marker(path, "learn")


def names(path: Path) -> list[str]:
    return sorted(own.name for own in path.iterdir())


def fill(folder: Path) -> str:
    (folder / "new").write_text("new")
    return "filled"


def write(path: Path, *, force: bool = False) -> None:
    with OutputFolder(path, "learn", force=force) as out:
        assert out.write(fill) == "filled"


OLD, NEW = [MARKER, "old"], [MARKER, "new"]


@pytest.fixture
def spare(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which results are kept that their place does not take."""
    folder = tmp_path_factory.mktemp("spare")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


class Disk:
    """A folder on a separate small disk, which can be filled up."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, patch

    def fill_up(self) -> None:
        if self.folder.is_mount():
            rest = self.folder / "rest"
            with rest.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(bytes(1024)):
                    pass
            return
        open_file = Path.open

        def full(path: Path, mode: str = "r", *args: object, **named: object) -> object:
            if "w" in mode and path.is_relative_to(self.folder):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            return open_file(path, mode, *args, **named)  # type: ignore[call-overload]

        (self.folder / "rest").touch()
        self._patch.setattr(Path, "open", full)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Return a small disk: a real one for root, who alone may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    call = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0:
        yield Disk(folder, monkeypatch)
        return
    subprocess.run(call, check=True)
    try:
        yield Disk(folder, monkeypatch)
    finally:
        subprocess.run(["umount", folder], check=True)


def test_new_folder_holds_all_files_and_a_marker(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b")
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["b"]
    assert names(tmp_path / "a" / "b") == NEW


def test_folder_has_default_mode(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    write(tmp_path / "out")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_golden_set_gets_no_second_marker(tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "out", GOLDEN) as out:
        out.write(fill)
    assert names(tmp_path / "out") == ["new"]


def test_folder_is_invisible_until_complete(tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "out", "learn") as out:
        assert not (tmp_path / "out").exists()
        assert out.folder.parent == tmp_path
        fill(out.folder)
        out.settle()
    assert names(tmp_path / "out") == NEW


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out")
    assert names(tmp_path / "out") == NEW
    assert names(tmp_path) == ["out"]


def test_earlier_result_is_replaced_only_by_force(tmp_path: Path) -> None:
    earlier_result(tmp_path / "out")
    with pytest.raises(BitlifError, match=r"^--out must be a new folder, .*: give --force to repl"):
        write(tmp_path / "out")
    assert names(tmp_path / "out") == OLD
    write(tmp_path / "out", force=True)
    assert names(tmp_path / "out") == NEW
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", ["mine", "report.json", "manifest.json", "difference.json"])
def test_folder_with_foreign_files_is_refused(force: bool, name: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(BitlifError, match=r"^--out must be a new (or empty )?folder, not '.*/out'"):
        write(tmp_path / "out", force=force)
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == [name]


def test_foreign_file_in_a_result_is_refused_by_name(tmp_path: Path) -> None:
    earlier_result(tmp_path / "out")
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(BitlifError, match=r"only files of bitlif, .* holds 'thesis\.tex'$"):
        write(tmp_path / "out", force=True)
    assert names(tmp_path / "out") == sorted([*OLD, "thesis.tex"])


def test_result_of_another_command_is_refused(tmp_path: Path) -> None:
    earlier_result(tmp_path / "out")
    with pytest.raises(BitlifError, match=r"one of kind 'demo', not '.*' of kind 'learn'$"):
        OutputFolder(tmp_path / "out", "demo", force=True)
    assert names(tmp_path / "out") == OLD


def test_file_cannot_replace_or_hold_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(BitlifError, match=rf"^--out must be a folder, not the file '{file}'$"):
        require_place("--out", file, "learn")
    for path in (file / "out", file / "deep" / "out"):
        with pytest.raises(BitlifError, match=rf"^--out must be in a folder, .* file '{file}'$"):
            require_place("--out", path, "learn")


def test_current_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for path in (Path(), tmp_path / "here", Path("..", "here"), tmp_path):
        with pytest.raises(
            BitlifError, match=r"^--out must be a new folder, not '.*', which contains the current"
        ):
            require_place("--out", path, "learn", force=True)
    write(Path("out"))
    assert names(Path()) == ["out"]


def test_target_of_a_link_is_replaced(tmp_path: Path) -> None:
    earlier_result(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", force=True)
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == NEW
    assert names(tmp_path) == ["link", "real"]


def test_dangling_links_are_filled_or_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link")
    assert names(tmp_path / "real") == NEW
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(BitlifError, match=r"not '.*loop', a link that leads nowhere$"):
        write(tmp_path / "loop")
    with pytest.raises(BitlifError, match=r"^--out '.*loop' cannot be written: Too many levels"):
        OutputFile(tmp_path / "loop")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/proc", r"a folder below '/proc', which is a mount point$"),
        ("/", r"a new folder, not '/', which contains the current one$"),
    ],
)
def test_mount_points_are_refused(path: str, message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        require_place("--out", Path(path), "learn", force=True)
    with pytest.raises(BitlifError, match=rf"^--out must be a file, not the folder '{path}'$"):
        OutputFile(Path(path))


@pytest.mark.parametrize("path", ["/proc/out", "/proc/1/out", "/sys/out", "/proc/deep/out"])
def test_unwritable_paths_are_refused_before_the_work(path: str) -> None:
    for make in (lambda: OutputFolder(Path(path), "learn"), lambda: OutputFile(Path(path))):
        with pytest.raises(BitlifError, match=rf"^--out '{path}' cannot be written: \w.*"):
            make()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, BitlifError])
@pytest.mark.parametrize("before", ["nothing", "empty", "result"])
def test_interruption_changes_nothing(
    error: type[BaseException], before: str, tmp_path: Path
) -> None:
    if before == "empty":
        (tmp_path / "out").mkdir()
    elif before == "result":
        earlier_result(tmp_path / "out")

    def interrupted(folder: Path) -> None:
        fill(folder)
        raise error

    with pytest.raises(error), OutputFolder(tmp_path / "out", "learn", force=True) as out:
        out.write(interrupted)
    assert names(tmp_path) == ([] if before == "nothing" else ["out"])
    if before != "nothing":
        assert names(tmp_path / "out") == (OLD if before == "result" else [])


@pytest.mark.parametrize("make", [OutputFile, lambda path: OutputFolder(path, "learn")])
def test_interruption_while_it_is_opened_leaves_nothing(
    make: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(handle: int) -> None:
        assert list(tmp_path.iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_interruption_removes_created_parents(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), OutputFolder(tmp_path / "a" / "b" / "out", "learn"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_folder_named_by_an_error_is_kept(tmp_path: Path) -> None:
    def failed() -> None:
        with OutputFolder(tmp_path / "out", "build") as out:
            (out.folder / "yosys.log").write_text("why")
            raise BitlifError(f"yosys failed; what it said is in {out.folder / 'yosys.log'}")

    with pytest.raises(BitlifError, match=r"yosys\.log$"):
        failed()
    (left,) = tmp_path.iterdir()
    assert (left / "yosys.log").read_text() == "why"
    write(tmp_path / "out")
    assert names(tmp_path) == ["out"]


def test_foreign_folder_and_result_are_both_kept(tmp_path: Path, spare: Path) -> None:
    for force in (False, True):
        with OutputFolder(tmp_path / "out", "learn", force=force) as out:
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "mine").write_text("mine")
            with pytest.raises(
                KeptElsewhere, match=r"could not be written \(.*\): the result is in"
            ):
                out.write(fill)
        assert names(tmp_path) == ["out"]
        assert names(tmp_path / "out") == ["mine"]
        (kept,) = spare.iterdir()
        assert names(kept) == NEW
        shutil.rmtree(kept)
        shutil.rmtree(tmp_path / "out")


def test_result_is_kept_if_its_path_was_removed(tmp_path: Path, spare: Path) -> None:
    with OutputFolder(tmp_path / "a" / "out", "learn") as out:
        shutil.rmtree(tmp_path / "a")
        with pytest.raises(KeptElsewhere) as caught:
            out.write(fill)
    assert names(tmp_path) == []
    (kept,) = spare.iterdir()
    assert caught.value.folder == kept
    assert str(caught.value) == (
        f"--out '{tmp_path / 'a' / 'out'}' could not be written (No such file or directory): "
        f"the result is in '{kept}'"
    )
    assert names(kept) == NEW


def test_settled_result_is_kept_too(
    tmp_path: Path, spare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> NoReturn:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(output_files.NewFolder, "commit", failing)
    with OutputFolder(tmp_path / "out", "build") as out:
        fill(out.folder)
        with pytest.raises(KeptElsewhere, match=r"\(Device or resource busy\): the result is in"):
            out.settle()
    (kept,) = spare.iterdir()
    assert names(kept) == NEW
    assert names(tmp_path) == []


def test_full_disk_is_refused_before_the_work(disk: Disk) -> None:
    disk.fill_up()
    for make in (
        lambda: OutputFolder(disk.folder / "out", "x"),
        lambda: OutputFile(disk.folder / "out"),
    ):
        with pytest.raises(BitlifError, match=r"^--out '.*out' cannot be written: No space left"):
            make()
    assert names(disk.folder) == ["rest"]


def test_full_disk_during_the_work_loses_nothing(disk: Disk, spare: Path) -> None:
    earlier_result(disk.folder / "out")
    (disk.folder / "file").write_text("old")
    with (
        OutputFolder(disk.folder / "out", "learn", force=True) as folder,
        OutputFile(disk.folder / "file") as file,
    ):
        disk.fill_up()
        with pytest.raises(KeptElsewhere, match=r"\(No space left on device\)") as kept_folder:
            folder.write(fill)
        with pytest.raises(KeptElsewhere, match=r"\(No space left on device\)") as kept_file:
            file.write_text("new")
    assert names(disk.folder) == ["file", "out", "rest"]
    assert names(disk.folder / "out") == OLD
    assert (disk.folder / "file").read_text() == "old"
    assert names(kept_folder.value.folder) == NEW
    assert (kept_file.value.folder / "file").read_text() == "new"
    assert kept_file.value.folder.parent == spare


def test_error_if_no_folder_can_hold_the_result(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_files, "_other_places", lambda: iter([disk.folder, Path("/proc")]))
    with OutputFile(disk.folder / "file") as file:
        disk.fill_up()
        with pytest.raises(BitlifError, match=r"\(No space left on device\), nor could any other"):
            file.write_text("new")
    assert names(disk.folder) == ["rest"]


@pytest.mark.parametrize("way", ["same", "hard link", "symbolic link", "link to it"])
def test_output_is_never_an_input(way: str, tmp_path: Path) -> None:
    given, out = tmp_path / "in.npz", tmp_path / "out.npz"
    given.write_text("mine")
    if way == "same":
        out = tmp_path / ".." / tmp_path.name / "in.npz"
    elif way == "hard link":
        out.hardlink_to(given)
    elif way == "symbolic link":
        out.symlink_to(given)
    else:
        given.rename(tmp_path / "real")
        given.symlink_to("real")
        out = tmp_path / "real"
    with pytest.raises(BitlifError, match=r"^--out must not be the same file as --spikes"):
        OutputFile(out, {"CONFIG": "tiny", "--targets": None, "--spikes": str(given)})
    assert given.read_text() == "mine"


def test_file_is_invisible_until_complete(tmp_path: Path) -> None:
    with OutputFile(tmp_path / "a.npz", {"--weights": "nowhere"}) as out:
        assert not (tmp_path / "a.npz").exists()
        out.write(lambda path: path.write_text("new"))
    assert (tmp_path / "a.npz").read_text() == "new"
    with pytest.raises(KeyboardInterrupt), OutputFile(tmp_path / "a.npz"):
        raise KeyboardInterrupt
    assert (tmp_path / "a.npz").read_text() == "new"
    assert names(tmp_path) == ["a.npz"]


def test_folder_or_read_only_file_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BitlifError, match=rf"^--out must be a file, not the folder '{tmp_path}'$"):
        OutputFile(tmp_path)
    (tmp_path / "file").write_text("mine")
    # Root may write anywhere, so the error of the system is simulated.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(BitlifError, match=r"file' cannot be written: Permission denied$"):
        OutputFile(tmp_path / "file")


def test_devices_are_written_directly(spare: Path) -> None:
    with OutputFile(Path("/dev/null")) as out:
        out.write_text("x")
    with OutputFile(Path("/dev/full")) as out, pytest.raises(KeptElsewhere) as caught:
        out.write_text("x")
    assert (caught.value.folder / "full").read_text() == "x"
    assert Path("/dev/full").is_char_device()
