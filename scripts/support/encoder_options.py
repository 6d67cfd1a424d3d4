"""Options of encoders on the command line: ``--option NAME=VALUE``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import Any

from bitlif.model.errors import BitlifError
from bitlif.model.text import quoted


def add_encoder_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--option``, which may be repeated."""
    from bitlif.tasks.encoder_options import OPTIONS

    known = "; ".join(f"{name}: {', '.join(own) or 'none'}" for name, own in OPTIONS.items())
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"option of the encoder, may be repeated ({known})",
    )


def encoder_options(texts: Iterable[str]) -> dict[str, Any]:
    """Return the options in texts such as ``"max_rate=0.25"``; a value is JSON, or else text.

    >>> encoder_options(["max_rate=0.25", "regular=false", "code=latency"])
    {'max_rate': 0.25, 'regular': False, 'code': 'latency'}

    Raises
    ------
    BitlifError
        If a text has another form, or a name is given twice.
    """
    options: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise BitlifError(f"--option must be NAME=VALUE, not {quoted(text)}")
        if name in options:
            raise BitlifError(f"--option {quoted(name)} must be given once, not twice")
        try:
            options[name] = json.loads(value)
        except (ValueError, RecursionError):
            options[name] = value
    return options
