"""The folder of a study: nothing is lost or half written, and foreign files are untouched."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from bitlif import scripts, study
from bitlif.model.errors import BitlifError
from bitlif.study.search import checksum
from bitlif.study.search.checksum import to_bytes
from bitlif.study.search.evaluate import Outcome
from bitlif.study.search.files import Folder
from bitlif.study.search.store import MARKER, MAX_PARTS, Store, open_store

A = Outcome("a", "", {"accuracy": 0.1 + 0.2, "bits": 12345.0}, 0.5, worker="tcp://one")
B = Outcome("b", "why <not>, \u00e9", {}, 0.25)


def filled(folder: Path, *outcomes: Outcome) -> None:
    with open_store(folder, "text") as store:
        for own in outcomes:
            store.add([own])


def reopened(folder: Path) -> dict[str, Outcome]:
    with open_store(folder, "text") as store:
        return store.outcomes


def parts(folder: Path) -> list[Path]:
    return sorted((folder / "parts").iterdir())


def test_outcomes_round_trip_exactly(tmp_path: Path) -> None:
    filled(tmp_path / "s", A, B)
    assert reopened(tmp_path / "s") == {"a": A, "b": B}
    assert (tmp_path / "s" / "study.toml").read_text() == "text"


def test_each_call_writes_one_part_unless_it_is_empty(tmp_path: Path) -> None:
    with open_store(tmp_path / "s", "") as store:
        store.add([])
        store.add([A, B])
        assert len(parts(tmp_path / "s")) == 1


def test_interrupted_write_is_discarded(tmp_path: Path) -> None:
    filled(tmp_path / "s", A)
    half = tmp_path / "s" / "parts" / ".000001.parquet"
    half.write_bytes(parts(tmp_path / "s")[0].read_bytes()[:100])
    assert reopened(tmp_path / "s") == {"a": A}
    assert not half.exists()
    filled(tmp_path / "s", B)
    assert reopened(tmp_path / "s") == {"a": A, "b": B}


def test_merged_results_are_synchronised_before_old_ones_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path / "s", A, B)
    calls = []

    def noted(name: str) -> Any:
        call = getattr(os, name)

        def before(*args: Any, **options: Any) -> Any:
            kind = "file"
            if name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode):
                kind = "folder"
            calls.append(f"{name} {kind}")
            return call(*args, **options)

        return before

    with open_store(tmp_path / "s", "") as store, monkeypatch.context() as patch:
        for name in ("fsync", "rename", "unlink"):
            patch.setattr(os, name, noted(name))
        store.merge()
    first = calls.index("rename file")
    assert calls[first - 1 : first + 2] == ["fsync file", "rename file", "fsync folder"]
    assert calls[first + 2 :] == ["unlink file"] * 2


def test_many_parts_are_merged(tmp_path: Path) -> None:
    many = [Outcome(f"{number:03d}", "", {"bits": float(number)}) for number in range(MAX_PARTS)]
    filled(tmp_path / "s", *many)
    assert list(reopened(tmp_path / "s").values()) == many
    assert len(parts(tmp_path / "s")) == 1


def test_interrupted_merge_is_harmless(tmp_path: Path) -> None:
    filled(tmp_path / "s", A, B)
    old = [(path, path.read_bytes()) for path in parts(tmp_path / "s")]
    with open_store(tmp_path / "s", "") as store:
        store.merge()
    for path, content in old:
        path.write_bytes(content)
    assert reopened(tmp_path / "s") == {"a": A, "b": B}


def test_contradictory_results_raise(tmp_path: Path) -> None:
    filled(tmp_path / "s", A)
    with open_store(tmp_path / "s", "") as store:
        store.add([Outcome("a", "", {"accuracy": 0.4})])
    with pytest.raises(BitlifError, match=r"000001\.parquet' contradicts another part about run a"):
        reopened(tmp_path / "s")


def test_failures_can_be_dropped(tmp_path: Path) -> None:
    filled(tmp_path / "s", A, B)
    with open_store(tmp_path / "s", "") as store:
        assert store.forget_failures() == 1
    assert reopened(tmp_path / "s") == {"a": A}


def test_force_discards_earlier_results(tmp_path: Path) -> None:
    filled(tmp_path / "s", A)
    with open_store(tmp_path / "s", "", force=True) as store:
        assert store.outcomes == {}
    assert parts(tmp_path / "s") == []


@pytest.mark.parametrize("call", range(1, 6))
def test_interrupted_force_can_be_repeated(
    call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path / "s", A)
    (tmp_path / "s" / "results.parquet").write_bytes(b"x")
    count = 0

    def before(method: Any) -> Any:
        def counted(*args: Any) -> None:
            nonlocal count
            count += 1
            if count == call:
                raise KeyboardInterrupt
            method(*args)

        return counted

    with monkeypatch.context() as patch:
        for name in ("remove", "write"):
            patch.setattr(Folder, name, before(getattr(Folder, name)))
        with pytest.raises(KeyboardInterrupt), open_store(tmp_path / "s", "", force=True) as store:
            store.add([B])
    with open_store(tmp_path / "s", "text", force=True) as store:
        assert store.outcomes == {}


@pytest.mark.parametrize("damage", ["other", "empty", "short"])
def test_damaged_part_loses_only_its_own_runs(damage: str, tmp_path: Path) -> None:
    filled(tmp_path / "s", A, B)
    first = parts(tmp_path / "s")[0]
    contents = {"other": b"PAR1 or not", "empty": b"", "short": first.read_bytes()[:-1]}
    first.write_bytes(contents[damage])
    with open_store(tmp_path / "s", "text") as store:
        assert store.damaged == (first,)
        assert store.outcomes == {"b": B}
        store.add([A])
    with open_store(tmp_path / "s", "text") as store:
        assert (store.damaged, store.outcomes) == ((), {"a": A, "b": B})


def test_part_without_a_checksum_is_damaged(tmp_path: Path) -> None:
    filled(tmp_path / "s", A)
    part = parts(tmp_path / "s")[0]
    pq.write_table(pq.read_table(part), part)
    assert reopened(tmp_path / "s") == {}


def test_part_with_other_columns_is_damaged(tmp_path: Path) -> None:
    filled(tmp_path / "s", A)
    part = parts(tmp_path / "s")[0]
    part.write_bytes(to_bytes(pq.read_table(part).drop_columns(["bits"])))
    assert reopened(tmp_path / "s") == {}


def test_merged_parts_have_bounded_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bitlif.study.search.store.MAX_ROWS", 2)
    many = [Outcome(f"{number}", "", {"bits": float(number)}) for number in range(5)]
    filled(tmp_path / "s", *many)
    with open_store(tmp_path / "s", "") as store:
        store.merge()
    assert [pq.read_metadata(path).num_rows for path in parts(tmp_path / "s")] == [2, 2, 1]
    assert list(reopened(tmp_path / "s").values()) == many


def prepared(folder: Path) -> Path:
    """Make a folder as a study leaves it, and return a foreign file beside it."""
    filled(folder, A)
    victim = folder.parent / "victim"
    victim.write_text("precious")
    return victim


LINKED = [".lock", "study.toml", ".study.toml", "results.parquet", ".results.parquet",
          "parts/000000.parquet", "parts/.000001.parquet", ".bitlif-study.json"]  # fmt: skip


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", LINKED)
def test_symbolic_links_in_the_folder_are_not_followed(
    name: str, force: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "s"
    victim = prepared(folder)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(victim)
    if name == ".lock":
        message = r"lock '\.lock' cannot be opened: .*link"
        with pytest.raises(BitlifError, match=message), open_store(folder, "", force=force):
            pass
    else:
        with open_store(folder, "new text", force=force) as store:
            store.add([B])
            store.write_table(pa.table({"a": [1]}))
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("force", [False, True])
def test_parts_folder_that_is_a_link_raises(force: bool, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    filled(folder, A)
    elsewhere = tmp_path / "elsewhere"
    (folder / "parts").rename(elsewhere)
    (elsewhere / ".000009.parquet").write_text("precious")
    before = {path.name: path.read_bytes() for path in elsewhere.iterdir()}
    (folder / "parts").symlink_to(elsewhere)
    with (
        pytest.raises(BitlifError, match="'parts' must be a folder"),
        open_store(folder, "", force=force),
    ):
        pass
    assert {path.name: path.read_bytes() for path in elsewhere.iterdir()} == before


def test_marker_that_is_a_link_or_a_pipe_is_ignored(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    filled(folder, A)
    (folder / MARKER).rename(tmp_path / MARKER)
    (folder / MARKER).symlink_to(tmp_path / MARKER)
    message = "--out must be a new folder or a study's, .* is damaged or another program's"
    for _ in range(2):
        with pytest.raises(BitlifError, match=message), open_store(folder, "", force=True):
            pass
        (folder / MARKER).unlink()
        os.mkfifo(folder / MARKER)
    assert len(parts(folder)) == 1


def test_force_removes_only_files_of_a_study(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    filled(folder, A)
    for name in ("mine.txt", "parts/notes.parquet", "parts/1.parquet", "parts/.hidden"):
        (folder / name).write_text("mine")
    with open_store(folder, "", force=True) as store:
        assert store.outcomes == {}
    for name in ("mine.txt", "parts/notes.parquet", "parts/1.parquet", "parts/.hidden"):
        assert (folder / name).read_text() == "mine"


def test_unreadable_part_is_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path / "s", A)
    real = os.open

    def broken(path: Any, *arguments: Any, **options: Any) -> int:
        if str(path) == "000000.parquet":
            raise OSError(errno.EIO, "Input/output error")
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", broken)
    message = r"000000\.parquet' cannot be read: Input/output error$"
    with pytest.raises(BitlifError, match=message), open_store(tmp_path / "s", ""):
        pass
    monkeypatch.undo()
    assert reopened(tmp_path / "s") == {"a": A}


def test_foreign_folders_and_files_are_untouched(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("mine")
    for force in (False, True):
        with (
            pytest.raises(BitlifError, match="--out must be a new folder or a study's, not"),
            open_store(tmp_path, "", force=force),
        ):
            pass
    with (
        pytest.raises(BitlifError, match="--out must be a folder, not the file"),
        open_store(tmp_path / "own.txt", ""),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["own.txt"]
    other = tmp_path / "other"
    other.mkdir()
    (other / MARKER).write_text('{"kind": "other"}')
    with pytest.raises(BitlifError, match="--out must be a new folder or"), open_store(other, ""):
        pass


def test_study_killed_while_starting_can_be_restarted(tmp_path: Path) -> None:
    (tmp_path / "s" / "parts").mkdir(parents=True)
    (tmp_path / "s" / ".lock").touch()
    (tmp_path / "s" / f".{MARKER}").write_text('{"ki')
    assert reopened(tmp_path / "s") == {}


def require_locked(folder: Path) -> None:
    with (
        pytest.raises(BitlifError, match="another process is running the study in"),
        open_store(folder, ""),
    ):
        pass


def test_study_folder_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    with open_store(tmp_path / "s", ""):
        require_locked(tmp_path / "s")
    assert reopened(tmp_path / "s") == {}


def test_lock_ends_with_a_killed_process(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from bitlif.study.search.store import open_store\n"
        "with open_store(Path(sys.argv[1]), ''):\n    print(flush=True)\n    sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "s")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        require_locked(tmp_path / "s")
        process.kill()
        process.wait()
    assert reopened(tmp_path / "s") == {}


def test_folder_that_cannot_be_locked_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock_descriptor(handle: int, *, blocking: bool) -> bool:
        raise OSError(errno.ENOSYS, "fcntl is unavailable")

    monkeypatch.setattr("bitlif.study.search.files.lock_descriptor", lock_descriptor)
    message = r"\.lock' cannot be locked: fcntl is unavailable$"
    with pytest.raises(BitlifError, match=message), open_store(tmp_path / "s", ""):
        pass


def test_lock_contends_with_an_ordinary_file_lock(tmp_path: Path) -> None:
    filled(tmp_path / "s", A)
    with FileLock(tmp_path / "s" / ".lock"):
        require_locked(tmp_path / "s")
    assert reopened(tmp_path / "s") == {"a": A}


def test_results_of_another_version_raise(tmp_path: Path) -> None:
    filled(tmp_path / "s", A)
    mark = tmp_path / "s" / MARKER
    noted = json.loads(mark.read_text())
    mark.write_text(json.dumps({**noted, "sources": "older"}))
    with pytest.raises(BitlifError, match=r"another version of bitlif.*--force to start over"):
        reopened(tmp_path / "s")
    with open_store(tmp_path / "s", "", force=True) as store:
        assert isinstance(store, Store)


def test_parts_are_ordinary_parquet(tmp_path: Path) -> None:
    filled(tmp_path / "s", A)
    (row,) = pq.read_table(parts(tmp_path / "s")[0]).to_pylist()
    assert (row["key"], row["accuracy"], row["spikes"]) == ("a", A.values["accuracy"], None)


def test_parquet_is_never_read_in_arrow_threads() -> None:
    # Such a thread aborted the interpreter at exit in every second resumed study.
    folders = (Path(study.__file__).parent, Path(scripts.__file__).parent)
    readers = [
        path.name
        for folder in folders
        for path in folder.rglob("*.py")
        if re.search(r"\b(read_table|ParquetFile)\(", path.read_text("utf-8"))
    ]
    assert readers == ["checksum.py"]
    text = Path(checksum.__file__).read_text("utf-8")
    assert "read_table(" not in text
    assert text.count(".read(use_threads=False)") == 1
