"""Spike files: what is written is read back, and a bad file is one error that names it."""

from __future__ import annotations

import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.files.event_file import load_events, save_events

ENDINGS = ("npz", "aer", "txt")


def sample(windows: int = 3) -> Events:
    random = np.random.default_rng(4)
    return Events.from_raster(random.random((windows, 5, 7)) < 0.3)


def assert_same(a: Events, b: Events) -> None:
    np.testing.assert_array_equal(a.addresses, b.addresses)
    np.testing.assert_array_equal(a.pointers, b.pointers)
    assert (a.steps, a.units, a.windows) == (b.steps, b.units, b.windows)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "spikes.aer"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def savez(folder: Path, **changes: Any) -> Path:
    arrays = {"addresses": [2, 0], "pointers": [0, 1, 2], "steps": 1, "units": 3, **changes}
    path = folder / "spikes.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


# -- round trips -----------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("windows", [0, 1, 3])
def test_events_are_read_back(ending: str, windows: int, tmp_path: Path) -> None:
    path = tmp_path / f"spikes.{ending}"
    save_events(path, sample(windows))
    assert_same(load_events(path), sample(windows))
    assert_same(load_events(str(path), steps=5, units=7), sample(windows))


@pytest.mark.parametrize("ending", ENDINGS)
def test_silence_keeps_its_windows(ending: str, tmp_path: Path) -> None:
    silence = Events.from_raster(np.zeros((4, 5, 7), bool))
    save_events(tmp_path / f"spikes.{ending}", silence)
    assert_same(load_events(tmp_path / f"spikes.{ending}"), silence)


def test_text_is_a_header_and_a_pair_a_line(tmp_path: Path) -> None:
    path = tmp_path / "spikes.aer"
    save_events(path, Events.from_times([5, 0, 5], [1, 2, 0], steps=4, units=3))
    assert path.read_text("ascii") == "# steps 4 units 3 windows 2\n0 2\n5 0\n5 1\n"


def test_text_from_elsewhere_needs_what_it_does_not_say(tmp_path: Path) -> None:
    path = write(tmp_path, "5 1\r\n\n0\t2   # a comment steps 99\n  5 0\n")
    expected = Events.from_times([5, 0, 5], [1, 2, 0], steps=4, units=3)
    assert_same(load_events(path, steps=4, units=3), expected)


def test_header_may_leave_out_the_windows(tmp_path: Path) -> None:
    path = write(tmp_path, "# steps 4 units 3\n9 0\n")
    assert load_events(path).windows == 3


def test_duplicates_in_arrays_are_merged_on_request(tmp_path: Path) -> None:
    path = savez(tmp_path, addresses=[0, 0, 2, 2, 2, 1], pointers=[0, 3, 5, 6, 6], steps=2)
    with pytest.raises(BitlifError, match=r"ascend within a step, .*; step 0 lists 0 before 0$"):
        load_events(path)
    expected = Events.from_times([0, 0, 1, 2], [0, 2, 2, 1], steps=2, units=3, windows=2)
    assert_same(load_events(path, duplicates="merge"), expected)
    path = savez(tmp_path, addresses=[2, 0], pointers=[0, 2])
    with pytest.raises(BitlifError, match=r"ascend within a step, .*; step 0 lists 2 before 0$"):
        load_events(path, duplicates="merge")
    for pointers in ([0, 3], [-1, 2], [0, 2, 1]):
        path = savez(tmp_path, addresses=[0, 2], pointers=pointers)
        with pytest.raises(BitlifError, match=r"pointers must rise from 0 to the number"):
            load_events(path, duplicates="merge")


@pytest.mark.parametrize("kind", ["<u8", ">i4", "|i1"])
def test_arrays_of_any_integers_are_read(kind: str, tmp_path: Path) -> None:
    arrays = {"addresses": [2, 0], "pointers": [0, 1, 2], "steps": 1, "units": 3}
    path = savez(tmp_path, **{name: np.array(array, kind) for name, array in arrays.items()})
    assert_same(load_events(path), Events.from_times([0, 1], [2, 0], steps=1, units=3))


