"""Shared by the commands: parsers with examples, common options, messages, tables, JSON."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bitlif.model.engine.compile import on_compilation
from bitlif.model.errors import BitlifError, BitlifWarning
from bitlif.model.extras import require_extra
from bitlif.model.logging import add_observer
from bitlif.model.text import path_text, terminal_text

if TYPE_CHECKING:
    from rich.progress import Progress

    from bitlif.model.config.config import Config
    from bitlif.model.config.network import NetworkConfig
    from bitlif.model.events import Events

    from .rich_console import ResultTable, Screen

MOST_OUTPUTS = 1 << 29
"""Most neurons times steps, summed over the windows of a run."""

SubParsers = Any
"""The return type of ``ArgumentParser.add_subparsers``, which argparse does not export."""


def add_command(
    subparsers: SubParsers,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    description: str,
    examples: Sequence[str],
) -> argparse.ArgumentParser:
    """Add a subcommand; `examples` are command lines printed at the end of its help."""
    lines = "\n".join(f"  {example}" for example in examples)
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=summary,
        description=textwrap.dedent(description).strip(),
        epilog=f"examples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``, which prints the result as one JSON object and nothing else."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_backend(parser: argparse.ArgumentParser, verb: str) -> None:
    """Add ``--backend``, and ``--float`` as a short form of one of its values."""
    from bitlif.sim.backends.open import accepted_names

    parser.add_argument(
        "--backend", metavar="NAME", help=f"{verb} on {accepted_names()} (default: model)"
    )
    parser.add_argument("--float", action="store_true", help="short for --backend float")


def chosen_backend(args: argparse.Namespace) -> str:
    """Return the name of the selected backend.

    Raises
    ------
    BitlifError
        If the name is unknown, or ``--float`` is combined with another backend.
    """
    backend: str | None = args.backend
    if args.float and backend not in (None, "float"):
        raise BitlifError(f"--float must not be combined with --backend {backend}")
    if args.float:
        return "float"
    if backend is None:
        return "model"
    from bitlif.sim.backends.open import require_backend

    require_backend("--backend must be one of", backend)
    return backend


def add_duplicates(parser: argparse.ArgumentParser) -> None:
    """Add ``--duplicates``: how to treat spikes that a file lists twice."""
    from bitlif.model.events import DUPLICATES

    parser.add_argument(
        "--duplicates",
        choices=DUPLICATES,
        default=DUPLICATES[0],
        help="spikes listed twice in a file: refuse the file, or merge them (default: refuse)",
    )


def chosen_events(args: argparse.Namespace, config: Config | NetworkConfig) -> Events:
    """Load the spikes of ``--spikes``; raise if they do not fit the configuration or memory."""
    from bitlif.model.config.network import NetworkConfig, outer
    from bitlif.model.files.event_file import load_events

    seen = outer(config)
    steps, neurons = seen.window.steps, seen.layer.neurons
    kind = "layer"
    if isinstance(config, NetworkConfig):
        kind, neurons = "network", sum(own.config.layer.neurons for own in config.layers)
    events = load_events(
        args.spikes, steps=steps, units=seen.layer.inputs, duplicates=args.duplicates
    )
    # A run stores one byte per neuron and step.
    most = MOST_OUTPUTS // (steps * neurons)
    if events.windows > most:
        raise BitlifError(
            f"spikes '{path_text(args.spikes)}' must have at most {most} windows for a {kind} of "
            f"{neurons} neurons and {steps} steps, not {events.windows}"
        )
    return events


def print_json(result: dict[str, Any]) -> None:
    """Print `result` as JSON, keys in their order. NaN and infinity raise an error."""
    print(json.dumps(result, indent=2, allow_nan=False))


def print_document(text: str) -> None:
    """Print the text of a file: UTF-8 in a pipe or file, only printable text on a terminal."""
    if sys.stdout.isatty():
        # Tabs and line ends of the text are kept.
        text = "\n".join(terminal_text(line) for line in text.expandtabs().split("\n"))
    elif reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(encoding="utf-8")
    sys.stdout.write(text)


def console() -> Screen:
    """Return the console for results: standard output."""
    from .rich_console import Screen

    return Screen()


def progress_bars() -> Progress:
    """Return progress bars on standard error; they print nothing unless it is a terminal."""
    from .rich_console import bars

    return bars()


def announce_compilation() -> None:
    """Print a line to standard error when the engine or a core must be compiled."""
    add_observer(say)
    on_compilation(_say_compiling)


@functools.cache
def _say_compiling() -> None:
    """Say once per process that the engine is being compiled."""
    say("compiling the engine for this kind of layer (once) ...")


def say(sentence: str) -> None:
    """Print a message to standard error on one line, with control characters as escapes."""
    print(terminal_text(sentence), file=sys.stderr, flush=True)


@contextlib.contextmanager
def warnings_as_sentences(command: str) -> Iterator[None]:
    """Print every distinct `BitlifWarning` once, as a line on standard error.

    A warning that was printed with the name of a file is not repeated without it.
    """
    said: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", BitlifWarning)
        usual = warnings.showwarning

        def show(message: Any, category: type[Warning], *rest: Any, **named: Any) -> None:
            sentence = str(message)
            if not issubclass(category, BitlifWarning):
                usual(message, category, *rest, **named)
            elif not any(f": {own}".endswith(f": {sentence}") for own in said):
                said.add(sentence)
                say(f"bitlif {command}: warning: {sentence}")

        warnings.showwarning = show
        yield


def result_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> ResultTable:
    """Return a table with numbers aligned to the right and text to the left."""
    from .rich_console import ResultTable

    return ResultTable(title, columns, rows)


def report_table(title: str, report: dict[str, Any]) -> ResultTable:
    """Return a table of the single values of a report; lists and objects are omitted."""
    rows = [
        (name.replace("_", " "), f"{value:.4g}" if isinstance(value, float) else value)
        for name, value in report.items()
        if not isinstance(value, (dict, list))
    ]
    return result_table(title, ("", ""), rows)


def require_gates() -> None:
    """Raise unless Amaranth is installed."""
    require_extra("gates need Amaranth", "gates", "amaranth")
