"""AER text: what others write is read right or refused; nothing is skipped in silence."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.files.aer import header_of, read_aer
from bitlif.model.files.event_file import load_events

HEADER = {"steps": 16, "units": 6, "windows": 4}


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "spikes.aer"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def pairs(events: Events) -> list[tuple[int, int]]:
    return list(zip(events.times.tolist(), events.addresses.tolist(), strict=True))


def refuse(path: Path, message: str, **wanted: int) -> None:
    with pytest.raises(BitlifError, match=rf"^spikes '.*spikes\.aer'{message}") as caught:
        read_aer(path, **wanted)
    assert len(str(caught.value).replace(str(path), "")) < 200
    assert str(caught.value).isprintable()


# -- headers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "# steps 16 units 6 windows 4",
        "# steps=16 units=6 windows=4",
        "#steps:16,units:6,windows:4",
        "# Steps = 16; Units = 6; WINDOWS = 4",
        "# steps 16\n# units 6\n\n#\n# windows 4",
        "# recorded on 3 May\n  # steps 16 units 6\n# by hand\n# windows 4 steps 16",
    ],
)
def test_header_is_read_however_it_is_written(header: str, tmp_path: Path) -> None:
    events = read_aer(write(tmp_path, f"{header}\n0 0\n20 1\n"), steps=16, units=6)
    assert (events.steps, events.units, events.windows) == (16, 6, 4)
    assert pairs(events) == [(0, 0), (20, 1)]


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("steps 16 neurons 6", r"a header must only have the keys steps, .*, not 'neurons'$"),
        ("step 16", r"a header must only have the keys .*, not 'step', did you mean 'steps'\?$"),
        ("n_units=6", r"a header must .*, not 'n_units', did you mean 'units'\?$"),
        ("steps 16 seed 3", r"a header must only have the keys .*, not 'seed'$"),
        ("steps 16.0", r"a header must have the form .* 16 units 6 windows 4', .*'steps 16\.0'$"),
        ("steps -16", r"a header must have the form .*, not 'steps -16'$"),
        ("16 steps 6 units", r"a header must have the form"),
        ("made with steps = 16 and more", r"a header must have the form"),
        ("windows: 10 laptops", r"a header must have the form"),
        ("steps 16 units", r"a header must have the form"),
        ("steps 16 steps 17", r"steps must not change from 16 to 17$"),
        ("steps " + "9" * 19, r"steps must have at most 18 digits"),
        ("units 6 " + "x" * 5000 + " 1", r"a header must only have the keys .*, not 'xxx.*\.\.\.x"),
    ],
)  # fmt: skip
def test_what_could_be_a_header_is_read_or_refused(
    comment: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(BitlifError, match=rf"^{message}"):
        header_of(comment)
    refuse(
        write(tmp_path, f"# more\n#{comment}\n0 0\n"), rf", line 2: {message}", steps=16, units=6
    )


@pytest.mark.parametrize(
    "comment",
    [
        "", "recorded 2024-05-03 12:30", "seed 3", "trial 4, subject 12", "16 windows",
        "units are neurons", "in steps of a millisecond", "windows", "rate=0.5", "time address",
        "\xfcber 3 steps", "steps: many", "# # #",
    ],
)  # fmt: skip
def test_plain_comments_are_left_out(comment: str, tmp_path: Path) -> None:
    assert header_of(comment) == {}
    text = f"#{comment}\n0 0\n  #{comment}\n1 1 # steps 99 {comment}\n"
    assert pairs(read_aer(write(tmp_path, text), **{"steps": 16, "units": 6})) == [(0, 0), (1, 1)]


@pytest.mark.parametrize("late", ["steps 16", "windows=9", "step 3"])
@pytest.mark.parametrize("first", ["0 0\n", "0 0\n" * 0 + "1 2 # x\n\n"])
def test_header_after_events_is_refused(late: str, first: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"# steps 16 units 6\n{first}# {late}\n")
    line = 2 + first.count("\n")
    refuse(path, rf", line {line}: a header must (come before all events|only have the keys .*)")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("# steps=32", r" must have 16 steps, not 32$"),
        ("# units 7", r" must have 6 units, not 7$"),
        ("# steps 16\n# steps 8", r", line 2: steps must not change from 16 to 8$"),
        ("# windows 1\n# windows 2", r", line 2: windows must not change from 1 to 2$"),
    ],
)
def test_header_that_contradicts_is_refused(header: str, message: str, tmp_path: Path) -> None:
    refuse(write(tmp_path, f"{header}\n0 0\n"), message, steps=16, units=6)


# -- forms of text ---------------------------------------------------------------------------

TEXT = "# steps 16 units 6 windows 4\n0 0\n20 1\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode("utf-8-sig"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r\n").encode("utf-8-sig"),
        TEXT.rstrip("\n").encode(),
        b"# caf\xe9\n" + TEXT.encode(),
        TEXT.replace("0 0", " \t0 \t 0000000000000000000000000 \t").encode(),
    ],
    ids=range(6),
)
def test_text_of_other_systems_is_read(content: bytes, tmp_path: Path) -> None:
    events = read_aer(write(tmp_path, content))
    assert pairs(events) == [(0, 0), (20, 1)]
    assert events.windows == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT.encode("utf-16"), " must be UTF-8 text, not UTF-16$"),
        (TEXT.encode("utf-16-be"), " must be UTF-8 text, not UTF-16$"),
        (TEXT.encode("utf-32"), " must be UTF-8 text, not UTF-32$"),
        (TEXT.replace("\n", "\r").encode(), " must end its lines with LF or CR LF, not with CR"),
        (TEXT.encode() + b"1 1\r2 2\n", " must end its lines with LF or CR LF, not with CR alone$"),
        (TEXT.encode() + b"1\x0b1\n", r", line 4 must be 'time address' .*, not '1\\x0b1'$"),
        (TEXT.encode() + "1\xa01\n".encode(), r", line 4 must be 'time address' .*not '1\\xa01'$"),
        (TEXT.encode() + "\u0661 1\n".encode(), r", line 4 must be 'time address' "),
        (TEXT.encode() + b"\xff\n", r", line 4 must be 'time address' "),
        (TEXT.encode() + b"\x00\n", r", line 4 must be 'time address' .*, not '\\x00'$"),
        (TEXT.encode() + b"\x1b[2J\n", r", line 4 must be 'time address' .*, not '\\x1b\[2J'$"),
        (TEXT.encode() + b"x" * 1000 + b"\n", r", line 4 must be .*, not 'x+\.\.\.x+'$"),
        (TEXT.encode() + b"0" * 5000 + b"1 1\n", r" must have numbers of at most 18 digits$"),
    ],
    ids=range(13),
)  # fmt: skip
def test_other_text_is_refused_by_name(content: bytes, message: str, tmp_path: Path) -> None:
    refuse(write(tmp_path, content), message)


def test_any_lines_are_read_as_a_plain_reader_does(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    ends = ("\n", "\r\n", " \n", "\t# x\n", " # 3 windows\r\n", "\n\n", "\n# note 7\n")
    for size in (0, 1, 7, 300_000):
        numbers = random.choice(100 * 50, min(size, 4000), replace=False)
        if size > 4000:  # More than is read at a time.
            numbers = random.permutation(10_000 * 50)[:size]
        times, addresses = numbers // 50, numbers % 50
        text = "# steps 100 units 50 windows 100\n" + "".join(
            f"{time} {address}{ends[k % 7]}"
            for k, (time, address) in enumerate(zip(times, addresses, strict=True))
        )
        found = read_aer(write(tmp_path, text))
        assert pairs(found) == sorted(zip(times.tolist(), addresses.tolist(), strict=True))


# -- duplicates ------------------------------------------------------------------------------


def test_the_first_duplicate_is_named_with_its_lines(tmp_path: Path) -> None:
    text = "\ufeff# steps 16 units 6\n9 5\n3 2  # first\n\n# again\n0 0\n3 2\n9 5\n3 2\n"
    message = r", line 7 repeats line 3: time 3, address 2; --duplicates merge takes them as one$"
    refuse(write(tmp_path, text), message)
    merged = read_aer(tmp_path / "spikes.aer", duplicates="merge")
    assert pairs(merged) == [(0, 0), (3, 2), (9, 5)]
    assert load_events(tmp_path / "spikes.aer", duplicates="merge").count == 3


def test_duplicates_are_found_whatever_lies_between(tmp_path: Path) -> None:
    lines = [f"{k % 1000} {k // 1000}" for k in range(200_000)]
    path = write(tmp_path, "\n".join(["# steps 1000 units 201", *lines, "7 0", "0 200"]))
    refuse(path, r", line 200002 repeats line 9: time 7, address 0; ")
    assert read_aer(path, duplicates="merge").count == 200_001


def test_what_to_do_with_duplicates_is_one_of_two_words(tmp_path: Path) -> None:
    path = write(tmp_path, "# steps 16 units 6\n")
    with pytest.raises(BitlifError, match=r"duplicates must be 'refuse' or 'merge', not 'drop'$"):
        read_aer(path, duplicates="drop")


# -- made to do harm -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# steps 1 units 1 windows 268435456\n", r", line 1: windows must be in 0 \.\.= 33554432"),
        ("# steps 1048576 units 65536 windows 33\n", r": windows \* steps must be at most 33554"),
        ("# steps 1 units 1\n268435456 0\n", r", line 2: times must be in 0 \.\.= 33554431, not 2"),
        ("x" * (1 << 22), r" must have lines of at most 1048576 bytes$"),
        ("# steps 16 units 6\n" + "# steps 16\n" * 1001, r" must have at most 1000 comments about"),
    ],
)  # fmt: skip
def test_little_text_takes_little_memory(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    tracemalloc.start()
    refuse(path, message)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 8 << 20


def test_a_file_of_too_many_bytes_is_refused_unread(tmp_path: Path) -> None:
    path = write(tmp_path, "# steps 16 units 6\n")
    with path.open("ab") as file:
        file.truncate((1 << 27) + 1)
    refuse(path, r" must have at most 134217728 bytes as text$")
