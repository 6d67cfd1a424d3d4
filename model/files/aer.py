"""AER text: one event per line as ``time address``, after an optional header.

The header is a comment before all events: ``# steps S units N windows W``, optionally with ``=`` or
``:`` between key and number. Other comments are ignored. A comment that resembles a header but is
not valid is refused, because ignoring it could silently change the number of windows.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, located, require_int
from bitlif.model.events import MAX_STEPS, MAX_UNITS, DuplicateEvents, Events
from bitlif.model.storage.reading import open_regular, other_encoding, unreadable
from bitlif.model.text import path_text, quoted, shortened

KEYS = ("steps", "units", "windows")
STEMS = (b"step", b"unit", b"window")

MOST_STEPS = 1 << 25
"""Maximum number of steps of all windows of a file."""

MOST_EVENTS = 1 << 23
"""Maximum number of events in a text file."""

MOST_BYTES = 1 << 27
"""Maximum size of a text file in bytes."""

MOST_HEADERS = 1000
"""Maximum number of comments that contain a key; each is parsed separately."""

CHUNK = 1 << 20
"""Bytes read at a time, and maximum length of a line."""

DIGITS = 18
"""Maximum number of digits; such numbers fit in 63 bits."""

RANGES = {"steps": (1, MAX_STEPS), "units": (1, MAX_UNITS), "windows": (0, MOST_STEPS)}

# Possessive quantifiers, so that failing matches take linear time.
EVENTS = re.compile(rb"(?:[ \t]*+(?:[0-9]++[ \t]++[0-9]++[ \t]*+)?\n)*+")
EVENT = re.compile(r"[ \t]*([0-9]+)[ \t]+([0-9]+)[ \t]*")
COMMENTS = re.compile(rb"#[^\n]*+(?:\n[ \t]*+#[^\n]*+)*+")
NAMES_A_KEY = re.compile(
    rb"^[ \t]*+#([^\n]*?(?:step|unit|window)[^\n]*+)", re.IGNORECASE | re.MULTILINE
)
NO_COMMENT = re.compile(rb"^[ \t]*+[^# \t\n]", re.MULTILINE)
LIKE_A_HEADER = re.compile(rf"\b({'|'.join(KEYS)})\s*[=:]?\s*[-+.0-9]", re.IGNORECASE)


def read_aer(
    path: str | Path, *, steps: int = 0, units: int = 0, duplicates: str = "refuse"
) -> Events:
    """Read AER text; see `bitlif.model.files.event_file.load_events`."""
    reader = _Reader(path, steps, units)
    with open_regular("spikes", path) as file:
        try:
            for lines in _pieces(file, reader.name):
                reader.take(lines)
        except OSError as error:
            raise unreadable("spikes", path, error) from error
    times, addresses = reader.finish()
    header = reader.header
    try:
        return Events.from_times(
            times, addresses, steps=header["steps"], units=header["units"],
            windows=header.get("windows"), duplicates=duplicates,
        )  # fmt: skip
    except DuplicateEvents as error:
        first, second = _lines_of(path, error.first, error.second)
        raise BitlifError(
            f"{reader.name}, line {second} repeats line {first}: time {times[error.second]}, "
            f"address {addresses[error.second]}; --duplicates merge takes them as one"
        ) from error
    except BitlifError as error:
        raise type(error)(f"{reader.name}: {error}") from error


def require_same(name: str, key: str, wanted: int, found: int) -> None:
    """Raise unless a number in a file is the required one (0: any)."""
    if wanted and found != wanted:
        raise BitlifError(f"{name} must have {wanted} {key}, not {found}")


def require_total(name: str, steps: int, windows: int) -> None:
    """Raise if the windows of a file have more than `MOST_STEPS` steps together."""
    if windows * steps > MOST_STEPS:
        raise BitlifError(
            f"{name}: windows * steps must be at most {MOST_STEPS}, not {windows} * {steps}"
        )


class _Reader:
    """Parser of the header and the events, for lines that are read in blocks."""

    def __init__(self, path: str | Path, steps: int, units: int) -> None:
        self.name = f"spikes '{path_text(path)}'"
        self.header: dict[str, int] = {}
        self._wanted = {"steps": steps, "units": units}
        self._limits: dict[str, int] = {}
        self._before = 0
        self._count = 0
        self._headers = 0
        self._times: list[NDArray[np.int32]] = []
        self._addresses: list[NDArray[np.int32]] = []

    def take(self, lines: bytes) -> None:
        """Parse whole lines, each with its line feed."""
        first = NO_COMMENT.search(lines)
        lower = lines.lower()
        names = any(stem in lower for stem in STEMS)  # Fast, and false for nearly all blocks.
        for comment in NAMES_A_KEY.finditer(lines) if names else ():
            late = bool(self._limits) or (first is not None and first.start() < comment.start())
            line = self._before + lines.count(b"\n", 0, comment.start()) + 1
            self._comment(comment[1].decode("utf-8", "replace"), line, late=late)
        bare = COMMENTS.sub(b"", lines)
        if not EVENTS.fullmatch(bare) or not self._keep(bare.split()):
            self._refuse(lines)
        self._before += lines.count(b"\n")

    def finish(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the times and addresses of all events, in the order of the file."""
        self._begin()
        none = np.zeros(0, np.int32)
        return np.concatenate([none, *self._times]), np.concatenate([none, *self._addresses])

    def _keep(self, words: list[bytes]) -> bool:
        """Add events given as pairs of numbers; return False if any number is out of range."""
        if not words:
            return True
        self._begin()
        try:
            numbers = np.fromiter(map(int, words), np.int64, len(words))
        except (OverflowError, ValueError):  # more than 63 bits, or thousands of digits
            return False
        times, addresses = numbers[::2], numbers[1::2]
        if times.max() > self._limits["times"] or addresses.max() > self._limits["addresses"]:
            return False
        self._count += times.size
        if self._count > MOST_EVENTS:
            raise BitlifError(f"{self.name} must have at most {MOST_EVENTS} events as text")
        self._times.append(times.astype(np.int32))
        self._addresses.append(addresses.astype(np.int32))
        return True

    def _refuse(self, lines: bytes) -> None:
        """Raise the error of the first line that is not an event in range."""
        for number, line in enumerate(lines.split(b"\n"), self._before + 1):
            body = line.decode("utf-8", "replace").partition("#")[0].strip(" \t")
            if not body:
                continue
            match = EVENT.fullmatch(body)
            if match is None:
                raise BitlifError(
                    f"{self.name}, line {number} must be 'time address' (integers from 0), "
                    f"not {quoted(body)}"
                )
            self._begin()
            for (key, most), digits in zip(self._limits.items(), match.groups(), strict=True):
                if len(digits.lstrip("0")) > DIGITS or int(digits[-DIGITS:]) > most:
                    raise BitlifError(
                        f"{self.name}, line {number}: {key} must be in 0 ..= {most}, "
                        f"not {shortened(digits)}"
                    )
        raise BitlifError(f"{self.name} must have numbers of at most {DIGITS} digits")

    def _comment(self, comment: str, line: int, *, late: bool) -> None:
        self._headers += 1
        if self._headers > MOST_HEADERS:
            raise BitlifError(
                f"{self.name} must have at most {MOST_HEADERS} comments about {' or '.join(KEYS)}"
            )
        with located(f"{self.name}, line {line}"):
            for key, value in header_of(comment).items():
                if late:
                    raise BitlifError("a header must come before all events")
                if self.header.get(key, value) != value:
                    raise BitlifError(f"{key} must not change from {self.header[key]} to {value}")
                self.header[key] = require_int(key, value, *RANGES[key])
        for key, wanted in self._wanted.items():
            require_same(self.name, key, wanted, self.header.get(key, wanted))

    def _begin(self) -> None:
        """Set the limits of times and addresses from the header; raise if it is incomplete."""
        if self._limits:
            return
        for key, wanted in self._wanted.items():
            if key not in self.header and not wanted:
                raise BitlifError(
                    f"{self.name} must begin with '# steps S units N windows W': {key} is missing "
                    f"and was not given otherwise"
                )
            self.header.setdefault(key, wanted)
        steps, windows = self.header["steps"], self.header.get("windows")
        require_total(self.name, steps, 1 if windows is None else windows)
        end = MOST_STEPS if windows is None else windows * steps
        self._limits = {"times": end - 1, "addresses": self.header["units"] - 1}


