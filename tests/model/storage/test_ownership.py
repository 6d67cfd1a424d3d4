"""Only a marker makes a folder ours, and links planted by others are not followed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.storage.ownership import (
    GOLDEN,
    MANIFEST,
    MARKER,
    Marker,
    open_folder,
    open_lock,
    read_marker,
    require_ours,
    unknown,
    write_marker,
)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Return a folder as `learn` would make one."""
    folder = tmp_path / "made"
    (folder / "logs").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "report.json").write_text("{}")
    (folder / "logs" / "a.log").write_text("a")
    write_marker(folder, "learn")
    return folder


def test_marker_names_all_files(made: Path) -> None:
    names = {"report.json", "logs/", "logs/a.log", "empty/"}
    assert read_marker(made) == Marker("learn", frozenset(names))
    assert (
        (made / MARKER).read_bytes().startswith(b'{\n "format": "bitlif folder",\n "version": 1,')
    )


def test_marked_folder_is_ours(made: Path) -> None:
    require_ours("--out", made, "learn")
    (made / "report.json").unlink()
    require_ours("--out", made, "learn")


def test_other_kinds_are_refused(made: Path) -> None:
    with pytest.raises(BitlifError, match=r"^--out must be a new folder or one of kind 'demo', not "
                       r"'.*made' of kind 'learn'$"):  # fmt: skip
        require_ours("--out", made, "demo")


@pytest.mark.parametrize("name", ["mine", "logs/mine", "empty/mine"])
def test_foreign_file_is_named(made: Path, name: str) -> None:
    (made / name).write_text("mine")
    with pytest.raises(BitlifError, match=rf"only files of bitlif, but '.*' also holds '{name}'"):
        require_ours("--out", made, "learn")


@pytest.mark.parametrize("name", ["sub", "logs/sub", "a.npz.d"])
def test_foreign_folder_is_named(made: Path, name: str) -> None:
    (made / name).mkdir()
    with pytest.raises(BitlifError, match=rf"also holds '{name}/'$"):
        require_ours("--out", made, "learn")


def test_links_and_pipes_are_always_foreign(made: Path, tmp_path: Path) -> None:
    (made / "report.json").unlink()
    (tmp_path / "mine").write_text("mine")
    (made / "report.json").symlink_to(tmp_path / "mine")
    assert list(unknown(made, read_marker(made).files | {MARKER})) == ["report.json"]  # type: ignore[union-attr]
    (made / "report.json").unlink()
    os.mkfifo(made / "report.json")
    assert list(unknown(made, read_marker(made).files | {MARKER})) == ["report.json"]  # type: ignore[union-attr]
    (made / "report.json").unlink()
    (made / "logs" / "a.log").unlink()
    (made / "logs").rmdir()
    (tmp_path / "logs").mkdir()
    (made / "logs").symlink_to(tmp_path / "logs")
    assert list(unknown(made, read_marker(made).files | {MARKER})) == ["logs"]  # type: ignore[union-attr]


def test_temporary_files_are_known(made: Path) -> None:
    (made / "parts").mkdir()
    (made / "parts" / "mine").write_text("")
    (made / ".study.toml.bitlif-0123abcd.toml").write_text("")
    (made / ".out.bitlif-0123abcd.new").mkdir()
    (made / ".out.bitlif-0123abcd.new" / "x").write_text("")
    known = read_marker(made).files | {MARKER}  # type: ignore[union-attr]
    assert list(unknown(made, known | {"parts/"})) == ["parts/mine"]
    # What is in an unknown folder is not named one by one.
    assert list(unknown(made, known)) == ["parts/"]


@pytest.mark.parametrize("name", ["report.json", "difference.json"])
def test_folder_of_an_earlier_version_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("{}")
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(BitlifError, match=r"if an earlier version made it, remove it by hand$"):
        require_ours("--out", tmp_path, "learn")


