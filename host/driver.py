"""A driver for the register map: loads, runs and reads back a core over any bus."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.bus.registers import (
    IDENTITY,
    MAJOR,
    MINOR,
    REGISTERS,
    SCHEDULE,
    WORD_BITS,
    constants,
    elements,
)
from bitlif.hdl.loadable import phase_rows, require_loadable
from bitlif.model.config.config import Config
from bitlif.model.config.toml import config_hash
from bitlif.model.counters import COUNTERS
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.result import LayerState
from bitlif.model.state import state_variables
from bitlif.model.text import shortened

MAX_POLLS = 100_000
"""Default number of reads of STATUS before a wait fails."""


T = TypeVar("T")


def run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a driver coroutine whose bus functions never suspend, and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise AssertionError("the bus must not suspend")


class Driver:
    """Loads, runs and reads back a core through functions that access its registers.

    Parameters
    ----------
    config : Config
        The configuration that the core was built from.
    read : async callable (offset) -> int
        Reads the word at a byte offset.
    write : async callable (offset, word) -> None
        Writes a word. Both raise `bitlif.host.access_error.AccessError` if the access is refused.
    learning : bool
        Whether the core was built with learning.
    read_many : async callable (offset, count) -> list of int, optional
    write_many : async callable (offset, words) -> None, optional
        Many accesses to one register, for buses that do this faster than one by one.
    max_polls : int
        Number of reads of STATUS before a wait fails.
    timeout : float
        Seconds before a wait fails.

    Examples
    --------
    ::

        driver = Driver(config, bus.read, bus.write)
        await driver.identify()
        await driver.reset()
        await driver.load_weights(weights)
        await driver.start(learn=True)      # then send events and targets, and receive events
        await driver.stop()
        weights = await driver.read_weights()
    """

    def __init__(
        self,
        config: Config,
        read: Callable[[int], Awaitable[int]],
        write: Callable[[int, int], Awaitable[None]],
        *,
        learning: bool = True,
        read_many: Callable[[int, int], Awaitable[list[int]]] | None = None,
        write_many: Callable[[int, Sequence[int]], Awaitable[None]] | None = None,
        max_polls: int = MAX_POLLS,
        timeout: float = math.inf,
    ) -> None:
        self.config, self.learning = config, learning
        self.elements = elements(config, learning=learning)
        self._read, self._write = read, write
        self._read_many = read_many or self._read_singly
        self._write_many = write_many or self._write_singly
        self._max_polls, self._timeout = max_polls, timeout
        self._loads = 0

    async def _read_singly(self, offset: int, count: int) -> list[int]:
        return [await self._read(offset) for _ in range(count)]

    async def _write_singly(self, offset: int, words: Sequence[int]) -> None:
        for word in words:
            await self._write(offset, word)

    async def get(self, name: str) -> int:
        """Read a register by its name."""
        return await self._read(REGISTERS[name].offset)

    async def set(self, name: str, word: int) -> None:
        """Write a register by its name."""
        await self._write(REGISTERS[name].offset, word)

    async def status(self, name: str) -> bool:
        """Read one bit of STATUS by its name."""
        return bool(await self.get("STATUS") & REGISTERS["STATUS"].field(name).mask)

    async def identify(self) -> None:
        """Check that the core was built from this configuration.

        Raises
        ------
        BitlifError
            If it was not, or if it is not a bitlif core. The message says what was found.
        """
        if (identity := await self.get("IDENTITY")) != IDENTITY:
            raise BitlifError(
                f"no bitlif core was found: IDENTITY must be {IDENTITY:#010x}, not {identity:#010x}"
            )
        version = await self.get("VERSION")
        if not MAJOR << 16 | MINOR <= version < MAJOR + 1 << 16:
            raise BitlifError(
                f"the core's register map must be version {MAJOR}.{MINOR} or a later {MAJOR}, "
                f"not {version >> 16}.{version & 0xFFFF}"
            )
        low, high = await self.get("CONFIG_HASH_LOW"), await self.get("CONFIG_HASH_HIGH")
        expected, found_hash = config_hash(self.config), f"{high << 32 | low:016x}"
        if found_hash != expected:
            raise BitlifError(
                f"the core must have been built from configuration {shortened(self.config.name)} "
                f"({expected}), not from {found_hash}"
            )
        learning = bool(await self.get("VARIANT") & REGISTERS["VARIANT"].field("learning").mask)
        if learning != self.learning:
            raise BitlifError(
                f"the core was built with learning={learning}: open it with that, not with "
                f"learning={self.learning}"
            )
        for name, value in constants(self.config, learning=self.learning).items():
            if (found := await self.get(name)) != value and name != "VERSION":
                raise BitlifError(f"the core's {name} must be {value}, not {found}")

    async def control(self, *, run: bool, learn: bool = False, flush: bool = False,
                      reset: bool = False) -> None:  # fmt: skip
        """Write CONTROL, with the named bits set."""
        bits = {"run": run, "learn": learn, "flush": flush, "reset": reset}
        register = REGISTERS["CONTROL"]
        await self.set("CONTROL", sum(register.field(n).mask for n, on in bits.items() if on))

    async def reset(self, *, flush: bool = False) -> None:
        """Reset the core and wait until its memories are cleared.

        Weights, error table and schedule are kept.

        Parameters
        ----------
        flush : bool
            Discard input until the next `start` or `stop`.
        """
        await self.control(run=False, flush=flush, reset=True)
        await self._wait("ready")

    async def start(self, *, learn: bool) -> None:
        """Allow windows to begin, with or without learning."""
        await self.control(run=True, learn=learn)

    async def stop(self) -> None:
        """Allow no further window to begin, and wait for the current one to end."""
        register = REGISTERS["CONTROL"]
        learn = bool(await self.get("CONTROL") & register.field("learn").mask)
        await self.control(run=False, learn=learn)
        await self._wait("idle")

    async def _wait(self, name: str) -> None:
        began, reads, late = time.monotonic(), 0, False
        while reads < self._max_polls and not late:
            # Read the clock before STATUS: a core that was ready in time counts even if read late.
            late = time.monotonic() - began > self._timeout
            if await self.status(name):
                return
            reads += 1
        raise BitlifError(
            f"the core did not become {name} within {reads} reads of STATUS in "
            f"{time.monotonic() - began:.1f} s"
        )

    async def write_memory(self, name: str, values: list[int]) -> None:
        """Write all elements of a memory.

        Raises
        ------
        BitlifError
            If the number of values is wrong or a value is out of range. Nothing is written then.
        """
        memory = self.elements[name]
        if len(values) != memory.count:
            raise BitlifError(f"{name} must have {memory.count} elements, not {len(values)}")
        for number, value in enumerate(values):
            require_int(f"{name}[{number}]", value, memory.low, memory.high)
        await self.set("MEMORY", memory.memory.number)
        words = [value & ((1 << WORD_BITS) - 1) for value in values]
        await self._write_many(REGISTERS["DATA"].offset, words)

    async def read_memory(self, name: str) -> list[int]:
        """Read all elements of a memory."""
        memory = self.elements[name]
        await self.set("MEMORY", memory.memory.number)
        if memory.high >> WORD_BITS:
            return [
                await self.get("DATA") | await self.get("DATA_HIGH") << WORD_BITS
                for _ in range(memory.count)
            ]
        words = await self._read_many(REGISTERS["DATA"].offset, memory.count)
        top = 1 << (WORD_BITS - 1)
        return [word - 2 * top if memory.low < 0 and word & top else word for word in words]

    @contextlib.asynccontextmanager
    async def loading(self) -> AsyncIterator[None]:
        """Hold LOAD at 1 while memories are written, so that a half-loaded core does not run.

        LOAD stays 1 after an error. If nested, only the outermost context writes LOAD.
        """
        if not self._loads:
            await self.set("LOAD", 1)
        self._loads += 1
        try:
            yield
        finally:
            self._loads -= 1
        if not self._loads:
            await self.set("LOAD", 0)

    async def load_weights(self, weights: NDArray[Any]) -> None:
        """Write all weights, an (N, M) array of raw integers."""
        shape = (self.config.layer.inputs, self.config.layer.neurons)
        if weights.shape != shape:
            raise BitlifError(f"weights must have the shape {shape}, not {weights.shape}")
        async with self.loading():
            await self.write_memory("weights", [int(weight) for weight in weights.ravel()])

    async def load_table(self, config: Config) -> None:
        """Write the error table derived from `config`."""
        async with self.loading():
            for name, column in zip(("table_a", "table_b"), derive(config).table, strict=True):
                await self.write_memory(name, list(column))

    async def load_schedule(self, config: Config) -> None:
        """Write the schedule derived from `config`."""
        rows = phase_rows(self.config, config)
        async with self.loading():
            for name, field in SCHEDULE.items():
                if name in self.elements:
                    await self.write_memory(name, [row[field] for row in rows])

    async def load_config(self, config: Config) -> None:
        """Reconfigure the core for `config` by loading its error table and schedule.

        Raises
        ------
        BitlifError
            If the configurations differ in more than that. Nothing is loaded then.
        """
        require_loadable(self.config, config)
        async with self.loading():
            if self.learning:
                await self.load_table(config)
            await self.load_schedule(config)

    async def read_weights(self) -> NDArray[np.int64]:
        """Read all weights, an (N, M) array of raw int64."""
        values = np.array(await self.read_memory("weights"), np.int64)
        return values.reshape(self.config.layer.inputs, self.config.layer.neurons)

    async def read_state(self) -> LayerState:
        """Read the state that the core carries to its next window.

        Traces are zero for a core without learning.
        """
        variables = state_variables("neuron", "input")
        counts = {variable.name: variable.count(self.config) for variable in variables}
        found = {
            name: await self.read_memory(name) if name in self.elements else [0] * count
            for name, count in (*counts.items(), ("noise_lfsr", 0), ("update_lfsr", 0))
        }
        return LayerState(
            **{name: np.array(found[name], np.int64) for name in counts},
            noise_lfsr=tuple(found["noise_lfsr"]),
            update_lfsr=tuple(found["update_lfsr"]),
            phase=await self.get("PHASE"),
        )

    async def read_counters(self) -> dict[str, int]:
        """Read the counters since the reset, by name.

        A counter at `bitlif.hdl.bus.registers.COUNTER_STOPPED` has saturated.
        """
        return {
            name: await self.get(name.upper()) for name in COUNTERS if name.upper() in REGISTERS
        }
