"""Consoles, tables and progress bars of Rich that print text literally, without markup."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from bitlif.model.text import terminal_text

PIPE_WIDTH = 100
"""Width of tables in a pipe or file."""

ENDLESS = 1 << 16
"""Width of other text in a pipe or file, so that no line is wrapped."""


class Screen(Console):
    """A console without markup, emoji and highlighting; control characters become escapes."""

    def __init__(self, *, stderr: bool = False) -> None:
        file = sys.stderr if stderr else sys.stdout
        self.wide = not file.isatty()
        super().__init__(
            file=file, markup=False, emoji=False, highlight=False,
            width=ENDLESS if self.wide else shutil.get_terminal_size().columns,
        )  # fmt: skip

    def render_str(self, text: str, **how: Any) -> Text:
        """Return `text` without interpreting markup or control characters in it."""
        return super().render_str(terminal_text(text), **how)


class ResultTable:
    """A table, or a block of lines for each row if the terminal is too narrow for a table.

    Parameters
    ----------
    title : str
    columns : sequence of str
    rows : sequence of sequences
        One cell per column.
    """

    def __init__(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.title = terminal_text(title)
        self.columns = tuple(map(terminal_text, columns))
        self.rows = [tuple(map(terminal_text, row)) for row in rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the table, or the blocks."""
        wide = isinstance(console, Screen) and console.wide
        widths = self._widths(PIPE_WIDTH if wide else options.max_width)
        if widths is None and not wide:
            yield from self._blocks()
            return
        table = Table(title=self.title or None, title_justify="left", show_header=any(self.columns))
        for number, column in enumerate(self.columns):
            # A column is text if most of its cells begin with a letter.
            letters = sum(row[number][:1].isalpha() for row in self.rows)
            words = number == 0 or 2 * letters > len(self.rows)
            table.add_column(
                column,
                justify="left" if words else "right",
                width=widths[number] if widths else self._least(number),
                overflow="fold",
            )
        for row in self.rows:
            table.add_row(*row)
        yield table

    def _texts(self, number: int) -> list[str]:
        return [self.columns[number], *(row[number] for row in self.rows)]

    def _least(self, number: int) -> int:
        """Return the width of the longest word in a column."""
        words = [word for text in self._texts(number) for word in text.split()]
        return max(map(cell_len, words), default=1)

    def _widths(self, room: int) -> list[int] | None:
        """Return the widths of the columns, at least of their longest words, or None."""
        count = len(self.columns)
        most = [max(1, *map(cell_len, self._texts(number))) for number in range(count)]
        widths = [self._least(number) for number in range(count)]
        # Each column has a space on either side and a line.
        left = room - 1 - sum(width + 3 for width in widths)
        if left < 0:
            return None
        # Columns that lack least come first, because they then need no second line.
        for number in sorted(range(count), key=lambda n: most[n] - widths[n]):
            more = min(left, most[number] - widths[number])
            widths[number] += more
            left -= more
        return widths

    def _blocks(self) -> RenderResult:
        if self.title:
            yield Text(self.title, style="italic")
        for row in self.rows:
            named = list(zip(self.columns, row, strict=True))
            if len(row) == 2 and not any(self.columns):
                yield Text(f"{row[0]}: {row[1]}")
                continue
            for number, (column, cell) in enumerate(named):
                indent = "" if number == 0 else "  "
                if cell or number == 0:
                    yield Text(f"{indent}{column}: {cell}" if column else f"{indent}{cell}")


class _Description(ProgressColumn):
    """The description of a task, printed literally."""

    def render(self, task: Task) -> Text:
        return Text(terminal_text(task.description))


def bars() -> Progress:
    """Return progress bars with remaining time on standard error, if that is a terminal."""
    screen = Screen(stderr=True)
    return Progress(
        _Description(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=screen,
        disable=not screen.is_terminal,
        transient=True,
    )
