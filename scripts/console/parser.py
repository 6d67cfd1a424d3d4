"""The parser of command lines: argparse with suggestions and printable error messages."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from bitlif.model.errors import nearest_of
from bitlif.model.text import quoted, shortened, terminal_text

DIGITS = 100
"""Most characters of a number. Python itself rejects numbers of thousands of digits."""

MESSAGE = 400
"""Most characters of an error message."""


class Parser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` whose errors are short and printable and suggest corrections.

    Its subparsers are of the same class. Numbers have at most `DIGITS` characters, and empty
    arguments are rejected.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._actions_of: argparse.Action | None = None
        self.register("type", None, _word)
        self.register("type", int, _integer)
        self.register("type", float, _real)

    def add_subparsers(self, **kwargs: Any) -> Any:
        """Add subcommands; see `argparse` for the arguments."""
        action = super().add_subparsers(**kwargs)
        # Otherwise its name would appear in the errors of all further arguments.
        action.type = str
        self._actions_of = action
        return action

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the parsed arguments, or exit with an error of the parser of the subcommand."""
        parsed, rest = self.parse_known_args(args, namespace)
        if rest:
            own: Parser = getattr(parsed, "parser", self)
            own.refuse(rest)
        return parsed

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Exit with an error about arguments that this parser does not know."""
        options = [name for action in self._actions for name in action.option_strings]
        hint = ""
        for word in words:
            if word.startswith("-") and not hint:
                hint = nearest_of(word.partition("=")[0], options)
        self.error(f"unrecognized arguments: {shortened(' '.join(words), 80)}{hint}")

    def error(self, message: str) -> NoReturn:
        """Print usage and `message` (the help, if a command is missing); exit with status 2."""
        own = self._actions_of
        if own is not None and message.endswith(f"required: {own.metavar}"):
            self.print_help(sys.stderr)
        else:
            self.print_usage(sys.stderr)
        text = shortened(terminal_text(message), MESSAGE)
        self.exit(2, f"{self.prog}: error: {text}\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices]
        hint = nearest_of(str(value), known) or f" (choose from {', '.join(known)})"
        raise argparse.ArgumentError(action, f"invalid choice: {quoted(value)}{hint}")


def _word(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    if "\0" in text:
        raise argparse.ArgumentTypeError("must not hold a null character")
    return text


def _integer(text: str) -> int:
    try:
        return int(_number(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid int value: {quoted(text)}") from error


def _real(text: str) -> float:
    try:
        return float(_number(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid float value: {quoted(text)}") from error


def _number(text: str) -> str:
    if len(text) > DIGITS:
        raise argparse.ArgumentTypeError(
            f"must be a number of at most {DIGITS} characters, not {quoted(text, 40)}"
        )
    return text
