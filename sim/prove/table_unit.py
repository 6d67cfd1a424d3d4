"""The error table that a lane powers up with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from bitlif.hdl import forward
from bitlif.model.config.config import Config
from bitlif.model.derive import derive

from .finding import Finding
from .solver import PROVED, REFUTED, Answer
from .transition import Machine, contents
from .unit import used


class TableUnit:
    """The initial entries of the table, against `bitlif.model.table.error_table`."""

    name = "table"

    def __init__(self, config: Config) -> None:
        self._config = config
        self.bits = config.error.index_bits

    def component(self) -> Any:
        """Return the pipeline that has the table."""
        return used(forward, "ErrorPipe")(self._config)

    def findings(self, machine: Machine) -> Iterator[Finding]:
        """Yield whether all entries are those of the model."""
        start = time.perf_counter()
        bits = self._config.error.entry.bits
        held = contents(machine, "table")
        for index, (a, b) in enumerate(zip(*derive(self._config).table, strict=True)):
            if held.get(index) != b << bits | a:
                answer = Answer(REFUTED, time.perf_counter() - start, {"bin": index})
                text = f"A {a}, and B {b} above it"
                yield Finding(self.name, "entries", answer, held.get(index), b << bits | a, text)
                return
        yield Finding(self.name, "entries", Answer(PROVED, time.perf_counter() - start, {}))
