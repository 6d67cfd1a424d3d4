"""Folders that other users could change are not used, and the message names them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bitlif.model.logging import warn_once
from bitlif.model.storage import trust
from bitlif.model.storage.trust import distrust, make_own, own_cache, read_trusted, user_cache

STRANGER = 54321
"""A user without a name and a home."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder that is this user's alone."""
    assert distrust(tmp_path) == ""
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path / "home"


Change = Callable[[Path], None]


@pytest.fixture
def give_away(monkeypatch: pytest.MonkeyPatch) -> Change:
    """Return a function after which a file counts as another user's, for which root is not needed.

    Nor is a group ever this user's alone.
    """
    given: set[tuple[int, int]] = set()

    def owner(status: os.stat_result) -> int:
        return STRANGER if (status.st_dev, status.st_ino) in given else status.st_uid

    def give(path: Path) -> None:
        status = path.lstat()
        given.add((status.st_dev, status.st_ino))

    monkeypatch.setattr(trust, "_owner", owner)
    monkeypatch.setattr(trust, "_own_group", lambda group: False)
    return give


def open_to_all(path: Path) -> None:
    path.chmod(0o777)


def open_to_a_group(path: Path) -> None:
    path.chmod(0o770)


SPOILT: dict[str, tuple[Change | None, str]] = {
    "another's": (None, r"belongs to another user \(number 54321\)"),
    "open to all": (open_to_all, "can be written by other users"),
    "open to a group": (open_to_a_group, "can be written by other users"),
    "sticky and open": (lambda path: path.chmod(0o1777), "can be written by other users"),
}


@pytest.mark.parametrize(("spoil", "says"), SPOILT.values(), ids=list(SPOILT))
def test_folder_others_can_change_is_named(
    spoil: Change | None, says: str, home: Path, give_away: Change
) -> None:
    (spoil or give_away)(home)
    assert re.fullmatch(rf"'{home}' {says}", distrust(home))
    assert distrust(home) == make_own(home)


@pytest.mark.parametrize("name", ["another's", "open to all", "open to a group"])
def test_folder_below_an_unsafe_one_is_refused(name: str, home: Path, give_away: Change) -> None:
    (home / "a" / "b").mkdir(parents=True)
    (SPOILT[name][0] or give_away)(home)
    for path in (home / "a" / "b", home / "new", home / "a" / ".." / "a"):
        assert f"'{home}' " in distrust(path)
        assert f"'{home}' " in make_own(path)
    assert not (home / "new").exists()


def test_sticky_folder_is_safe_unless_another_users(home: Path, give_away: Change) -> None:
    home.chmod(0o1777)
    assert make_own(home / "mine") == ""
    assert (home / "mine").stat().st_mode & 0o777 == 0o700
    (home / "theirs").mkdir()
    give_away(home / "theirs")
    assert "belongs to another user" in distrust(home / "theirs" / "new")


def test_links_are_followed_and_must_be_safe(home: Path, give_away: Change) -> None:
    (home / "good").mkdir()
    (home / "link").symlink_to("good")
    (home / "up").symlink_to(f"../{home.name}/link")
    (home / "far").symlink_to(home / "up")
    assert distrust(home / "far" / "new") == ""
    assert make_own(home / "far" / "new") == ""
    assert (home / "good" / "new").is_dir()
    open_to_all(home / "good")
    assert f"'{home / 'good'}' can be written" in distrust(home / "far" / "new")
    (home / "good").chmod(0o700)
    give_away(home / "link")
    assert f"'{home / 'link'}' belongs to another" in distrust(home / "far" / "new")


def test_link_to_itself_is_refused(home: Path) -> None:
    (home / "round").symlink_to("round")
    assert "is a link that leads nowhere" in distrust(home / "round" / "new")


def test_given_owner_is_trusted(home: Path, give_away: Change) -> None:
    give_away(home)
    assert distrust(home, (STRANGER,)) == ""
    assert make_own(home / "new", (STRANGER,)) == ""
    assert distrust(home, (STRANGER + 1,)) != ""


def test_group_of_this_user_alone_may_write(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.chmod(0o775)
    monkeypatch.setattr(trust, "_own_group", lambda group: group == os.getgid())
    assert distrust(home) == ""
    monkeypatch.setattr(trust, "_own_group", lambda group: False)
    assert distrust(home) != ""


def test_file_others_can_write_is_not_read(home: Path, give_away: Change) -> None:
    file = home / "file"
    file.write_bytes(b"mine")
    assert read_trusted(file) == b"mine"
    (home / "link").symlink_to(file)
    assert read_trusted(home / "link") is None
    assert read_trusted(home) is None
    assert read_trusted(home / "none") is None
    os.mkfifo(home / "pipe")
    assert read_trusted(home / "pipe") is None
    file.chmod(0o666)
    assert read_trusted(file) is None
    file.chmod(0o644)
    give_away(file)
    assert read_trusted(file) is None
    assert read_trusted(file, (STRANGER,)) == b"mine"


def test_file_in_the_folders_place_is_reported(home: Path) -> None:
    (home / "file").write_text("")
    assert "cannot be made (Not a directory)" in make_own(home / "file" / "new")


def test_users_cache_folder_is_never_relative(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert user_cache() == Path("/x")
    monkeypatch.setenv("XDG_CACHE_HOME", "x")
    assert user_cache() == Path("/home/me/.cache")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert user_cache() == Path("/home/me/.cache")
    monkeypatch.delenv("HOME")
    at_home = user_cache()
    assert at_home is not None
    assert at_home.is_absolute()
    for home in ("here", ""):
        monkeypatch.setenv("HOME", home)
        assert user_cache() == at_home


def test_message_is_printed_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sentence = f"the test of {tmp_path}"
    for _ in range(2):
        warn_once(sentence)
    assert capsys.readouterr() == ("", f"bitlif: {sentence}\n")


def test_unsafe_cache_is_replaced_by_a_private_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.setattr(trust, "private_folder", lambda: home.parent / "private")
    assert own_cache() == home
    open_to_all(home)
    for _ in range(2):
        assert own_cache() == home.parent / "private"
    text = f"bitlif: '{home}' can be written by other users: compiled code is kept in "
    assert capsys.readouterr().err == f"{text}'{home.parent / 'private'}'\n"


@pytest.fixture
def homeless(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be a user without a name and a home, and return the folder of temporary ones."""

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(home))
    home.chmod(0o1777)
    monkeypatch.setattr(trust, "private_folder", trust.private_folder.__wrapped__)
    monkeypatch.setattr("atexit.register", lambda *arguments: None)
    return home


def test_user_without_a_home_has_a_private_cache(
    homeless: Path, give_away: Change, capsys: pytest.CaptureFixture[str]
) -> None:
    told = f"bitlif: this user has no home folder: compiled code is kept in '{homeless}/bitlif-"
    first = own_cache()
    assert first == homeless / f"bitlif-{os.geteuid()}"
    assert first.stat().st_mode & 0o777 == 0o700
    assert own_cache() == first
    said = capsys.readouterr().err
    assert said.startswith(told)
    assert said.count("\n") == 1
    # Another user who creates that folder first gains nothing.
    give_away(first)
    second = own_cache()
    assert second != first
    assert second.parent == homeless
    assert second.stat().st_mode & 0o777 == 0o700
    assert capsys.readouterr().err.startswith(told)


def test_no_safe_temporary_folder_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "distrust", lambda path, owners=(): "bad")
    with pytest.raises(ValueError, match=r"^compiled code needs a folder .* set TMPDIR to one$"):
        trust.private_folder.__wrapped__()
