"""Tables of a classification: scores by class, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bitlif.model.text import shortened, terminal_text

from .terminal import result_table

if TYPE_CHECKING:
    from .rich_console import ResultTable

MOST_CLASSES = 20
"""Most classes whose confusion matrix is printed; the report has it in any case."""

NAME = 24
"""Most characters of the name of a class."""


def class_report(
    classes: Sequence[object], matrix: Sequence[Sequence[int]], scores: Sequence[Any]
) -> dict[str, Any]:
    """Return the entries of a report: classes, scores by class and the confusion matrix.

    Parameters
    ----------
    classes : sequence of (int or str)
        In the order of the neurons.
    matrix : (K, K) int
        Rows are the true classes.
    scores : sequence of ClassScore
        See `bitlif.tasks.scores`.
    """
    by_class = [
        {"class": name, **score._asdict()} for name, score in zip(classes, scores, strict=True)
    ]
    rows = [[int(count) for count in row] for row in matrix]
    return {"classes": list(classes), "by_class": by_class, "confusion": rows}


def class_tables(report: dict[str, Any]) -> Iterator[ResultTable]:
    """Yield the tables of the entries of `class_report`, if a report has them."""
    if "by_class" not in report:
        return
    rows = [
        (
            _name(own["class"]),
            own["windows"],
            own["predicted"],
            _percent(own["precision"]),
            _percent(own["recall"]),
        )
        for own in report["by_class"]
    ]
    columns = ("class", "windows", "predicted", "precision", "recall")
    yield result_table("windows by class", columns, rows)
    if len(rows) <= MOST_CLASSES:
        names = [_name(own) for own in report["classes"]]
        lines = [(name, *counts) for name, counts in zip(names, report["confusion"], strict=True)]
        yield result_table(
            "confusion: rows are the true classes, columns the predicted ones", ("", *names), lines
        )


def _name(name: object) -> str:
    return shortened(terminal_text(name), NAME)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
