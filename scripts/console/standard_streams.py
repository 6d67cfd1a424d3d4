"""Standard output and standard error that never raise in the middle of a command."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

PLAIN = str.maketrans({"±": "+-", "×": "x", "–": "-", "−": "-", "…": "...", "·": "."})
"""Replacements for characters of our messages that an encoding lacks."""


class GuardedStream(io.TextIOBase):
    """A text stream that stores its first error instead of raising it.

    A command writes its files first and prints afterwards, so an error of the terminal must not
    abort it. After an error nothing more is written, and `main` reads `error`. Characters that the
    encoding lacks are written as escapes.

    Attributes
    ----------
    error : OSError or None
        The first error. It is set from the start if the stream is closed.
    """

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream
        self.error: OSError | None = None
        if stream is None:
            self.error = OSError(errno.EBADF, os.strerror(errno.EBADF))

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Name of the encoding."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write `text`, unless an earlier write failed."""
        if self._stream is not None and self.error is None:
            try:
                self._stream.write(encodable(text, self.encoding))
            except OSError as error:
                self.error = error
        return len(text)

    def flush(self) -> None:
        """Write buffered text."""
        if self._stream is not None and self.error is None:
            try:
                self._stream.flush()
            except OSError as error:
                self.error = error

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        # Libraries that replace the streams at exit ask after a test has closed its own.
        stream = self._stream
        return stream is not None and not getattr(stream, "closed", False) and stream.isatty()

    def fileno(self) -> int:
        """Return the file descriptor."""
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def writable(self) -> bool:
        """Return True."""
        return True

    def __getattr__(self, name: str) -> Any:
        if self._stream is None:
            raise AttributeError(name)
        return getattr(self._stream, name)

    def give_up(self) -> None:
        """Redirect the stream to the null device, so that Python's flush at exit succeeds."""
        if self._stream is None:
            return
        # Streams in tests and notebooks have no descriptor.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def encodable(text: str, encoding: str) -> str:
    r"""Return `text` with characters that an encoding lacks replaced, if necessary by escapes.

    >>> encodable("±1 ü", "ascii"), encodable("±1 ü", "utf-8")
    ('+-1 \\xfc', '±1 ü')
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = "".join(_plain(letter, encoding) for letter in text)
        return plain.encode(encoding, "backslashreplace").decode(encoding)
    return text


def _plain(letter: str, encoding: str) -> str:
    if ord(letter) not in PLAIN:
        return letter
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return letter.translate(PLAIN)
    return letter


@contextlib.contextmanager
def guarded_streams() -> Iterator[GuardedStream]:
    """Replace `sys.stdout` and `sys.stderr` by guarded streams; yield that of standard output."""
    _open_standard_descriptors()
    before = sys.stdout, sys.stderr
    out, err = GuardedStream(sys.stdout), GuardedStream(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        for stream in (out, err):
            if stream.error is not None:
                stream.give_up()
        sys.stdout, sys.stderr = before


def _open_standard_descriptors() -> None:
    """Open descriptors 0, 1 and 2 if they are closed.

    Otherwise an output file could get one of these numbers, and every program that is started
    would print into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
