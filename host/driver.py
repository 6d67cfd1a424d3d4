"""The host's side of the register map: what a program does with a core behind any bus."""

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
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.result import LayerState
from bitlif.model.text import shortened
from bitlif.model.window import COUNTERS

POLLS = 100_000
"""Reads of STATUS after which a core that is waited for is taken to be stuck."""


T = TypeVar("T")


def finished(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine of a driver returns whose bus never waits for a simulator."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise AssertionError("the bus must not suspend")


class Driver:
    """Loads, runs and reads back a core of `config` through two functions.

    Parameters
    ----------
    config : Config
        What the core was built from.
    read : async function of a byte offset, returns the word
    write : async function of a byte offset and a word
        Both raise `bitlif.host.access_error.AccessError` when the access is refused.
    learning : bool
        False: the core is for inference only.
    read_many : async function of a byte offset and a count, returns so many words
    write_many : async function of a byte offset and words
        The same for many accesses to one register, where a bus has something better than one by
        one, which they are without.
    polls : int
        Reads of STATUS after which a core that is waited for is taken to be stuck.
    patience : float
        Seconds after which it is, too.

    Examples
    --------
    ::

        driver = Driver(config, bus.read, bus.write)
        await driver.identify()
        await driver.reset()
        await driver.load_weights(weights)
        await driver.start(learn=True)      # then send events and targets, take events
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
        polls: int = POLLS,
        patience: float = math.inf,
    ) -> None:
        self.config, self.learning = config, learning
        self.elements = elements(config, learning=learning)
        self._read, self._write = read, write
        self._read_many = read_many or self._read_singly
        self._write_many = write_many or self._write_singly
        self._polls, self._patience = polls, patience
        self._loads = 0

    async def _read_singly(self, offset: int, count: int) -> list[int]:
        return [await self._read(offset) for _ in range(count)]

    async def _write_singly(self, offset: int, words: Sequence[int]) -> None:
        for word in words:
            await self._write(offset, word)

    async def get(self, name: str) -> int:
        """Return the word of the register of this name."""
        return await self._read(REGISTERS[name].offset)

    async def set(self, name: str, word: int) -> None:
        """Write the register of this name."""
        await self._write(REGISTERS[name].offset, word)

    async def status(self, name: str) -> bool:
        """Return a bit of STATUS."""
        return bool(await self.get("STATUS") & REGISTERS["STATUS"].field(name).mask)

    async def identify(self) -> None:
        """Raise unless there is a bitlif core of this very configuration.

        Raises
        ------
        BitlifError
            Naming what is there instead.
        """
        if (identity := await self.get("IDENTITY")) != IDENTITY:
            raise BitlifError(
                f"there must be a bitlif core: IDENTITY must be {IDENTITY:#010x}, "
                f"not {identity:#010x}"
            )
        version = await self.get("VERSION")
        if not MAJOR << 16 | MINOR <= version < MAJOR + 1 << 16:
            raise BitlifError(
                f"the core's register map must be version {MAJOR}.{MINOR} or a later {MAJOR}, "
                f"not {version >> 16}.{version & 0xFFFF}"
            )
        low, high = await self.get("CONFIG_HASH_LOW"), await self.get("CONFIG_HASH_HIGH")
        own, there = config_hash(self.config), f"{high << 32 | low:016x}"
        if there != own:
            raise BitlifError(
                f"the core must have been built from configuration {shortened(self.config.name)} "
                f"({own}), not from {there}"
            )
        has = bool(await self.get("VARIANT") & REGISTERS["VARIANT"].field("learning").mask)
        if has != self.learning:
            raise BitlifError(
                f"the core must be opened with learning={has}, as it was built, not with "
                f"learning={self.learning}"
            )
        for name, value in constants(self.config, learning=self.learning).items():
            if (found := await self.get(name)) != value and name != "VERSION":
                raise BitlifError(f"the core's {name} must be {value}, not {found}")

    async def control(self, *, run: bool, learn: bool = False, flush: bool = False,
                      reset: bool = False) -> None:  # fmt: skip
        """Write CONTROL."""
        bits = {"run": run, "learn": learn, "flush": flush, "reset": reset}
        register = REGISTERS["CONTROL"]
        await self.set("CONTROL", sum(register.field(n).mask for n, on in bits.items() if on))

    async def reset(self, *, flush: bool = False) -> None:
        """Start anew, and wait until memories are cleared; weights, table and schedule stay.

        With `flush`, what still comes in is thrown away until the next `start` or `stop`.
        """
        await self.control(run=False, flush=flush, reset=True)
        await self._wait("ready")

    async def start(self, *, learn: bool) -> None:
        """Let windows begin."""
        await self.control(run=True, learn=learn)

    async def stop(self) -> None:
        """Let no window begin, and wait until none is under way."""
        register = REGISTERS["CONTROL"]
        learn = bool(await self.get("CONTROL") & register.field("learn").mask)
        await self.control(run=False, learn=learn)
        await self._wait("idle")

    async def _wait(self, name: str) -> None:
        began, reads, late = time.monotonic(), 0, False
        while reads < self._polls and not late:
            # The clock before the read: what was so in time counts, however late it is looked at.
            late = time.monotonic() - began > self._patience
            if await self.status(name):
                return
            reads += 1
        raise BitlifError(
            f"the core must become {name}, and did not within {reads} reads of STATUS "
            f"in {time.monotonic() - began:.1f} s"
        )

    async def write_memory(self, name: str, values: list[int]) -> None:
        """Write all elements of a memory.

        Raises
        ------
        BitlifError
            If their number or one of them is not the memory's; nothing has been written then.
        """
        own = self.elements[name]
        if len(values) != own.count:
            raise BitlifError(f"{name} must have {own.count} elements, not {len(values)}")
        for number, value in enumerate(values):
            require_int(f"{name}[{number}]", value, own.low, own.high)
        await self.set("MEMORY", own.memory.number)
        words = [value & ((1 << WORD_BITS) - 1) for value in values]
        await self._write_many(REGISTERS["DATA"].offset, words)

    async def read_memory(self, name: str) -> list[int]:
        """Return all elements of a memory."""
        own = self.elements[name]
        await self.set("MEMORY", own.memory.number)
        if own.high >> WORD_BITS:
            return [
                await self.get("DATA") | await self.get("DATA_HIGH") << WORD_BITS
                for _ in range(own.count)
            ]
        words = await self._read_many(REGISTERS["DATA"].offset, own.count)
        top = 1 << (WORD_BITS - 1)
        return [word - 2 * top if own.low < 0 and word & top else word for word in words]

    @contextlib.asynccontextmanager
    async def loading(self) -> AsyncIterator[None]:
        """Hold LOAD at 1 while memories are written: a core that got half of it runs nothing.

        After an error LOAD stays 1. Of several, one within the other, the outermost counts.
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
        """Write all weights: (N, M) int, raw."""
        shape = (self.config.layer.inputs, self.config.layer.neurons)
        if weights.shape != shape:
            raise BitlifError(f"weights must have the shape {shape}, not {weights.shape}")
        async with self.loading():
            await self.write_memory("weights", [int(weight) for weight in weights.ravel()])

    async def load_table(self, config: Config) -> None:
        """Write the error table of `config`."""
        async with self.loading():
            for name, column in zip(("table_a", "table_b"), derive(config).table, strict=True):
                await self.write_memory(name, list(column))

    async def load_schedule(self, config: Config) -> None:
        """Write the schedule of `config`."""
        rows = phase_rows(self.config, config)
        async with self.loading():
            for name, field in SCHEDULE.items():
                if name in self.elements:
                    await self.write_memory(name, [row[field] for row in rows])

    async def load_config(self, config: Config) -> None:
        """Make the core one of `config`, by loading its error table and schedule.

        Raises
        ------
        BitlifError
            If that does not suffice: nothing has been loaded then.
        """
        require_loadable(self.config, config)
        async with self.loading():
            if self.learning:
                await self.load_table(config)
            await self.load_schedule(config)

    async def read_weights(self) -> NDArray[np.int64]:
        """Return all weights: (N, M), raw."""
        values = np.array(await self.read_memory("weights"), np.int64)
        return values.reshape(self.config.layer.inputs, self.config.layer.neurons)

    async def read_state(self) -> LayerState:
        """Return what the core carries to the next window; without learning, no traces."""
        sizes = self.config.layer
        found = {
            name: await self.read_memory(name) if name in self.elements else [0] * count
            for name, count in {
                "current": sizes.neurons,
                "membrane": sizes.neurons,
                "trace_current": sizes.inputs,
                "trace": sizes.inputs,
                "noise_lfsr": 0,
                "update_lfsr": 0,
            }.items()
        }
        return LayerState(
            current=np.array(found["current"], np.int64),
            membrane=np.array(found["membrane"], np.int64),
            trace_current=np.array(found["trace_current"], np.int64),
            trace=np.array(found["trace"], np.int64),
            noise_lfsr=tuple(found["noise_lfsr"]),
            update_lfsr=tuple(found["update_lfsr"]),
            phase=await self.get("PHASE"),
        )

    async def read_counters(self) -> dict[str, int]:
        """Return the counters since the reset, by name.

        One of `bitlif.hdl.bus.registers.COUNTER_STOPPED` has stopped, and may have counted more.
        """
        return {
            name: await self.get(name.upper()) for name in COUNTERS if name.upper() in REGISTERS
        }