@pytest.mark.parametrize(("key", "most"), [("pointers", 33554433), ("addresses", 67108864)])
def test_more_values_than_fit_memory_are_refused_unread(
    key: str, most: int, tmp_path: Path
) -> None:
    arrays: dict[str, Any] = {"addresses": [0], "pointers": [0, 1], "steps": 1, "units": 1}
    arrays[key] = np.zeros(most + 1, np.int8)
    np.savez_compressed(tmp_path / "spikes.npz", **arrays)
    tracemalloc.start()
    with pytest.raises(BitlifError, match=rf": {key} must have at most {most} .*, not {most + 1}$"):
        load_events(tmp_path / "spikes.npz")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


# -- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0\n", r" must begin with '# steps S units N windows W': steps is missing"),
        ("# steps 4\n0 0\n", r" must begin with .*: units is missing"),
        ("# steps 0 units 3\n", r", line 1: steps must be in 1 \.\.= 2147483648, not 0$"),
        ("# steps 4 units 70000\n", r", line 1: units must be in 1 \.\.= 65536, not 70000$"),
        ("# steps 4 units 3\n0\n", r", line 2 must be 'time address' .*, not '0'$"),
        ("# steps 4 units 3\n0 1 2\n", r", line 2 must be 'time address' .*, not '0 1 2'$"),
        ("# steps 4 units 3\n\n0 -1\n", r", line 3 must be 'time address' .*, not '0 -1'$"),
        ("# steps 4 units 3\n0.5 1\n", r", line 2 must be 'time address' .*, not '0\.5 1'$"),
        ("# steps 4 units 3\n0,1\n", r", line 2 must be 'time address' .*, not '0,1'$"),
        ("# steps 4 units 3\nx y\n", r", line 2 must be 'time address' .*, not 'x y'$"),
        ("# steps 4 units 3\n0 3\n", r", line 2: addresses must be in 0 \.\.= 2, not 3$"),
        ("# steps 4 units 3 windows 1\n4 0\n", r", line 2: times must be in 0 \.\.= 3, not 4$"),
        ("# steps 4 units 3 windows 0\n0 0\n", r", line 2: times must be in 0 \.\.= -1, not 0$"),
        ("# steps 4 units 3\n1 1\n0 0\n1 1\n", r", line 4 repeats line 2: time 1, address 1; "),
        ("# steps 4 units 3\n9223372036854775808 0\n", r", line 2: times .*, not 92233720"),
        ("# steps 4 units 3\n" + "9" * 5000 + " 0\n", r", line 2: times .*, not 9+\.\.\.9"),
        ("# steps 4 units 3\n0 " + "9" * 50 + "\n", r", line 2: addresses .*= 2, not 9{50}$"),
        ("# steps 4 units 3 windows " + "9" * 5000, r", line 1: windows must have at most 18"),
        ("# steps 4 units 3\n33554432 0\n", r", line 2: times must be in 0 \.\.= 33554431, not 3"),
        ("# steps 4 units 3 windows 99999999999\n", r", line 1: windows must be in 0 \.\.= 33"),
        ("# steps 4 units 3 windows 8388609\n",
         r": windows \* steps must be at most 33554432, not 8388609 \* 4$"),
        ("# steps 33554433 units 3\n", r": windows \* steps must be at most 33554432, not 1 \* 33"),
        (b"\xff\xfe\x00", r" must be UTF-8 text, not UTF-16$"),
        (b"PK\x03\x04", r", line 1 must be 'time address'"),
    ],
    ids=range(24),
)  # fmt: skip
def test_bad_text_is_refused(text: str | bytes, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BitlifError, match=r"^spikes '.*spikes\.aer'" + message):
        load_events(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_other_numbers_than_wanted_are_refused(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"spikes.{ending}"
    save_events(path, sample())
    for wanted, message in (
        ({"steps": 6}, r" must have 6 steps, not 5$"),
        ({"units": 8}, r" must have 8 units, not 7$"),
    ):
        with pytest.raises(BitlifError, match=rf"^spikes '.*spikes\.{ending}'" + message):
            load_events(path, **wanted)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"addresses": None}, r" must hold the arrays .*; addresses is missing$"),
        ({"pointers": None}, r" must hold the arrays .*; pointers is missing$"),
        ({"steps": None}, r" must hold the arrays .*; steps is missing$"),
        ({"units": None}, r" must hold the arrays .*; units is missing$"),
        ({"steps": 1.0}, r": steps must be one integer, not float64 of shape \(\)$"),
        ({"units": [3]}, r": units must be one integer, not int64 of shape \(1,\)$"),
        ({"units": "3"}, r": units must be one integer, not <U1 of shape \(\)$"),
        ({"units": True}, r": units must be one integer, not bool of shape \(\)$"),
        ({"steps": 0}, r": steps must be in 1 \.\.= 2147483648, not 0$"),
        ({"units": 2}, r": addresses must be in 0 \.\.= 1, not 2$"),
        ({"addresses": [2.0, 0.0]}, r": addresses must be integers in one dimension, not float64"),
        ({"addresses": [[2, 0]]}, r": addresses must be integers .* of shape \(1, 2\)$"),
        ({"addresses": [2j, 0]}, r": addresses must be integers in one dimension, not complex128"),
        ({"addresses": np.array([2, 0], "M8[s]")}, r": addresses must be integers .* datetime64"),
        ({"addresses": [True, False]}, r": addresses must be integers .*, not bool of shape"),
        ({"addresses": np.array([1 << 40, 0])}, r": addresses must fit int32, not 1099511627776$"),
        ({"pointers": [0, 2]}, None),
        ({"pointers": [0, 1]}, r": pointers must rise from 0 to the number of addresses, 2$"),
        ({"addresses": [0, 2], "pointers": [0, 2]}, "ok"),
    ],
)  # fmt: skip
def test_bad_arrays_are_refused(
    changes: dict[str, Any], message: str | None, tmp_path: Path
) -> None:
    path = savez(tmp_path, **changes)
    if message == "ok":
        assert load_events(path).windows == 1
        return
    message = message or r": addresses must ascend within a step, .*; step 0 lists 2 before 0$"
    with pytest.raises(BitlifError, match=r"^spikes '.*spikes\.npz'" + message):
        load_events(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_file_that_cannot_be_read_is_refused(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"missing.{ending}"
    with pytest.raises(
        BitlifError,
        match=rf"^spikes '.*missing\.{ending}' cannot be read: No such file or directory$",
    ):
        load_events(path)
    path.mkdir()
    with pytest.raises(
        BitlifError, match=rf"^spikes '.*missing\.{ending}' must be a regular file$"
    ):
        load_events(path)


def not_npz(kind: str, path: Path) -> None:
    """Write what is called .npz and is something else."""
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("0 0\n")
    elif kind == "npy":
        with path.open("wb") as out:
            np.save(out, np.zeros(3))
    elif kind == "objects":
        np.savez(path, addresses=np.array([None]), pointers=[0, 1], steps=1, units=1)
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("addresses", "pointers", "steps", "units"):
                archive.writestr(f"{name}.npy", b"not an array")
    else:
        save_events(path, sample())
        path.write_bytes(path.read_bytes()[:-30])


@pytest.mark.parametrize("kind", ["empty", "text", "npy", "objects", "zip", "cut"])
def test_file_that_is_no_npz_of_arrays_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "spikes.npz"
    not_npz(kind, path)
    kept = r"must hold plain numbers, not Python objects as in 'addresses'"
    message = kept if kind == "objects" else r"is not an \.npz file of arrays"
    with pytest.raises(BitlifError, match=rf"^spikes '.*' {message}$"):
        load_events(path)


@pytest.mark.parametrize("ending", ENDINGS[:2])
def test_damaged_file_is_read_as_events_or_refused_in_one_way(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"spikes.{ending}"
    save_events(path, sample())
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for position in range(0, len(whole), 3 if ending == "npz" else 1):
        damaged = bytearray(whole)
        damaged[position] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        try:
            events = load_events(path)
        except BitlifError as error:
            refused += 1
            text = str(error)
        else:
            text = f"spikes '{path}' of {events.windows} windows"
        assert text.startswith(f"spikes '{path}'")
    assert refused > len(whole) // 10
