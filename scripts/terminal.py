"""What the subcommands share at the terminal: parsers with examples, progress, tables, JSON."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from numba.core import event
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from bitlif.model.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.eventfile import load_events
from bitlif.model.events import DUPLICATES, Events
from bitlif.model.text import path_text
from bitlif.sim.backends import KINDS, require_backend
from bitlif.sim.notices import listeners

MOST_OUTPUTS = 1 << 29
"""Most neurons times steps of all windows of a run."""

SubParsers = Any
"""What ``ArgumentParser.add_subparsers`` returns; argparse keeps the class private."""


def add_command(
    subparsers: SubParsers,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    description: str,
    examples: Sequence[str],
) -> argparse.ArgumentParser:
    """Add a subcommand whose ``--help`` ends with `examples`: commands to paste."""
    lines = "\n".join(f"  {example}" for example in examples)
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=summary,
        description=textwrap.dedent(description).strip(),
        epilog=f"examples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``: the result, and nothing else, goes to standard output as one JSON object."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_backend(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add ``--backend``, and ``--float``, which is short for one of them."""
    parser.add_argument(
        "--backend", metavar="NAME", help=f"{verb} on {', '.join(KINDS)} (default: model)"
    )
    parser.add_argument("--float", action="store_true", help="short for --backend float")


def chosen_backend(args: argparse.Namespace) -> str:
    """Return the backend that was asked for.

    Raises
    ------
    BitlifError
        If there is none of that name, or two are asked for.
    """
    backend: str | None = args.backend
    if args.float and backend not in (None, "float"):
        raise BitlifError(f"--float must be without --backend {backend}: it is a backend")
    if args.float:
        return "float"
    if backend is None:
        return "model"
    require_backend("--backend must be one of", backend)
    return backend


def add_duplicates(parser: argparse.ArgumentParser) -> None:
    """Add ``--duplicates``: what to do where an input spikes twice in one step."""
    parser.add_argument(
        "--duplicates",
        choices=DUPLICATES,
        default=DUPLICATES[0],
        help="spikes that a file lists twice: refuse it, or merge the two (default: refuse)",
    )


def chosen_events(args: argparse.Namespace, config: Config) -> Events:
    """Return the spikes of ``--spikes``, which must fit the configuration and the memory."""
    steps, neurons = config.window.steps, config.layer.neurons
    events = load_events(
        args.spikes, steps=steps, units=config.layer.inputs, duplicates=args.duplicates
    )
    # A run keeps a byte for each neuron and step.
    most = MOST_OUTPUTS // (steps * neurons)
    if events.windows > most:
        raise BitlifError(
            f"spikes '{path_text(args.spikes)}' must have at most {most} windows for a layer of "
            f"{neurons} neurons and {steps} steps, not {events.windows}"
        )
    return events


def print_json(result: dict[str, Any]) -> None:
    """Print `result` as JSON with keys as given; NaN and infinity are refused, never written."""
    json.dump(result, sys.stdout, indent=2, allow_nan=False)
    print()


class _Results(Console):
    def on_broken_pipe(self) -> None:
        # Rich would exit with 1, which says that a check failed; `main` knows what to do.
        raise BrokenPipeError


def console() -> Console:
    """Return the console of results (standard output)."""
    # A pipe or file has no width of its own: give tables room.
    width = None if sys.stdout.isatty() else 100
    return _Results(highlight=False, width=width)


def progress_bars() -> Progress:
    """Return progress bars with time left, on standard error; silent where that is no terminal."""
    screen = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=screen,
        disable=not screen.is_terminal,
        transient=True,
    )


class _CompileNotice(event.Listener):
    """Says once that the engine is being compiled: nothing else moves on the screen meanwhile."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        if not self.said:
            self.said = True
            print("compiling the engine for this kind of layer (once) ...", file=sys.stderr)

    def on_end(self, event: Any) -> None:
        pass


def announce_compilation() -> None:
    """Print a line to standard error when the engine or a core is compiled, not read from disk."""
    if not _notices:
        _notices.append(_CompileNotice())
        event.register("numba:compile", _notices[0])  # type: ignore[no-untyped-call]
        listeners.append(_say)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


_notices: list[_CompileNotice] = []


def result_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Return a table: numbers to the right, words to the left."""
    table = Table(title=title or None, title_justify="left", show_header=any(columns))
    for number, column in enumerate(columns):
        cells = [str(row[number]) for row in rows]
        words = number == 0 or all(cell[:1].isalpha() for cell in cells)
        table.add_column(column, justify="left" if words else "right")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    return table


def report_table(title: str, report: dict[str, Any]) -> Table:
    """Return a table of a report's single values, its lists left out."""
    rows = [
        (name.replace("_", " "), f"{value:.4g}" if isinstance(value, float) else value)
        for name, value in report.items()
        if not isinstance(value, list)
    ]
    return result_table(title, ("", ""), rows)


def require_gates() -> None:
    """Raise unless Amaranth is there."""
    try:
        import amaranth  # noqa: F401
    except ImportError as error:
        raise BitlifError(
            "gates need Amaranth, which is not installed: pip install 'bitlif[gates]'"
        ) from error


def require_study() -> None:
    """Raise unless the packages of studies are there."""
    try:
        import optuna  # noqa: F401
        import plotly  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise BitlifError(
            f"studies need {error.name}, which is not installed: pip install 'bitlif[study]'"
        ) from error