def header_of(comment: str) -> dict[str, int]:
    """Return the keys and numbers of a comment that is a header; nothing for other comments.

    Raises
    ------
    BitlifError
        If the comment resembles a header but is not valid.

    Examples
    --------
    >>> header_of(" steps=16, units: 6"), header_of(" made on 3 May")
    ({'steps': 16, 'units': 6}, {})
    """
    words = re.sub(r"[=:,;]", " ", comment).split()
    names, values = [word.lower() for word in words[::2]], words[1::2]
    pairs = len(names) == len(values) and all(map(_is_number, values))
    if not pairs or not any(map(_key_meant, names)):
        if LIKE_A_HEADER.search(comment):
            raise BitlifError(
                f"a header must have the form '# steps 16 units 6 windows 4', and other comments "
                f"must not resemble it, not {quoted(comment.strip())}"
            )
        return {}
    header: dict[str, int] = {}
    for name, digits in zip(names, values, strict=True):
        if name not in KEYS:
            meant = _key_meant(name)
            hint = f", did you mean '{meant}'?" if meant else ""
            raise BitlifError(
                f"a header must only have the keys {', '.join(KEYS)}, not {quoted(name)}{hint}"
            )
        if len(digits) > DIGITS:
            raise BitlifError(f"{name} must have at most {DIGITS} digits, not {shortened(digits)}")
        if header.setdefault(name, int(digits)) != int(digits):
            raise BitlifError(f"{name} must not change from {header[name]} to {int(digits)}")
    return header