def test_unmarked_folder_is_refused_naming_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(BitlifError, match=r"^--out must be a new or empty folder, .* holds 'mine'"):
        require_ours("--out", tmp_path, "learn")


@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b'{"format": "bitlif folder", "version": 1}', b"[" * 100_000, b"\xff",
    b'{"format": "other", "version": 1, "kind": "learn", "files": []}',
    b'{"format": "bitlif folder", "version": 1, "kind": 1, "files": []}',
    b'{"format": "bitlif folder", "version": 1, "kind": "learn", "files": ["../mine"]}',
    b'{"format": "bitlif folder", "version": 1, "kind": "learn", "files": ["/etc/passwd"]}',
])  # fmt: skip
def test_damaged_marker_is_refused(made: Path, content: bytes) -> None:
    (made / MARKER).write_bytes(content)
    with pytest.raises(BitlifError, match=r"^'.*bitlif\.json'.* damaged: remove it by hand"):
        require_ours("--out", made, "learn")


@pytest.mark.parametrize("version", [0, 2, True, "1", None])
def test_marker_of_another_version_is_refused(made: Path, version: object) -> None:
    told = json.loads((made / MARKER).read_bytes())
    (made / MARKER).write_text(json.dumps({**told, "version": version}))
    with pytest.raises(BitlifError, match=r"must have version 1, not "):
        require_ours("--out", made, "learn")


def test_marker_that_is_a_link_marks_nothing(made: Path, tmp_path: Path) -> None:
    (made / MARKER).rename(tmp_path / MARKER)
    (made / MARKER).symlink_to(tmp_path / MARKER)
    assert read_marker(made) is None


def test_golden_set_is_marked_by_its_manifest() -> None:
    folder = Path(__file__).parents[2] / "golden" / "tiny"
    marker = read_marker(folder)
    assert marker is not None
    assert marker.kind == GOLDEN
    assert marker.files == {path.name for path in folder.iterdir()}
    require_ours("--out", folder, GOLDEN)


@pytest.mark.parametrize("told", [
    {"name": "a browser's extension"}, [], "bitlif golden vectors", {"kind": ["bitlif golden"]},
])  # fmt: skip
def test_manifest_of_another_program_marks_nothing(told: object, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps(told))
    assert read_marker(tmp_path) is None


@pytest.mark.parametrize("change", [
    {"arrays": None}, {"arrays": [{}]}, {"config": 1}, {"arrays": [{"file": "../mine"}]},
])  # fmt: skip
def test_damaged_manifest_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    told = {"kind": GOLDEN, "version": 1, "config": {"file": "config.toml"}, "arrays": []}
    (tmp_path / MANIFEST).write_text(json.dumps({**told, **change}))
    with pytest.raises(BitlifError, match=r"manifest\.json'.* is damaged"):
        read_marker(tmp_path)


def test_links_are_not_opened(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / ".lock").symlink_to("victim")
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "parts").symlink_to("folder")
    for name in (".lock", "dangling", "folder"):
        with pytest.raises(BitlifError, match=r"it must be a regular file, not a link$"):
            open_lock("lock", tmp_path / name)
    for name in ("parts", "victim"):
        with pytest.raises(BitlifError, match=r"^parts '.*' must be a folder, not a link$"):
            open_folder("parts", tmp_path / name)
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (tmp_path / "nothing").exists()


def test_pipe_is_refused_as_a_lock(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BitlifError, match=r"it must be a regular file, not a link$"):
        open_lock("lock", tmp_path / "pipe")


def test_lock_that_is_a_hard_link_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / ".lock").hardlink_to(tmp_path / "victim")
    os.close(open_lock("lock", tmp_path / ".lock"))
    assert (tmp_path / "victim").read_text() == "mine"


def test_names_are_relative_to_an_open_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    handle = open_folder("folder", tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    os.close(open_lock("lock", ".lock", handle))
    assert (tmp_path / "b" / ".lock").exists()
    os.close(handle)
