"""Reads a CSV file of numbers with a column of labels; every error names line and column."""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, nearest_of
from bitlif.model.storage.reading import open_regular, other_encoding, unreadable
from bitlif.model.text import path_text, quoted, shortened

LABEL_NAMES = ("y", "label", "labels", "class", "target")
"""Names of columns that hold the labels unless another one is named."""

MOST_BYTES = 1 << 30
MOST_COLUMNS = 1 << 16
LONGEST = 1 << 24
"""Most characters of a line of comments."""

MOST_SHOWN = 20
"""Most column names in an error message."""

MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "-")
"""Cells that stand for a missing value, in lower case."""


class Table(NamedTuple):
    """The content of a CSV file.

    Attributes
    ----------
    values : (rows, columns) float64
    labels : list of str, or None
    names : tuple of str
        Names of the columns, without the labels.
    """

    values: NDArray[np.float64]
    labels: list[str] | None
    names: tuple[str, ...]


def read_csv(
    path: str | Path, labels: str | None = None, *, required: bool = True, tabs: bool = False
) -> Table:
    """Read a CSV file; see `bitlif.tasks.data_file`.

    Parameters
    ----------
    path : str or Path
    labels : str or None
        Column of the labels; None for the first one of `LABEL_NAMES` that exists.
    required : bool
        Whether there must be a column of labels.
    tabs : bool
        Whether the delimiter is a tab whatever the first line contains.

    Raises
    ------
    BitlifError
        If the file cannot be read or is not such a table.
    """
    name = f"data '{path_text(path)}'"
    with open_regular("data", path) as file:
        if file.seek(0, 2) > MOST_BYTES:
            raise BitlifError(f"{name} must have at most {MOST_BYTES} bytes")
        file.seek(0)
        head = file.read(4)
        if head.startswith(b"PK\x03\x04"):
            raise BitlifError(f"{name} must be text, not a ZIP archive or spreadsheet")
        if encoding := other_encoding(head):
            raise BitlifError(f"{name} must be UTF-8 text, not {encoding}")
        file.seek(0)
        with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            rows = _Rows(name, text, tabs=tabs)
            try:
                return _read(name, rows, labels, required=required)
            except UnicodeDecodeError as error:
                file.seek(0)
                raise BitlifError(
                    f"{name} must be UTF-8 text; line {_first_other_line(file)} is not"
                ) from error
            except csv.Error as error:
                raise BitlifError(f"{name}: line {rows.line + 1}: {error}") from error
            except OSError as error:
                raise unreadable("data", path, error) from error


def _first_other_line(file: BinaryIO) -> int:
    """Return the first line that is not UTF-8, counted from 1."""
    for line, content in enumerate(file, 1):
        try:
            content.decode()
        except UnicodeDecodeError:
            return line
    return 0


class _Rows:
    """Rows of cells that are not blank, and the line of the last one."""

    def __init__(self, name: str, text: io.TextIOWrapper, *, tabs: bool) -> None:
        self._name, self._text, self._tabs = name, text, tabs
        self.line = 0

    def __iter__(self) -> Iterator[list[str]]:
        comments, first = self._head()
        bare = re.sub(r'"[^"]*"', "", first)
        delimiter = "\t" if self._tabs else next((sign for sign in "\t;" if sign in bare), ",")
        # NumPy writes a header as a comment: it has as many cells as the next line.
        if comments and comments[-1].count(delimiter) == first.count(delimiter) > 0:
            comments.pop()
        self._text.seek(0)
        for _ in comments:
            self._text.readline()
        reader = csv.reader(self._text, delimiter=delimiter, skipinitialspace=True, strict=True)
        for row in reader:
            self.line = reader.line_num + len(comments)
            if len(row) > 1 or (row and row[0].strip()):
                yield row

    def _head(self) -> tuple[list[str], str]:
        """Return the lines of comments at the start, and the line after them."""
        comments: list[str] = []
        while (line := self._text.readline(LONGEST)).startswith("#") and len(
            comments
        ) < MOST_COLUMNS:
            comments.append(line)
        return comments, line


