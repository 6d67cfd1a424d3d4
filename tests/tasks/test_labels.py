"""Labels and targets of every kind follow one rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bitlif
from bitlif import Config, tasks
from bitlif.model.errors import BitlifError
from bitlif.model.files.target_file import load_targets

TINY = Config.load("tiny")  # 4 neurons, 16 steps, a raw target of 16 is 1
ROWS = np.eye(4)[[3, 0, 1]]
LABELS = np.array([3, 0, 1])


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (LABELS, 0.5),
        (LABELS.tolist(), 0.5),
        (LABELS.astype(float), 0.5),
        (ROWS, 1.0),
        (ROWS.astype(bool), 1.0),
        (ROWS.astype(np.float32) / 4, 0.25),
        ((16 * ROWS).astype(int), 1.0),
        (ROWS.astype(np.uint16), 1 / 16),
        (ROWS.astype(">u2"), 1 / 16),
        (0 * ROWS.astype(int), 0.0),
        (np.repeat(ROWS[:, None], 16, axis=1).astype(bool), 1.0),
    ],
)
def test_one_rule_holds_in_memory_in_files_and_in_cores(
    values: Any, scale: float, tmp_path: Any
) -> None:
    real = tasks.as_targets(values, TINY, windows=3)
    wanted = scale * (ROWS if real.ndim == 2 else np.repeat(ROWS[:, None], 16, axis=1))
    assert real.tolist() == wanted.tolist()
    assert real.dtype == np.float64
    np.savez(tmp_path / "t.npz", targets=values)
    levels = load_targets(tmp_path / "t.npz", TINY, 3)
    assert levels.tolist() == (16 * wanted).tolist()
    random = np.random.default_rng(1)
    spikes = bitlif.Events.from_raster(random.random((3, 16, 6)) < 0.4)
    for backend in ("model", "float"):
        learned = []
        for given in (values, levels):
            with bitlif.open(TINY, backend) as core:
                core.learn(spikes, given)
                learned.append(core.weights())
        np.testing.assert_array_equal(*learned)


def test_classes_give_the_neurons_of_labels() -> None:
    found = tasks.as_targets(
        ["no", "yes"], TINY, windows=2, classes=["yes", "maybe", "no"], true_target=1
    )
    assert found.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0]]
    # The rows of other targets are neurons already.
    found = tasks.as_targets(ROWS, TINY, windows=3, classes=["yes", "no"])
    assert found.tolist() == ROWS.tolist()


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint8, np.uint64])
def test_ambiguous_integers_are_an_error_that_says_both_readings(kind: Any) -> None:
    with pytest.raises(BitlifError) as caught:
        tasks.as_targets(ROWS.astype(kind), TINY, windows=3)
    for fact in ("0 or 1", ".astype(bool)", "spike in every step", "uint16", "1/16"):
        assert fact in str(caught.value)


def test_integers_are_not_ambiguous_where_both_readings_agree() -> None:
    one = TINY.replace(error__target_bits=0)
    assert tasks.as_targets(ROWS.astype(int), one, windows=3).tolist() == ROWS.tolist()
    # Real units say that numbers are real.
    spikes = bitlif.Events.from_raster(np.ones((3, 16, 6), bool))
    learned = []
    for given in (ROWS, ROWS.astype(int)):
        with bitlif.open(TINY, "float", units="real") as core:
            core.learn(spikes, given)
            learned.append(core.weights())
    np.testing.assert_array_equal(*learned)


@pytest.mark.parametrize(
    ("values", "options", "text"),
    [
        ([0, 1], {}, r"targets must be numbers of shape \(3, 4\) or \(3, 16, 4\), or labels of"),
        (ROWS.T, {}, r"or labels of shape \(3,\), not float64 of shape \(4, 3\)"),
        (ROWS.astype(str), {}, r"must be numbers of shape .*, not <U32"),
        (2 * ROWS, {}, r"must be in 0 \.\.= 1, not 2$"),
        (17 * ROWS.astype(int), {}, r"must be in 0 \.\.= 16, not 17$"),
        (-ROWS.astype(int), {}, r"must be in 0 \.\.= 16, not -1$"),
        ([0, 1, 4], {}, r"labels must be in 0 \.\.= 3, the neurons, not 4"),
        ([0, 1, 4], {"classes": [0, 1]}, "labels must be among the classes 0, 1, not 4"),
        ([0, "1", 2], {}, "labels must be all integers or all texts, not also 0"),
        ([b"a", b"b", b"c"], {}, r"targets of shape \(3,\) must be labels: integers, .* not \|S1"),
        (list("abc"), {"classes": "abc"}, "classes must be integers, texts .*, not <U3"),
        ([0, 1, 4], {"classes": range(5)}, "classes must be at most 4, the number of neurons"),
        (LABELS, {"true_target": 2}, r"true_target must be in 0 \.\.= 1, not 2"),
        (LABELS, {"windows": -1}, "windows must be"),
        (LABELS, {"config": "tiny"}, "config must be a Config, not 'tiny'"),
        ([[1], [1, 2]], {}, "rows of equal length"),
    ],
)
def test_bad_targets_are_refused(values: Any, options: dict[str, Any], text: str) -> None:
    given = {"config": TINY, "windows": 3, **options}
    with pytest.raises(BitlifError, match=text):
        tasks.as_targets(values, **given)
