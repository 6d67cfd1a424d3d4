"""Damaged files of studies: no wrong value is read, and nothing crashes."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bitlif.model.errors import BitlifError
from bitlif.scripts.main import main
from bitlif.study.report.findings import analyse
from bitlif.study.report.page import render_page
from bitlif.study.search.checksum import KEY, parse_table, to_bytes, verify_checksum
from bitlif.study.search.evaluate import Outcome
from bitlif.study.search.plan import load_plan
from bitlif.study.search.results import METADATA, read_results
from bitlif.study.search.run import run_study
from bitlif.study.search.store import MARKER, open_store

from study_plans import SMALL, Here, small
from study_rows import line_study

LONGEST_MESSAGE = 300
"""Characters of a message that contains a path of about 100."""


def damaged(content: bytes, seed: int) -> bytes:
    """Return a truncated file, or one with some bits, bytes or blocks changed."""
    draw = random.Random(seed)
    made = bytearray(content)
    kind = draw.randrange(5)
    place = draw.randrange(len(made))
    if kind == 0:
        del made[place:]
    elif kind == 1:
        made[place] ^= 1 << draw.randrange(8)
    elif kind == 2:
        for _ in range(draw.randrange(2, 20)):
            made[draw.randrange(len(made))] ^= 1 << draw.randrange(8)
    elif kind == 3:
        length = draw.randrange(1, 64)
        made[place : place + length] = draw.randbytes(length)
    else:
        # The footer, where Parquet stores its metadata.
        made[-1 - draw.randrange(len(made) // 4)] ^= 1 << draw.randrange(8)
    return bytes(made)


def variants(content: bytes, count: int) -> Iterator[bytes]:
    """Yield `count` damaged files, all different from the original."""
    seed = 0
    while count:
        made = damaged(content, seed)
        seed += 1
        if made != content:
            count -= 1
            yield made


def short(error: pytest.ExceptionInfo[BitlifError] | BitlifError) -> None:
    """Require that an error message is one short line."""
    said = str(error.value if isinstance(error, pytest.ExceptionInfo) else error)
    assert len(said) <= LONGEST_MESSAGE
    assert said.isprintable()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small, complete study."""
    folder = tmp_path_factory.mktemp("study") / "s"
    with open_store(folder, SMALL) as store:
        run_study(small(), store, Here())
    return folder


def test_table_and_parts_have_valid_checksums(study: Path) -> None:
    for path in (study / "results.parquet", *(study / "parts").iterdir()):
        assert verify_checksum(path.read_bytes())
        assert KEY.encode() in pq.read_metadata(path).metadata


def test_checksum_is_found_in_any_table(tmp_path: Path) -> None:
    imitation = f"{KEY}\x18@{'0' * 64}"
    table = pa.table({"error": [imitation, "b"]}).replace_schema_metadata({METADATA: imitation})
    content = to_bytes(table)
    assert verify_checksum(content)
    assert parse_table(content).equals(table)
    noticed = 0
    for made in variants(content, 100):
        try:
            # The marker of the checksum is damaged, so there is none; this is detected later.
            assert not verify_checksum(made)
        except ValueError:
            noticed += 1
    assert noticed > 50


def test_damaged_part_is_detected_and_others_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    own = [Outcome(f"run {number}", "", {"accuracy": 0.1 * number}) for number in range(40)]
    with open_store(folder, "") as store:
        for first in (0, 10, 20):
            store.add(own[first : first + 10])
    part = folder / "parts" / "000001.parquet"
    content = part.read_bytes()
    for made in variants(content, 200):
        part.write_bytes(made)
        with open_store(folder, "") as store:
            assert store.damaged == (part,)
            assert list(store.outcomes.values()) == own[:10] + own[20:30]


def test_damaged_table_is_rejected(study: Path, tmp_path: Path) -> None:
    file = tmp_path / "results.parquet"
    for made in variants((study / "results.parquet").read_bytes(), 200):
        file.write_bytes(made)
        with pytest.raises(BitlifError, match=r"results\.parquet' ") as error:
            read_results(file)
        short(error)