def _key_meant(name: str) -> str:
    """Return the key that a word resembles, or an empty string.

    >>> _key_meant("n_steps"), _key_meant("unit"), _key_meant("trial")
    ('steps', 'units', '')
    """
    stem = name.removeprefix("n_").removeprefix("num_").rstrip("s")
    return f"{stem}s" if f"{stem}s" in KEYS else ""


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal()


def _pieces(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks of whole lines, each with its line feed."""
    if file.seek(0, 2) > MOST_BYTES:
        raise BitlifError(f"{name} must have at most {MOST_BYTES} bytes as text")
    encoding = other_encoding(_head(file))
    if encoding:
        raise BitlifError(f"{name} must be UTF-8 text, not {encoding}")
    rest = b""
    while piece := file.read(CHUNK):
        lines, found, rest = (rest + piece).rpartition(b"\n")
        if len(rest) > CHUNK:
            raise BitlifError(f"{name} must have lines of at most {CHUNK} bytes")
        if found:
            yield _plain_ends(name, lines + found)
    if rest:
        yield _plain_ends(name, rest + b"\n")


def _head(file: BinaryIO) -> bytes:
    """Return the first bytes, and move to the beginning of the text."""
    file.seek(0)
    head = file.read(4)
    file.seek(len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0)
    return head


def _plain_ends(name: str, lines: bytes) -> bytes:
    """Return lines with CR LF replaced by LF; raise if there is a CR alone."""
    if b"\r" in lines:
        lines = lines.replace(b"\r\n", b"\n")
        if b"\r" in lines:
            raise BitlifError(f"{name} must end its lines with LF or CR LF, not with CR alone")
    return lines


def _lines_of(path: str | Path, *events: int) -> list[int]:
    """Return the line numbers of events, which are counted from 0."""
    with open_regular("spikes", path) as file:
        _head(file)
        bodies = (line.partition(b"#")[0].strip(b" \t\r\n") for line in file)
        numbers = (number for number, body in enumerate(bodies, 1) if body)
        found = {event: number for event, number in enumerate(numbers) if event in events}
    return [found[event] for event in events]
