"""The host's ends of a core's streams under cocotb: driven on falling edges, read after them.

Each end has three calls per clock cycle: ``plan`` before the falling edge, ``drive`` at the edge if
its outputs change, and ``look`` after all signals have settled. Writes take effect immediately,
since nothing else changes at a falling edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cocotb.handle import Immediate

StallSource = Callable[[], bool]
"""Called once per clock cycle: whether to stall in it."""


class UndefinedValue(Exception):
    """A signal that was read has undefined bits (X or Z)."""


def integer(handle: Any) -> int:
    """Return the value of a signal as an unsigned integer.

    Raises
    ------
    UndefinedValue
        If bits of it are undefined. The message names the signal.
    """
    try:
        return int(handle.value)
    except ValueError as error:
        raise UndefinedValue(handle._path) from error


class Source:
    """The sending end of a stream of the core."""

    def __init__(self, dut: Any, name: str, payloads: Iterator[int], stalls: StallSource) -> None:
        self.payload, self.valid, self.ready = (
            getattr(dut, f"{name}__{end}") for end in ("payload", "valid", "ready")
        )
        self.payloads, self.stalls = payloads, stalls
        self.next: int | None = next(payloads, None)
        self.offers = self.was_up = False
        self.given = 0

    def plan(self) -> bool:
        """Choose the outputs of the next clock cycle; return whether they change."""
        if self.offers:
            return False
        self.offers = self.next is not None and not self.stalls()
        return self.offers or self.was_up

    def drive(self) -> None:
        """Apply the chosen outputs."""
        if self.offers and self.next is not None:
            self.payload.value = Immediate(self.next)
        if self.offers != self.was_up:
            self.valid.value = Immediate(int(self.offers))
            self.was_up = self.offers

    def look(self) -> None:
        """Check whether the core accepts the payload in this clock cycle."""
        if self.offers and integer(self.ready):
            self.offers = False
            self.given += 1
            self.next = next(self.payloads, None)


class Sink:
    """The receiving end of a stream of the core."""

    def __init__(
        self, dut: Any, name: str, take: Callable[[int], bool], stalls: StallSource
    ) -> None:
        self.payload, self.valid, self.ready = (
            getattr(dut, f"{name}__{end}") for end in ("payload", "valid", "ready")
        )
        self.take, self.stalls = take, stalls
        self.wants = True
        self.takes = self.was_up = False

    def plan(self) -> bool:
        """Choose the outputs of the next clock cycle; return whether they change."""
        if not self.takes:
            self.takes = self.wants and not self.stalls()
        return self.takes != self.was_up

    def drive(self) -> None:
        """Apply the chosen outputs."""
        if self.takes != self.was_up:
            self.ready.value = Immediate(int(self.takes))
            self.was_up = self.takes

    def look(self) -> None:
        """Accept the payload of this clock cycle, if any."""
        if self.takes and integer(self.valid):
            self.takes = False
            self.wants = self.take(integer(self.payload))
