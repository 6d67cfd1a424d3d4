"""The example that trains Yin-Yang and GunPoint in PyTorch."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(EXAMPLES)
    for name in ("torch_digits", "torch_tasks"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import torch_tasks

    return torch_tasks


def test_validation_uses_no_test_window(example: ModuleType) -> None:
    assert [task.name for task in example.parts("gunpoint", validate=False)] == ["gunpoint"]
    assert [task.fold for task in example.parts("gunpoint", validate=True)] == [0, 1, 2, 3, 4]
    (points,) = example.parts("yin_yang", validate=True)
    assert points.part == "validation"


@pytest.mark.long
@pytest.mark.parametrize(("name", "least"), [("yin_yang", 0.95), ("gunpoint", 0.88)])
def test_task_is_learned(example: ModuleType, name: str, least: float) -> None:
    (task,) = example.parts(name, validate=False)
    _, right = example.trained(task, example.CHOSEN[name], seed=0)
    assert right >= least
