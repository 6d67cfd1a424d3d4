"""What drivers of layers and of networks share: access to registers and memories over any bus."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from bitlif.hdl.bus.register_map import register_map
from bitlif.hdl.bus.registers import MAJOR, MINOR, WORD_BITS, Elements
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, any_hash
from bitlif.model.errors import BitlifError, require_int
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


class RegisterDriver:
    """Accesses the registers and memories of a core through functions of its bus.

    Parameters
    ----------
    config : Config or NetworkConfig
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

    Attributes
    ----------
    elements : mapping of str to Elements
        The memories that can be accessed: in a network, those of the selected layer.
    """

    version = (MAJOR, MINOR)

    def __init__(
        self,
        config: Config | NetworkConfig,
        read: Callable[[int], Awaitable[int]],
        write: Callable[[int, int], Awaitable[None]],
        *,
        learning: bool = True,
        read_many: Callable[[int, int], Awaitable[list[int]]] | None = None,
        write_many: Callable[[int, Sequence[int]], Awaitable[None]] | None = None,
        max_polls: int = MAX_POLLS,
        timeout: float = math.inf,
    ) -> None:
        self.learning, self._built = learning, config
        self.map = register_map(config, learning=learning)
        self.elements: Mapping[str, Elements] = self.map.places[0].elements
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
        return await self._read(self.map.registers[name].offset)

    async def set(self, name: str, word: int) -> None:
        """Write a register by its name."""
        await self._write(self.map.registers[name].offset, word)

    async def status(self, name: str) -> bool:
        """Read one bit of STATUS by its name."""
        return bool(await self.get("STATUS") & self.map.registers["STATUS"].field(name).mask)

    async def identify(self) -> None:
        """Check that the core was built from this configuration.

        Raises
        ------
        BitlifError
            If it was not, or if it is not a bitlif core. The message says what was found.
        """
        own, expected = self.map.constants["IDENTITY"], any_hash(self._built)
        if (identity := await self.get("IDENTITY")) != own:
            raise BitlifError(
                f"no bitlif core was found: IDENTITY must be {own:#010x}, not {identity:#010x}"
            )
        version, (major, minor) = await self.get("VERSION"), self.version
        if not major << 16 | minor <= version < major + 1 << 16:
            raise BitlifError(
                f"the core's register map must be version {major}.{minor} or a later {major}, "
                f"not {version >> 16}.{version & 0xFFFF}"
            )
        low, high = await self.get("CONFIG_HASH_LOW"), await self.get("CONFIG_HASH_HIGH")
        found_hash = f"{high << 32 | low:016x}"
        if found_hash != expected:
            raise BitlifError(
                f"the core must have been built from configuration {shortened(self._built.name)} "
                f"({expected}), not from {found_hash}"
            )
        field = self.map.registers["VARIANT"].field("learning")
        learning = bool(await self.get("VARIANT") & field.mask)
        if learning != self.learning:
            raise BitlifError(
                f"the core was built with learning={learning}: open it with that, not with "
                f"learning={self.learning}"
            )
        await self._check_constants(self.map.constants)

    async def _check_constants(self, fixed: Mapping[str, int]) -> None:
        """Check registers that never change; VERSION may be a later one."""
        for name, value in fixed.items():
            if (found := await self.get(name)) != value and name != "VERSION":
                raise BitlifError(f"the core's {name} must be {value}, not {found}")

    async def control(self, *, run: bool, learn: bool = False, flush: bool = False,
                      reset: bool = False) -> None:  # fmt: skip
        """Write CONTROL, with the named bits set."""
        bits = {"run": run, "learn": learn, "flush": flush, "reset": reset}
        register = self.map.registers["CONTROL"]
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
        register = self.map.registers["CONTROL"]
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
        await self._write_many(self.map.registers["DATA"].offset, words)

    async def read_memory(self, name: str) -> list[int]:
        """Read all elements of a memory."""
        memory = self.elements[name]
        await self.set("MEMORY", memory.memory.number)
        if memory.high >> WORD_BITS:
            return [
                await self.get("DATA") | await self.get("DATA_HIGH") << WORD_BITS
                for _ in range(memory.count)
            ]
        words = await self._read_many(self.map.registers["DATA"].offset, memory.count)
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
