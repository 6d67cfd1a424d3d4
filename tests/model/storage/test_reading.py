"""Reading others' files: bounded, regular, or one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.storage.reading import open_regular, read_bytes, read_text


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


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_named(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("name = 'x'\n".encode(encoding))
    name = "UTF-32" if encoding == "utf-32" else "UTF-16"
    with pytest.raises(BitlifError, match=rf"^notes '.*a' must be UTF-8 text, not {name}$"):
        read_text("notes", tmp_path / "a")


@pytest.mark.parametrize("content", [b"Z\xfcrich", b"\xff", b"ab\xed\xa0\x80"])
def test_what_is_no_utf8_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(BitlifError, match=r"^notes '.*a' must be UTF-8 text$"):
        read_text("notes", tmp_path / "a")


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbfa = 1\nb = 2\n", b"a = 1\r\nb = 2\r\n", b"\xef\xbb\xbfa = 1\r\nb = 2\n"],
)
def test_byte_order_mark_and_crlf_are_accepted(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    assert read_text("notes", tmp_path / "a") == "a = 1\nb = 2\n"


@pytest.mark.parametrize("content", [b"a = 1\rb = 2\r", b"a = 1\r\nb = 2\rc = 3\n"])
def test_lines_that_end_in_cr_alone_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(content)
    message = r"^notes '.*a' must end its lines with LF or CR LF, not with CR alone$"
    with pytest.raises(BitlifError, match=message):
        read_text("notes", tmp_path / "a")
