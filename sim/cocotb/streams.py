"""The host's ends of a core's streams under cocotb: driven on falling edges, read after them.

A clock goes in three calls for each end: ``plan`` before the falling edge, ``drive`` on it for
those that change, ``look`` once all has settled. Writes are immediate: at a falling edge nothing
else moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cocotb.handle import Immediate

Chance = Callable[[], bool]
"""Asked once a clock: whether to hesitate in it."""


class Source:
    """The sending end of a stream of the core."""

    def __init__(self, dut: Any, name: str, payloads: Iterator[int], hesitates: Chance) -> None:
        self.payload, self.valid, self.ready = (
            getattr(dut, f"{name}__{end}") for end in ("payload", "valid", "ready")
        )
        self.payloads, self.hesitates = payloads, hesitates
        self.next: int | None = next(payloads, None)
        self.offers = self.was_up = False
        self.given = 0

    def plan(self) -> bool:
        """Choose what stands in the clock to come; return whether that is a change."""
        if self.offers:
            return False
        self.offers = self.next is not None and not self.hesitates()
        return self.offers or self.was_up

    def drive(self) -> None:
        """Put it there."""
        if self.offers and self.next is not None:
            self.payload.value = Immediate(self.next)
        if self.offers != self.was_up:
            self.valid.value = Immediate(int(self.offers))
            self.was_up = self.offers

    def look(self) -> None:
        """See whether the core takes it with the clock that stands."""
        if self.offers and self.ready.value:
            self.offers = False
            self.given += 1
            self.next = next(self.payloads, None)


class Sink:
    """The taking end of a stream of the core."""

    def __init__(self, dut: Any, name: str, take: Callable[[int], bool], hesitates: Chance) -> None:
        self.payload, self.valid, self.ready = (
            getattr(dut, f"{name}__{end}") for end in ("payload", "valid", "ready")
        )
        self.take, self.hesitates = take, hesitates
        self.wants = True
        self.takes = self.was_up = False

    def plan(self) -> bool:
        """Choose what stands in the clock to come; return whether that is a change."""
        if not self.takes:
            self.takes = self.wants and not self.hesitates()
        return self.takes != self.was_up

    def drive(self) -> None:
        """Put it there."""
        if self.takes != self.was_up:
            self.ready.value = Immediate(int(self.takes))
            self.was_up = self.takes

    def look(self) -> None:
        """Take what comes with the clock that stands."""
        if self.takes and self.valid.value:
            self.takes = False
            self.wants = self.take(int(self.payload.value))
