"""Files that hold where a layer stands: whole, of this configuration, or refused by name."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.files import npz_file as npzfile
from bitlif.model.files.save_file import Arrays, load_saved, require_reals, save_arrays
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer

from strategies import stimulus

TINY = Config.load("tiny").replace(window__state="carry", window__trace="carry")
EVENTS, WEIGHTS, TARGETS = stimulus(TINY, 6, windows=5)


def trained(config: Config = TINY) -> Layer:
    layer = Layer(config)
    layer.load(WEIGHTS)
    layer.learn(EVENTS, TARGETS)
    return layer


def changed(path: Path, **arrays: Any) -> Path:
    """Write the file's arrays again, some of them others or (None) left out."""
    with np.load(path) as data:
        content = {name: data[name] for name in data} | arrays
    np.savez(path, **{name: own for name, own in content.items() if own is not None})
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    trained().save(tmp_path / "state.npz")
    return tmp_path / "state.npz"


def test_arrays_are_read_back(tmp_path: Path) -> None:
    arrays: Arrays = {"numbers": np.arange(6).reshape(2, 3), "reals": np.array([0.5])}
    save_arrays(tmp_path / "a", "kind", TINY, arrays)
    again = load_saved(tmp_path / "a", "kind", TINY)
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)
    assert [own.name for own in tmp_path.iterdir()] == ["a"]


def test_state_of_a_large_layer_is_read_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npzfile, "MOST_BYTES", 8)  # as if the layer had millions of synapses
    layer = Layer(TINY)
    layer.resume(path)
    np.testing.assert_array_equal(layer.weights, trained().weights)


TOO_MANY = np.array(1 << 62)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"format": np.array("bitlif layer 2")}, r"must have the format 'bitlif layer 1', not"),
        ({"format": None}, r"must have the format 'bitlif layer 1', not"),
        ({"kind": np.array("float")}, r"must be of a layer of kind 'integer', not"),
        ({"config": np.array("0" * 16)}, r"must be of the configuration [0-9a-f]{16} \(tiny\), no"),
        ({"weights": None}, r"a state must contain the array weights, which is missing"),
        ({"more": np.zeros(1 << 14)}, r"must hold at most \d+ bytes of arrays, not \d+"),
        ({"more": np.zeros(3)}, r"a state must not contain an array 'more'"),
        ({"weights": np.zeros((4, 6), int)}, r"weights must be .* shape \(6, 4\), not int64 of sh"),
        ({"weights": np.zeros((6, 4))}, r"weights must be integers of shape \(6, 4\), not float64"),
        ({"weights": np.full((6, 4), 32)}, r"weights must be in -32 \.\.= 31, not 32"),
        ({"membrane": np.full(4, -(1 << 15) - 1)}, r"membrane must be in .*, not -32769"),
        ({"current": np.full(5, 0)}, r"current must be integers of shape \(4,\), not int64 of sha"),
        ({"trace": np.full(6, -1)}, r"trace must be in 0 \.\.= .*, not -1"),
        ({"windows_learned": np.array(-1)}, r"windows_learned must be in 0 \.\.= .*, not -1"),
        ({"windows_learned": TOO_MANY}, r"windows_learned must be in 0 \.\.= .*, not 46116860184"),
        ({"windows_learned": np.array([1])}, r"windows_learned must be integers of shape \(\), no"),
        ({"windows_learned": np.array(True)}, r"windows_learned must be integers .*, not bool of"),
    ],
)
def test_state_that_does_not_fit_is_refused_and_changes_nothing(
    arrays: Arrays, message: str, path: Path
) -> None:
    layer = Layer(TINY)
    before = layer.snapshot()
    with pytest.raises(BitlifError, match=message) as caught:
        layer.resume(changed(path, **arrays))
    assert len(str(caught.value)) < 200 + len(str(path))
    assert layer.snapshot() is before


def test_damaged_file_is_refused_or_read_right(path: Path) -> None:
    whole = path.read_bytes()
    expected = trained().to_arrays()
    layer = Layer(TINY)
    refused = 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        before = layer.snapshot()
        try:
            layer.resume(path)
        except BitlifError:
            refused += 1
            assert layer.snapshot() is before
        else:
            for name, array in layer.to_arrays().items():
                np.testing.assert_array_equal(array, expected[name])
    assert refused > 20


def test_file_that_is_no_state_is_refused(tmp_path: Path) -> None:
    layer = Layer(TINY)
    for content, message in ((b"", "is not an .npz file"), (b"PK\x03\x04", "is not an .npz file")):
        (tmp_path / "s.npz").write_bytes(content)
        with pytest.raises(BitlifError, match=f"^state '.*' {message}"):
            layer.resume(tmp_path / "s.npz")
    with pytest.raises(BitlifError, match=r"^state '.*' cannot be read"):
        layer.resume(tmp_path / "none.npz")


def test_failed_save_leaves_the_old_file(path: Path) -> None:
    before = path.read_bytes()
    with contextlib.suppress(ValueError):
        save_arrays(path, "integer", TINY, {"objects": np.array([{}], object)})
    assert path.read_bytes() == before
    assert [own.name for own in path.parent.iterdir()] == ["state.npz"]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3, np.float32), r"^x must be float64 of shape \(3,\), not float32"),
        (np.zeros(2), r"^x must be float64 of shape \(3,\), not float64 of shape \(2,\)"),
        (np.array([0, np.nan, 0]), r"^x must be finite, not nan"),
    ],
)
def test_reals_of_another_kind_are_refused(array: Any, message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        require_reals({"x": array}, "x", (3,))


def test_kinds_of_layers_do_not_mix(path: Path, tmp_path: Path) -> None:
    with pytest.raises(
        BitlifError, match="must be of a layer of kind 'ideal float twin of seed 0'"
    ):
        FloatLayer(TINY).resume(path)
    FloatLayer(TINY, seed=1).save(tmp_path / "one")
    for twin in (FloatLayer(TINY), FloatLayer(TINY, seed=1, matched=True)):
        with pytest.raises(BitlifError, match="must be of a layer of kind"):
            twin.resume(tmp_path / "one")
