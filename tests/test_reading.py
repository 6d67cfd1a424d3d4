"""Reading others' files: bounded, regular, or one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.reading import open_regular, read_bytes, read_text


def test_regular_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("Grüße", "utf-8")
    assert read_text("notes", tmp_path / "a") == "Grüße"
    assert read_bytes("notes", tmp_path / "a", 7) == "Grüße".encode()
    (tmp_path / "link").symlink_to("a")
    assert read_text("notes", tmp_path / "link") == "Grüße"


def test_a_pipe_without_a_writer_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BitlifError, match=r"^notes '.*pipe' must be a regular file$"):
        open_regular("notes", tmp_path / "pipe")


@pytest.mark.parametrize("path", ["/dev/zero", "/"])
def test_devices_and_folders_are_refused(path: str) -> None:
    with pytest.raises(BitlifError, match=r"^notes '.*' must be a regular file$"):
        read_bytes("notes", path, 10)


def test_larger_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes("notes", tmp_path / "a", 5) == b"12345"
    with pytest.raises(BitlifError, match=r"^notes '.*a' must have at most 4 bytes$"):
        read_bytes("notes", tmp_path / "a", 4)


def test_missing_files_and_impossible_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BitlifError, match=r"cannot be read: No such file or directory$"):
        read_text("notes", tmp_path / "a")
    with pytest.raises(BitlifError, match=r"^notes 'a\\x00b' cannot be read: embedded null byte$"):
        read_text("notes", "a\0b")


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe")
    with pytest.raises(BitlifError, match=r"^notes '.*a' must be UTF-8 text$"):
        read_text("notes", tmp_path / "a")
