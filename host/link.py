"""The host's end of the UART bridge (docs/uart.md): one request at a time, until it is answered.

Needs only the standard library; opening a serial port also needs pyserial.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from bitlif.hdl.uart.protocol import LONGEST, STAY, Command, Status
from bitlif.model.errors import BitlifError, require_int

from .access_error import AccessError
from .frames import MAX_ITEM_BYTES, MAX_WORDS, Answer, Deframer, encode_frame, request

TIMEOUT, RETRIES = 0.5, 10
"""Seconds to wait for an answer, in addition to the transfer time; and number of retries."""

SEQUENCE_NUMBERS = 1 << 32
WORD_MAX = (1 << 32) - 1
EXECUTED = (Status.DONE, Status.STALLED, Status.REFUSED, Status.NO_REGISTER, Status.FULL)
EVENTS_ENDINGS = (Status.DONE, Status.STALLED, Status.FULL)
"""Statuses with which EVENTS can end."""


class Port(Protocol):
    """A serial connection to a board."""

    name: str
    baud: int

    def read(self) -> bytes:
        """Return the bytes received; wait a short time, about 50 ms, for the first."""

    def write(self, sent: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """Close the port."""


class LinkTimeoutError(BitlifError):
    """A board did not answer a request or any of its retries."""


class SessionLostError(BitlifError):
    """Another program opened the board, or the board was reset."""


class Link:
    """A session with a board: sends requests and repeats each until it is answered.

    Every request is executed exactly once, whatever the line loses, damages or repeats.

    Parameters
    ----------
    port : Port
    timeout : float
        Seconds to wait for an answer, in addition to the transfer time of the longest frames.
        Repeating a request to a board that is only slow does no harm.
    retries : int
        Number of times that a request is repeated before the link gives up.

    Attributes
    ----------
    sent, resent : int
        Frames sent, and how many of them were retries.
    bad_answers : int
        Damaged frames received.
    session_lost : bool
        Whether another program has opened the board since, or the board was reset.
    """

    def __init__(self, port: Port, *, timeout: float = TIMEOUT, retries: int = RETRIES) -> None:
        self._port, self._retries = port, retries
        # A byte takes ten bits on the line, and each byte may be escaped.
        self._patience = timeout + 2 * 10 * (2 * LONGEST + 2) / port.baud
        self._deframer = Deframer()
        self._number: int | None = None
        self._first = 0
        self._last: int | None = None
        self.session_lost = False
        self.sent = self.resent = self.bad_answers = 0

    @property
    def name(self) -> str:
        """Description of the board for messages."""
        return f"the board at {self._port.name} ({self._port.baud} baud)"

    @property
    def needs_open(self) -> bool:
        """Whether no session is open, or its last request is unanswered: call `open` first."""
        return self._number is None

    # -- requests ----------------------------------------------------------------------------

    def open(self) -> None:
        """Begin a session. Requests sent before can no longer have an effect.

        Raises
        ------
        LinkTimeoutError
            If the board does not answer.
        SessionLostError
            If the board was reset since this link's last session.
        """
        deadline = time.monotonic() + 2 * (1 + self._retries) * self._patience
        for tries in reversed(range(1 + self._retries)):
            self._number = None
            self._port.read()
            self._deframer = Deframer()
            number = self._transact(None, Command.OPEN, b"").number
            # Sequence numbers only increase, except after a reset of the board.
            if (
                self._last is not None
                and (number - self._last) % SEQUENCE_NUMBERS > SEQUENCE_NUMBERS // 2
            ):
                self.session_lost = True
                raise SessionLostError(f"{self.name} was reset: its weights and state are lost")
            self._number = self._first = number
            try:
                # With several OPENs sent, the answer received may not be that of the last one.
                self._ask(Command.READ, bytes(3))
            except SessionLostError:
                if not tries or time.monotonic() > deadline:
                    raise
            else:
                self.session_lost = False
                return

    def read(self, offset: int, count: int = 1, stay: bool = False) -> list[int]:
        """Read words from consecutive registers, or with `stay` repeatedly from one register.

        Parameters
        ----------
        offset : int
            Byte offset of the first register.
        count : int
            Number of words.
        stay : bool
            Whether to read all words from the same register.

        Raises
        ------
        AccessError
            If an access is refused. Words read before it are lost.
        LinkTimeoutError, SessionLostError
        """
        offset = require_int("offset", offset, 0, STAY - 1)
        words: list[int] = []
        while len(words) < count:
            at, part = _offset(offset, len(words), stay), min(count - len(words), MAX_WORDS)
            answer = self._ask(Command.READ, _address(at, stay) + bytes([part]))
            self._check_access(answer, False, at, part, stay)
            if len(answer.payload) != 4 * part:
                raise self._unexpected(answer)
            words += [
                int.from_bytes(answer.payload[k : k + 4], "little") for k in range(0, 4 * part, 4)
            ]
        return words

    def write(self, offset: int, words: Sequence[int], stay: bool = False) -> None:
        """Write words to consecutive registers, or with `stay` all to one register.

        Parameters
        ----------
        offset : int
            Byte offset of the first register.
        words : sequence of int
            Unsigned 32-bit words.
        stay : bool
            Whether to write all words to the same register.

        Raises
        ------
        AccessError
            If an access is refused. The words before it have been written.
        LinkTimeoutError, SessionLostError
        """
        offset = require_int("offset", offset, 0, STAY - 1)
        words = [require_int("word", word, 0, WORD_MAX) for word in words]
        for first in range(0, len(words), MAX_WORDS):
            at, part = _offset(offset, first, stay), words[first : first + MAX_WORDS]
            payload = b"".join(word.to_bytes(4, "little") for word in part)
            answer = self._ask(Command.WRITE, _address(at, stay) + payload)
            self._check_access(answer, True, at, len(part), stay)

    def exchange(self, items: bytes) -> tuple[Status, int, bytes]:
        """Send input items and receive output items.

        Parameters
        ----------
        items : bytes
            At most `MAX_ITEM_BYTES` bytes of whole input items.

        Returns
        -------
        status : Status
        consumed : int
            Number of input bytes that the core has taken.
        output : bytes
            Output items.

        Raises
        ------
        BitlifError
            If the items do not fit into a frame; nothing is sent.
        LinkTimeoutError, SessionLostError
        """
        require_int("bytes of items", len(items), 0, MAX_ITEM_BYTES)
        answer = self._ask(Command.EVENTS, items)
        if answer.status not in EVENTS_ENDINGS or answer.count > len(items):
            raise self._unexpected(answer)
        return Status(answer.status), answer.count, answer.payload

    def close(self) -> None:
        """Close the port."""
        self._port.close()

    # -- the exchange of frames --------------------------------------------------------------

    def _ask(self, command: Command, payload: bytes) -> Answer:
        """Send the next request of this session and return its answer."""
        if self._number is None:
            raise BitlifError(
                f"{self.name} did not answer its last request: open or reset it before the next one"
            )
        number = (self._number + 1) % SEQUENCE_NUMBERS
        # Until it is answered, it is unknown whether the request was executed.
        self._number, self._last = None, number
        answer = self._transact(number, command, payload)
        if answer.status == Status.UNKNOWN:
            raise BitlifError(
                f"{self.name} does not know the command {command.name}: its bitstream was built by "
                f"another version of bitlif"
            )
        self._number = number
        return answer

    def _transact(self, number: int | None, command: Command, payload: bytes) -> Answer:
        """Send a request and its retries until it is answered. OPEN has no number."""
        frame = encode_frame(request(number or 0, command, payload))
        outcomes: Counter[str] = Counter()
        began = time.monotonic()
        for repetition in range(1 + self._retries):
            self.sent += 1
            self.resent += repetition > 0
            self._port.write(frame)
            outcome = self._answer(number)
            if isinstance(outcome, Answer):
                return outcome
            outcomes[outcome] += 1
        failures = ", ".join(f"{count} times {outcome}" for outcome, count in outcomes.items())
        raise LinkTimeoutError(
            f"{self.name} did not answer: {command.name} was sent {1 + self._retries} times in "
            f"{time.monotonic() - began:.1f} s ({failures}): check the port, the bitstream and "
            f"its baud rate"
        )

    def _answer(self, number: int | None) -> Answer | str:
        """Wait for the answer to a request; return it, or the reason to send the request again."""
        deadline = time.monotonic() + self._patience
        late = False
        while not late:
            # Read the clock before the port: an answer that came in time counts even if read late.
            late = time.monotonic() > deadline
            outcome: Answer | str = ""
            for body in self._deframer.feed(self._port.read()):
                answer = None if body is None else Answer.parse(body)
                if answer is None:
                    self.bad_answers += 1
                    outcome = outcome or "answered by a damaged frame"
                elif self._matches(answer, number):
                    outcome = answer
                elif answer.status == Status.BAD_FRAME:
                    outcome = outcome or "received damaged"
            if outcome:
                return outcome
        return "without an answer"

    def _matches(self, answer: Answer, number: int | None) -> bool:
        """Return whether an answer belongs to the request with this number, not to an earlier one.

        Raises
        ------
        SessionLostError
            If the answer shows that this session is over.
        """
        if number is None:
            return answer.status == Status.OPENED
        before = (number - 1) % SEQUENCE_NUMBERS
        # An answer or request of this session that arrived late has a number of this session.
        from_session = (answer.number - self._first) % SEQUENCE_NUMBERS <= (
            number - self._first
        ) % SEQUENCE_NUMBERS
        if answer.status == Status.OUT_OF_ORDER and not from_session:
            self.session_lost = True
            raise SessionLostError(
                f"{self.name} no longer serves this program (its last request has number "
                f"{answer.number}, not {before}): another program opened it, or it was reset"
            )
        if answer.status == Status.UNKNOWN:
            return answer.number == before
        return answer.status in EXECUTED and answer.number == number

    def _check_access(self, answer: Answer, write: bool, at: int, count: int, stay: bool) -> None:
        if answer.status in (Status.REFUSED, Status.NO_REGISTER) and answer.count < count:
            raise AccessError(write, _offset(at, answer.count, stay), answer.status)
        if answer.status != Status.DONE or answer.count != count:
            raise self._unexpected(answer)

    def _unexpected(self, answer: Answer) -> BitlifError:
        return BitlifError(
            f"{self.name} sent an answer that violates its protocol (docs/uart.md): status "
            f"{answer.status}, count {answer.count} and {len(answer.payload)} bytes"
        )


def _offset(offset: int, count: int, stay: bool) -> int:
    """Return the byte offset of an access, given the number of accesses before it."""
    return offset if stay else offset + 4 * count


def _address(offset: int, stay: bool) -> bytes:
    return (offset | STAY if stay else offset).to_bytes(2, "little")
