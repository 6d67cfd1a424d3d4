"""Result folders appear whole or not at all, and never in place of what is not theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitlif.model.errors import BitlifError
from bitlif.scripts.folder import GOLDEN_KIND, GOLDEN_MARK, MARK, check_folder, new_folder


def earlier_result(path: Path) -> None:
    path.mkdir()
    (path / MARK).write_text("{}")
    (path / "old").write_text("old")


def names(path: Path) -> list[str]:
    return sorted(own.name for own in path.iterdir())


def write(path: Path, *, force: bool = False) -> None:
    with new_folder(path, force=force) as folder:
        (folder / "new").write_text("new")


def test_new_folder_appears_with_all_that_was_written_and_nothing_beside_it(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a" / "b")
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["b"]
    assert names(tmp_path / "a" / "b") == ["new"]
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o755


def test_nothing_is_seen_before_all_is_written(tmp_path: Path) -> None:
    with new_folder(tmp_path / "out") as folder:
        assert not (tmp_path / "out").exists()
        assert folder.parent == tmp_path
    assert (tmp_path / "out").is_dir()


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out")
    assert names(tmp_path / "out") == ["new"]
    assert names(tmp_path) == ["out"]


def test_earlier_result_is_replaced_only_by_force(tmp_path: Path) -> None:
    earlier_result(tmp_path / "out")
    with pytest.raises(BitlifError, match=r"^--out must be a new folder, .*: give --force to repl"):
        write(tmp_path / "out")
    assert names(tmp_path / "out") == ["old", MARK]
    write(tmp_path / "out", force=True)
    assert names(tmp_path / "out") == ["new"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("force", [False, True])
def test_folder_with_others_files_is_refused_even_by_force(force: bool, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(BitlifError, match=r"^--out must be a new or empty folder, not '.*/out'"):
        write(tmp_path / "out", force=force)
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["mine"]


def test_manifest_marks_a_folder_only_by_what_it_says(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / GOLDEN_MARK).write_text('{"name": "a browser\'s extension"}')
    with pytest.raises(BitlifError, match=r"^--out must be a new or empty folder, not '.*/out'"):
        write(out, force=True)
    assert names(out) == [GOLDEN_MARK]
    (out / GOLDEN_MARK).write_text(f"{{{GOLDEN_KIND}}}")
    with pytest.raises(BitlifError, match=r"^--out must be a new folder, .*: give --force to repl"):
        write(out)
    write(out, force=True)
    assert names(out) == ["new"]


def test_file_is_no_folder_nor_can_hold_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(BitlifError, match=rf"^--out must be a folder, not the file '{file}'$"):
        check_folder(file)
    for path in (file / "out", file / "deep" / "out"):
        with pytest.raises(BitlifError, match=rf"^--out must be in a folder, .* file '{file}'$"):
            check_folder(path)


def test_folder_from_which_the_command_is_called_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for path in (Path(), tmp_path / "here", Path("..", "here")):
        with pytest.raises(BitlifError, match=r"^--out must be a new folder, not '.*', from which"):
            check_folder(path, force=True)
    write(Path("out"))
    assert names(Path()) == ["out"]


def test_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    earlier_result(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", force=True)
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == ["new"]
    assert names(tmp_path) == ["link", "real"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ZeroDivisionError])
@pytest.mark.parametrize("before", ["nothing", "empty", "result"])
def test_interruption_leaves_everything_as_it_was(
    error: type[BaseException], before: str, tmp_path: Path
) -> None:
    if before == "empty":
        (tmp_path / "out").mkdir()
    elif before == "result":
        earlier_result(tmp_path / "out")

    def interrupted() -> None:
        with new_folder(tmp_path / "out", force=True) as folder:
            (folder / "new").write_text("new")
            raise error

    with pytest.raises(error):
        interrupted()
    assert names(tmp_path) == ([] if before == "nothing" else ["out"])
    if before != "nothing":
        assert names(tmp_path / "out") == (["old", MARK] if before == "result" else [])


def test_interruption_at_any_move_leaves_the_old_folder_or_the_new_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == place:
            raise KeyboardInterrupt
        return rename(self, target)

    for place in (1, 2):
        calls = 0
        out = tmp_path / f"out-{place}"
        earlier_result(out)
        monkeypatch.setattr(Path, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write(out, force=True)
        monkeypatch.undo()
        assert names(out) == ["old", MARK]
    assert names(tmp_path) == ["out-1", "out-2"]


def test_folder_that_others_filled_meanwhile_is_not_lost(tmp_path: Path) -> None:
    def overtaken() -> None:
        with new_folder(tmp_path / "out", force=True):
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "mine").write_text("mine")

    with pytest.raises(BitlifError, match=r"^--out must be a new or empty folder, not '.*/out'"):
        overtaken()
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["mine"]
