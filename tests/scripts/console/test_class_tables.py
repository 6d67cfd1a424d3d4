"""The tables of a classification as they are printed."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from bitlif.scripts.console.class_tables import MOST_CLASSES, class_report, class_tables
from bitlif.scripts.console.rich_console import Screen
from bitlif.tasks.scores import class_scores


def printed(classes: list[Any], matrix: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> str:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    screen = Screen()
    for table in class_tables(class_report(classes, matrix, class_scores(np.array(matrix)))):
        screen.print(table)
    return out.getvalue()


def cells(text: str, first: str) -> list[list[str]]:
    """Return the cells of all rows that begin with `first`."""
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines()]
    return [row for row in rows if row[0] == first]


def test_rows_hold_scores_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(["no", "yes"], [[3, 1], [0, 0]], monkeypatch)
    scores, counts = cells(text, "no")
    assert scores == ["no", "4", "3", "100.0 %", "75.0 %"]
    assert counts == ["no", "3", "1"]
    # A class without windows has no recall.
    assert cells(text, "yes")[0] == ["yes", "0", "1", "0.0 %", "-"]


def test_large_confusion_matrices_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    count = MOST_CLASSES + 1
    text = printed(list(range(count)), np.eye(count, dtype=int).tolist(), monkeypatch)
    assert "confusion" not in text
    assert len(cells(text, str(MOST_CLASSES))) == 1


def test_names_cannot_break_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(["a\x1b[2J", "long " * 30], [[1, 0], [0, 1]], monkeypatch)
    assert "\x1b" not in text
    assert "..." in text


def test_reports_without_classes_have_no_tables() -> None:
    assert list(class_tables({"accuracy": 1.0})) == []
