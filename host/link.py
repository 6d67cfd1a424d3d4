"""The host's end of the UART bridge: one request, its answer, the next one (docs/uart.md).

Standard library and pyserial only, and that only to open a port: it runs where nothing else does.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from bitlif.hdl.uart.protocol import LONGEST, STAY, Command, Status
from bitlif.model.errors import BitlifError, require_int

from .access_error import AccessError
from .frames import MOST_ITEMS, MOST_WORDS, Answer, Deframer, enframe, request

TIMEOUT, RETRIES = 0.5, 10
"""Seconds after which a request is sent again, besides the line's own time, and how often."""

NUMBERS = 1 << 32
WORD = (1 << 32) - 1
CARRIED_OUT = (Status.DONE, Status.STALLED, Status.REFUSED, Status.NO_REGISTER, Status.FULL)
MOVED = (Status.DONE, Status.STALLED, Status.FULL)
"""How EVENTS can end."""


class Port(Protocol):
    """Bytes to and from a board."""

    name: str
    baud: int

    def read(self) -> bytes:
        """Return what has come, as soon as anything has; nothing after a twentieth of a second."""

    def write(self, sent: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """Give the port back."""


class LinkTimeoutError(BitlifError):
    """A board has not answered, however often it was asked."""


class TakenError(BitlifError):
    """Another host has opened the board, or the board has been started anew."""


class Link:
    """Asks a board, until each request has its answer.

    Parameters
    ----------
    port : Port
    timeout : float
        Seconds to wait for an answer, besides what the longest frames take on the line. A board
        that is only slow is asked again, which does no harm.
    retries : int
        How often a request is sent again before the link gives up.

    Attributes
    ----------
    sent, resent : int
        Frames sent, and how many of them were repetitions.
    bad_answers : int
        Damaged frames that came.
    taken : bool
        Another host has opened the board since, or the board has been started anew.
    """

    def __init__(self, port: Port, *, timeout: float = TIMEOUT, retries: int = RETRIES) -> None:
        self._port, self._retries = port, retries
        # Ten bits a byte; each byte may be escaped.
        self._patience = timeout + 2 * 10 * (2 * LONGEST + 2) / port.baud
        self._deframer = Deframer()
        self._number: int | None = None
        self._first = 0
        self._last: int | None = None
        self.taken = False
        self.sent = self.resent = self.bad_answers = 0

    @property
    def name(self) -> str:
        """What to call the board by."""
        return f"the board at {self._port.name} ({self._port.baud} baud)"

    @property
    def in_doubt(self) -> bool:
        """Whether there is no session, or a request of it without an answer: `open` begins one."""
        return self._number is None

    # -- what can be asked -------------------------------------------------------------------

    def open(self) -> None:
        """Begin a session: nothing that was sent before can have an effect any more.

        Raises
        ------
        LinkTimeoutError
            If nobody answers.
        TakenError
            If the board has been started anew since this link's last session.
        """
        deadline = time.monotonic() + 2 * (1 + self._retries) * self._patience
        for tries in reversed(range(1 + self._retries)):
            self._number = None
            self._port.read()
            self._deframer = Deframer()
            number = self._converse(None, Command.OPEN, b"").number
            # Numbers only rise, but for a board that begins with the first one.
            if self._last is not None and (number - self._last) % NUMBERS > NUMBERS // 2:
                self.taken = True
                raise TakenError(f"{self.name} has been started anew: what it held is lost")
            self._number = self._first = number
            try:
                # Of several OPENs that were sent, the first answer may not be of the last one.
                self._ask(Command.READ, bytes(3))
            except TakenError:
                if not tries or time.monotonic() > deadline:
                    raise
            else:
                self.taken = False
                return

    def read(self, offset: int, count: int = 1, stay: bool = False) -> list[int]:
        """Return words of registers from a byte offset on; `stay`: all of the same register.

        Raises
        ------
        AccessError
            If one is refused. What was read before it is lost.
        LinkTimeoutError, TakenError
        """
        offset = require_int("offset", offset, 0, STAY - 1)
        words: list[int] = []
        while len(words) < count:
            at, part = _place(offset, len(words), stay), min(count - len(words), MOST_WORDS)
            answer = self._ask(Command.READ, _address(at, stay) + bytes([part]))
            self._check_access(answer, False, at, part, stay)
            if len(answer.payload) != 4 * part:
                raise self._strange(answer)
            words += [
                int.from_bytes(answer.payload[k : k + 4], "little") for k in range(0, 4 * part, 4)
            ]
        return words

    def write(self, offset: int, words: Sequence[int], stay: bool = False) -> None:
        """Write words to registers from a byte offset on; `stay`: all to the same register.

        Raises
        ------
        AccessError
            If one is refused: the words before it have been written.
        LinkTimeoutError, TakenError
        """
        offset = require_int("offset", offset, 0, STAY - 1)
        words = [require_int("word", word, 0, WORD) for word in words]
        for first in range(0, len(words), MOST_WORDS):
            at, part = _place(offset, first, stay), words[first : first + MOST_WORDS]
            payload = b"".join(word.to_bytes(4, "little") for word in part)
            answer = self._ask(Command.WRITE, _address(at, stay) + payload)
            self._check_access(answer, True, at, len(part), stay)

    def exchange(self, items: bytes) -> tuple[Status, int, bytes]:
        """Send input items; return how that ended, the bytes consumed, and output items.

        Raises
        ------
        BitlifError
            If the items do not fit a frame; nothing has been sent then.
        LinkTimeoutError, TakenError
        """
        require_int("bytes of items", len(items), 0, MOST_ITEMS)
        answer = self._ask(Command.EVENTS, items)
        if answer.status not in MOVED or answer.count > len(items):
            raise self._strange(answer)
        return Status(answer.status), answer.count, answer.payload

    def close(self) -> None:
        """Give the port back."""
        self._port.close()

    # -- how ---------------------------------------------------------------------------------

    def _ask(self, command: Command, payload: bytes) -> Answer:
        """Return the answer to the next request of this session."""
        if self._number is None:
            raise BitlifError(
                f"{self.name} must be opened or reset first: its last request has no answer"
            )
        number = (self._number + 1) % NUMBERS
        # Without an answer nobody knows whether this number was carried out.
        self._number, self._last = None, number
        answer = self._converse(number, command, payload)
        if answer.status == Status.UNKNOWN:
            raise BitlifError(
                f"{self.name} must know the command {command.name}, and does not: its bridge is "
                f"of another version"
            )
        self._number = number
        return answer

    def _converse(self, number: int | None, command: Command, payload: bytes) -> Answer:
        """Send a request until it is answered; without a number, it is OPEN."""
        frame = enframe(request(number or 0, command, payload))
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
        told = ", ".join(f"{count} times {outcome}" for outcome, count in outcomes.items())
        raise LinkTimeoutError(
            f"{self.name} must answer, and did not: {command.name} was sent "
            f"{1 + self._retries} times in {time.monotonic() - began:.1f} s ({told}): look whether "
            f"the port, the bitstream and its baud rate are these"
        )

    def _answer(self, number: int | None) -> Answer | str:
        """Wait for the answer to a request; return it, or why to send the request again."""
        deadline = time.monotonic() + self._patience
        late = False
        while not late:
            # The clock before the port: what came in time counts, however late it is looked at.
            late = time.monotonic() > deadline
            outcome: Answer | str = ""
            for body in self._deframer.feed(self._port.read()):
                answer = None if body is None else Answer.parse(body)
                if answer is None:
                    self.bad_answers += 1
                    outcome = outcome or "answered by a damaged frame"
                elif self._is_own(answer, number):
                    outcome = answer
                elif answer.status == Status.BAD_FRAME:
                    outcome = outcome or "received damaged"
            if outcome:
                return outcome
        return "without an answer"

    def _is_own(self, answer: Answer, number: int | None) -> bool:
        """Return whether an answer is to the request of this number, not to an earlier one.

        Raises
        ------
        TakenError
            If it says that this session is over.
        """
        if number is None:
            return answer.status == Status.OPENED
        before = (number - 1) % NUMBERS
        # A number of this session is that of an answer, or of a request, that came late.
        own = (answer.number - self._first) % NUMBERS <= (number - self._first) % NUMBERS
        if answer.status == Status.OUT_OF_ORDER and not own:
            self.taken = True
            raise TakenError(
                f"{self.name} no longer serves this program (its last request is number "
                f"{answer.number}, not {before}): another program has opened it, or it has been "
                f"started anew"
            )
        if answer.status == Status.UNKNOWN:
            return answer.number == before
        return answer.status in CARRIED_OUT and answer.number == number

    def _check_access(self, answer: Answer, write: bool, at: int, count: int, stay: bool) -> None:
        if answer.status in (Status.REFUSED, Status.NO_REGISTER) and answer.count < count:
            raise AccessError(write, _place(at, answer.count, stay), answer.status)
        if answer.status != Status.DONE or answer.count != count:
            raise self._strange(answer)

    def _strange(self, answer: Answer) -> BitlifError:
        return BitlifError(
            f"{self.name} must answer as docs/uart.md says, not with status {answer.status}, "
            f"count {answer.count} and {len(answer.payload)} bytes"
        )


def _place(offset: int, count: int, stay: bool) -> int:
    """Return where the access after so many is."""
    return offset if stay else offset + 4 * count


def _address(offset: int, stay: bool) -> bytes:
    return (offset | STAY if stay else offset).to_bytes(2, "little")