def _read(name: str, rows: _Rows, labels: str | None, *, required: bool) -> Table:
    content = iter(rows)
    first = next(content, None)
    if first is None:
        raise BitlifError(f"{name} must hold a table, but it is empty")
    first_line = rows.line
    width = len(first)
    if width > MOST_COLUMNS:
        raise BitlifError(f"{name} must have at most {MOST_COLUMNS} columns, not {width}")
    header = _header(name, first, labels)
    names = header or [f"x{k}" for k in range(width)]
    chosen = label_column(name, "column", names, labels, required=required)
    place = None if chosen is None else names.index(chosen)
    kept = [k for k in range(width) if k != place]
    if not kept:
        raise BitlifError(f"{name} must have a column besides the labels {quoted(chosen)}")
    values, words, lines = array("d"), [], array("q")
    if header is None:
        content = _chain(first, content)
    for row in content:
        if len(row) != width:
            raise BitlifError(
                f"{name}: line {rows.line} must have {width} cells, like line {first_line}, "
                f"not {len(row)}"
            )
        if place is not None:
            word = row.pop(place).strip()
            if word.lower() in MISSING[:4]:
                raise BitlifError(
                    f"{name}: line {rows.line} has no label in column {quoted(chosen)}"
                )
            words.append(word)
        try:
            values.extend(map(float, row))
        except ValueError:
            raise BitlifError(
                _not_a_number(name, rows.line, row, [names[k] for k in kept])
            ) from None
        lines.append(rows.line)
    if not lines:
        raise BitlifError(f"{name} must have at least one row below the header")
    table = np.frombuffer(values, np.float64).reshape(len(lines), len(kept))
    wrong = np.argwhere(~np.isfinite(table))
    if wrong.size:
        row_number, column = wrong[0].tolist()
        raise BitlifError(
            f"{name}: line {lines[row_number]}, column {quoted(names[kept[column]])} must be a "
            f"finite number, not {table[row_number, column]}"
        )
    return Table(table, None if place is None else words, tuple(names[k] for k in kept))


def _chain(first: list[str], rest: Iterator[list[str]]) -> Iterator[list[str]]:
    yield first
    yield from rest


def _header(name: str, first: list[str], labels: str | None) -> list[str] | None:
    """Return the names of the columns, or None if the first line is already data."""
    cells = [cell.strip() for cell in first]
    # NumPy writes a header as a comment.
    cells[0] = cells[0].removeprefix("#").strip()
    known = LABEL_NAMES if labels is None else (labels,)
    numbers = sum(map(_is_number, cells))
    if numbers == len(cells) or (numbers and not any(cell in known for cell in cells)):
        return None
    seen: set[str] = set()
    for column, cell in enumerate(cells, 1):
        if not cell:
            raise BitlifError(
                f"{name}: column {column} must have a name; pandas writes an unnamed column of row "
                f"numbers unless index=False"
            )
        if cell in seen:
            raise BitlifError(
                f"{name}: columns must have different names, not twice {quoted(cell)}"
            )
        seen.add(cell)
    return cells


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _not_a_number(name: str, line: int, row: Sequence[str], names: Sequence[str]) -> str:
    column = next(k for k, cell in enumerate(row) if not _is_number(cell))
    cell = row[column].strip()
    place = f"{name}: line {line}, column {quoted(names[column])}"
    if cell.lower() in MISSING:
        shown = f"not {quoted(cell)}" if cell else "not empty"
        return f"{place} must be a number, {shown}: fill in missing values or remove the row"
    hint = "; if it holds the labels, name it as labels, else remove it or write numbers"
    if re.fullmatch(r"[-+]?\d+,\d+", cell):
        hint = "; write decimals with a point"
    elif line == 1:
        hint = "; a header must have no numbers as names"
    return f"{place} must be a number, not {quoted(cell)}{hint}"


def article(noun: str) -> str:
    """Return a noun with its indefinite article.

    >>> article("column"), article("array")
    ('a column', 'an array')
    """
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def label_column(
    name: str, noun: str, names: Sequence[str], labels: str | None, *, required: bool
) -> str | None:
    """Return the name of the labels among columns or arrays, or None if there are none.

    Raises
    ------
    BitlifError
        If there is no such name, or none of `LABEL_NAMES` although `required`.
    """
    if labels is not None:
        if labels not in names:
            raise BitlifError(
                f"{name} must have {article(noun)} {quoted(labels)} of labels; it has "
                f"{listed(names)}{nearest_of(labels, names)}"
            )
        return labels
    found = next((own for own in LABEL_NAMES if own in names), None)
    if found is None and required:
        raise BitlifError(
            f"{name} must have {article(noun)} of labels, named {', '.join(LABEL_NAMES[:-1])} or "
            f"{LABEL_NAMES[-1]}, or given by name; it has {listed(names)}"
        )
    return found


def listed(names: Sequence[str]) -> str:
    """Return names for a message, without those in the middle of a long list."""
    if not names:
        return "none"
    shown = [shortened(quoted(name), 40) for name in names]
    if len(shown) > MOST_SHOWN:
        shown[MOST_SHOWN - 4 : -4] = [f"... ({len(names)} in all)"]
    return ", ".join(shown)