def test_table_without_its_checksum_is_rejected(study: Path, tmp_path: Path) -> None:
    pq.write_table(pq.read_table(study / "results.parquet"), tmp_path / "results.parquet")
    with pytest.raises(BitlifError, match=r"is damaged \(its checksum is missing\): run the"):
        read_results(tmp_path)


def test_damaged_table_of_earlier_version_never_crashes(tmp_path: Path) -> None:
    # It has no checksum: values may be wrong, but it must be a study.
    file = line_study(tmp_path) / "results.parquet"
    assert not read_results(file).checked
    refused = 0
    for made in variants(file.read_bytes(), 200):
        file.write_bytes(made)
        try:
            told = analyse(read_results(file))
        except BitlifError as error:
            short(error)
            refused += 1
        else:
            json.dumps(told, allow_nan=False)
            render_page(told)
    assert 100 < refused < 200


def test_folder_with_damaged_marker_is_not_changed(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    shutil.copytree(study, folder)
    before = sorted(path.name for path in (folder / "parts").iterdir())
    for made in variants((study / MARKER).read_bytes(), 100):
        (folder / MARKER).write_bytes(made)
        try:
            with open_store(folder, SMALL) as store:
                # The change is only white space.
                assert json.loads(made) == json.loads((study / MARKER).read_bytes())
                assert store.damaged == ()
        except BitlifError as error:
            short(error)
        assert sorted(path.name for path in (folder / "parts").iterdir()) == before


def test_damaged_study_file_is_read_or_rejected(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    for made in variants(SMALL.encode(), 200):
        file.write_bytes(made)
        try:
            plan = load_plan(file)[0]
        except BitlifError as error:
            short(error)
        else:
            assert plan.size >= 1


def test_damaged_part_is_named_and_computed_again(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "s"
    shutil.copytree(study, folder)
    whole = (folder / "results.parquet").read_bytes()
    part = folder / "parts" / "000003.parquet"
    part.write_bytes(damaged(part.read_bytes(), 1))
    (folder / "results.parquet").write_bytes(damaged(whole, 1))
    (tmp_path / "small.toml").write_text(SMALL)
    arguments = ["study", str(tmp_path / "small.toml"), "--out", str(folder), "--workers", "1"]
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith(f"'{part}' was damaged")
    assert captured.err.count("\n") == 1
    assert "1 runs computed, 17 reused" in captured.out
    assert (folder / "results.parquet").read_bytes() == whole
    assert main(arguments) == 0
    assert capsys.readouterr().err == ""


def test_report_of_study_without_results_raises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "s"
    for most in (None, 0):
        with open_store(folder, SMALL) as store:
            if most is not None:  # interrupted before its first result
                with pytest.raises(KeyboardInterrupt):
                    run_study(small(), store, Here(most))
        assert main(["report", str(folder)]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "has no results yet: run the study again to resume it" in said
    assert (folder / "results.parquet").exists()


def test_reading_a_table_uses_bounded_memory(tmp_path: Path) -> None:
    # Files of a few kilobytes: one text shared by all rows, and more rows than any study.
    long = pa.table({"error": pa.array(["x" * 1_000_000] * 3000)})
    many = pa.table({"error": pa.nulls(1 << 24, pa.string())})
    for name, table in (("long", long), ("many", many)):
        pq.write_table(table, tmp_path / f"{name}.parquet", compression="zstd")
    for name, said in (("long", "bytes"), ("many", "rows")):
        code = f"""
import resource, pyarrow
from pathlib import Path
from bitlif.study.search.checksum import parse_table
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
content = Path({str(tmp_path / f"{name}.parquet")!r}).read_bytes()
assert len(content) < 100_000, len(content)
try:
    parse_table(content)
except ValueError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stderr == ""
        lines = done.stdout.splitlines()
        assert said in lines[0]
        assert int(lines[1]) < 100 << 10
