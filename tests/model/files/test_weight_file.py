"""Weight and target files: they fit their configuration, or are refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, BitlifWarning
from bitlif.model.files import npz_file as npzfile
from bitlif.model.files.target_file import load_targets
from bitlif.model.files.weight_file import load_weights, save_weights

TINY = Config.load("tiny")


def weights_of(config: Config) -> Any:
    fmt = config.synapse.weight
    shape = (config.layer.inputs, config.layer.neurons)
    return np.random.default_rng(3).integers(fmt.raw_min, fmt.raw_max, shape, endpoint=True)


def savez(folder: Path, **arrays: Any) -> Path:
    path = folder / "file.npz"
    np.savez(path, **arrays)
    return path


# -- weights ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fmt", "rate"), [("s6.4", 0.01), ("s8.8", 1e-4), ("s16.0", 0.1), ("s32.10", 1e-4)]
)
def test_weights_are_read_back(fmt: str, rate: float, tmp_path: Path) -> None:
    config = TINY.replace(synapse__weight=fmt, learning__rate=rate)
    weights = weights_of(config)
    weights[0, :2] = config.synapse.weight.raw_min, config.synapse.weight.raw_max
    save_weights(tmp_path / "w.npz", weights, config)
    again = load_weights(str(tmp_path / "w.npz"), config)
    np.testing.assert_array_equal(again, weights)
    assert np.issubdtype(again.dtype, np.integer)


def test_weights_of_a_large_layer_are_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npzfile, "MOST_BYTES", 8)  # as if the layer had millions of synapses
    save_weights(tmp_path / "w.npz", weights_of(TINY), TINY)
    np.testing.assert_array_equal(load_weights(tmp_path / "w.npz", TINY), weights_of(TINY))
    large = savez(tmp_path, weights=np.zeros((60, 40), np.int64), format="s6.4")
    with pytest.raises(BitlifError, match=r"must hold at most \d+ bytes, not \d+$"):
        load_weights(large, TINY)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros((6, 4)), r"^weights must be integers of shape .* = \(6, 4\), not float64"),
        (np.zeros((4, 6), int), r"^weights must be integers of shape .*, not int64 of .*\(4, 6\)$"),
        (np.full((6, 4), 32), r"^weights must be in -32 \.\.= 31, not 32$"),
        (np.full((6, 4), -33), r"^weights must be in -32 \.\.= 31, not -33$"),
    ],
)
def test_weights_that_do_not_fit_are_not_written(
    weights: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(BitlifError, match=message):
        save_weights(tmp_path / "w.npz", weights, TINY)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"format": "s6.4"}, r" must hold the arrays weights and format$"),
        ({"weights": np.zeros((6, 4), int)}, r" must hold the arrays weights and format$"),
        (
            {"weights": np.zeros((6, 4), int), "format": "s6.3"},
            r" must be in the configuration's format 's6\.4', not 's6\.3'$",
        ),
        (
            {"weights": np.zeros((6, 4), int), "format": 6},
            r" must be in the configuration's format 's6\.4', not '6'$",
        ),
        (
            {"weights": np.zeros((6, 5), int), "format": "s6.4"},
            r": weights must be integers of shape \(inputs, neurons\) = \(6, 4\), not int64 of",
        ),
        (
            {"weights": np.zeros((6, 4)), "format": "s6.4"},
            r": weights must be integers of shape .*, not float64 of shape \(6, 4\)$",
        ),
        (
            {"weights": np.full((6, 4), 32), "format": "s6.4"},
            r": weights must be in -32 \.\.= 31, not 32$",
        ),
        (
            {"weights": np.full((6, 4), 1 << 63, np.uint64), "format": "s6.4"},
            r": weights must be in -32 \.\.= 31, not 9223372036854775808$",
        ),
    ],
)
def test_bad_weights_are_refused(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(BitlifError, match=r"^weights '.*file\.npz'" + message):
        load_weights(savez(tmp_path, **arrays), TINY)


@pytest.mark.parametrize("kind", ["<u8", ">u8", ">i4", "|i1", "<u2"])
@pytest.mark.parametrize("order", "CF")
def test_weights_of_any_integers_are_read_as_int64(kind: str, order: Any, tmp_path: Path) -> None:
    weights = np.arange(24).reshape(6, 4) % 32
    path = savez(tmp_path, weights=np.asarray(weights, kind, order=order), format="s6.4")
    again = load_weights(path, TINY)
    np.testing.assert_array_equal(again, weights)
    assert again.dtype == np.int64
    assert again.flags.c_contiguous
    # What is computed with them stays in integers, too.
    assert (np.ones((1, 6), np.int64) @ again).dtype == np.int64


@pytest.mark.parametrize("kind", ["?", "<c16", "<M8[s]", "<f4", "<U3", "i4,f8"])
def test_weights_that_are_no_integers_are_refused(kind: str, tmp_path: Path) -> None:
    path = savez(tmp_path, weights=np.zeros((6, 4), kind), format="s6.4")
    with pytest.raises(BitlifError, match=r"^weights '.*': weights must be integers of shape"):
        load_weights(path, TINY)


def test_format_that_is_a_long_text_is_refused_unread(tmp_path: Path) -> None:
    path = savez(tmp_path, weights=np.zeros((6, 4), int), format="s6.4" * 100)
    with pytest.raises(BitlifError, match=r"format 's6\.4', not 'a long text'$"):
        load_weights(path, TINY)


# -- targets ---------------------------------------------------------------------------------


def test_targets_are_a_row_a_window_or_a_row_a_step(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    for shape in ((3, 4), (3, 16, 4)):
        targets = random.integers(0, 16, shape, endpoint=True)
        again = load_targets(savez(tmp_path, targets=targets), TINY, 3)
        np.testing.assert_array_equal(again, targets)
        assert again.dtype == np.uint16


def test_real_targets_are_rounded_to_nearest(tmp_path: Path) -> None:
    real = np.array([[0.0, 1 / 32, 0.031, 1.0]])
    for kind in (np.float64, np.float32):
        path = savez(tmp_path, targets=real.astype(kind))
        assert load_targets(path, TINY, 1).tolist() == [[0, 1, 0, 16]]


def test_truth_values_are_real_targets(tmp_path: Path) -> None:
    path = savez(tmp_path, targets=np.eye(4, dtype=bool))
    assert load_targets(path, TINY, 4).tolist() == (16 * np.eye(4)).tolist()


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint8])
def test_integer_targets_that_read_like_real_ones_are_refused(kind: type, tmp_path: Path) -> None:
    path = savez(tmp_path, targets=np.eye(4, dtype=kind))
    with pytest.raises(BitlifError) as caught:
        load_targets(path, TINY, 4)
    for fact in (f"targets '{path}': ", "0 or 1", ".astype(bool)", "1/16", "uint16"):
        assert fact in str(caught.value)
    # Only raw targets are uint16; and as real numbers, 0 and 1 mean what they say.
    path = savez(tmp_path, targets=np.eye(4, dtype=np.uint16))
    assert load_targets(path, TINY, 4).tolist() == np.eye(4).tolist()
    for real in (np.eye(4), np.eye(4) / 16):
        load_targets(savez(tmp_path, targets=real), TINY, 4)


def test_targets_can_be_labels(tmp_path: Path) -> None:
    for labels in (np.array([2, 0, 3, 1]), np.array(["c", "a", "d", "b"])):
        found = load_targets(savez(tmp_path, targets=labels), TINY, 4)
        assert found.tolist() == (8 * np.eye(4)[[2, 0, 3, 1]]).tolist()


def test_integer_targets_that_read_like_spike_counts_are_warned_of(tmp_path: Path) -> None:
    digits = Config.load("digits")
    path = savez(tmp_path, targets=9 * np.eye(10, dtype=int))
    with pytest.warns(BitlifWarning, match=r"^targets '.*': .* 0 \.\.= 1024: .* 9/1024 = 0\.0088 "):
        load_targets(path, digits, 10)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"target": np.zeros((1, 4), int)}, r" must hold the array targets$"),
        ({"targets": np.zeros((2, 4), int)}, r": targets must be numbers of shape \(1, 4\) or"),
        ({"targets": np.zeros((1, 4), complex)}, r": targets must be numbers .*, not complex128"),
        ({"targets": np.zeros((1, 15, 4))}, r": targets must be numbers .*\(1, 15, 4\)$"),
        ({"targets": np.array(["x"])}, r": labels .* as many classes .* 4, not 1: 'x'$"),
        ({"targets": np.full((1, 4), 17)}, r": targets must be in 0 \.\.= 16, not 17$"),
        ({"targets": np.full((1, 4), -1)}, r": targets must be in 0 \.\.= 16, not -1$"),
        ({"targets": np.full((1, 4), 1.1)}, r": targets must be in 0 \.\.= 1, not [\w.]+$"),
        ({"targets": np.full((1, 4), np.nan)}, r": targets must be in 0 \.\.= 1, not [\w.]+$"),
    ],
)
def test_bad_targets_are_refused(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(BitlifError, match=r"^targets '.*file\.npz'" + message):
        load_targets(savez(tmp_path, **arrays), TINY, 1)


# -- files -----------------------------------------------------------------------------------


def load(what: str, path: Path) -> Any:
    return load_weights(path, TINY) if what == "weights" else load_targets(path, TINY, 1)


@pytest.mark.parametrize("what", ["weights", "targets"])
def test_file_that_is_no_npz_of_arrays_is_refused(what: str, tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    with pytest.raises(BitlifError, match=rf"^{what} '.*' cannot be read: No such file or dir"):
        load(what, path)
    for content in (b"", b"text", b"PK\x03\x04 cut off"):
        path.write_bytes(content)
        with pytest.raises(BitlifError, match=rf"^{what} '.*' is not an \.npz file of arrays$"):
            load(what, path)
    with path.open("wb") as out:
        np.save(out, np.zeros((6, 4), int))
    with pytest.raises(BitlifError, match=rf"^{what} '.*' is not an \.npz file of arrays$"):
        load(what, path)
    np.savez(path, weights=np.array([None]), format="s6.4", targets=np.array([{}]))
    with pytest.raises(BitlifError, match=rf"^{what} '.*' must hold plain numbers, not Python"):
        load(what, path)


@pytest.mark.parametrize("what", ["weights", "targets"])
def test_damaged_file_is_read_or_refused_in_one_way(what: str, tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    weights = weights_of(TINY)
    np.savez_compressed(path, weights=weights, format="s6.4", targets=weights[:1] % 17)
    whole = path.read_bytes()
    random = np.random.default_rng(1)
    refused = 0
    for position in range(0, len(whole), 2):
        damaged = bytearray(whole)
        damaged[position] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        text = f"{what} '{path}'"
        try:
            load(what, path)
        except BitlifError as error:
            refused += 1
            text = str(error)
        assert text.startswith(f"{what} '{path}'")
    assert refused > len(whole) // 20
