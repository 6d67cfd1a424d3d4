"""All accesses that a core with a bus must refuse, derived from the register map."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from cocotbext.axi.axil_channels import (
    AxiLiteARTransaction,
    AxiLiteAWTransaction,
    AxiLiteWTransaction,
)

from bitlif.hdl.bus.registers import ADDRESS_BITS, WORD_BITS, Response
from bitlif.model.config.network import MAX_LAYERS

WORD = (1 << WORD_BITS) - 1
REFUSED, NO_REGISTER = Response.SLAVE_ERROR, Response.DECODE_ERROR


class IllegalAccessTester:
    """Tries illegal accesses, and fails if one is accepted or has an effect.

    Attributes
    ----------
    tried : int
        Number of accesses refused so far.
    """

    def __init__(self, master: Any, driver: Any) -> None:
        self._bus, self._driver = master, driver
        self._at = driver.map.registers
        self.tried = 0

    async def _write(self, offset: int, word: int, strobe: int = 0xF) -> int:
        """Write with any address and byte strobes, and return the response."""
        write = self._bus.write_if
        await write.aw_channel.send(AxiLiteAWTransaction(awaddr=offset))
        await write.w_channel.send(AxiLiteWTransaction(wdata=word & WORD, wstrb=strobe))
        return int((await write.b_channel.recv()).bresp)

    async def _read(self, offset: int) -> tuple[int, int]:
        read = self._bus.read_if
        await read.ar_channel.send(AxiLiteARTransaction(araddr=offset))
        answer = await read.r_channel.recv()
        return int(answer.rresp), int(answer.rdata)

    async def _refuse(
        self, offset: int, word: int | None = None, strobe: int = 0xF, answer: int = REFUSED
    ) -> None:
        """Try one access, a read if `word` is None, and require this response."""
        self.tried += 1
        if word is None:
            found, data = await self._read(offset)
            assert (found, data) == (answer, 0), f"read {offset:#x}: {found}, {data:#x}"
        else:
            found = await self._write(offset, word, strobe)
            assert found == answer, f"write {offset:#x} {word:#x} {strobe:#x}: {found}"

    async def between_windows(self) -> None:
        """Try everything between windows; all registers and memories must stay the same."""
        before = await self._everything()
        await self._wrong_forms()
        await self._wrong_words()
        await self._wrong_elements()
        await self._run_half_loaded()
        await self._separate_layers()
        after = await self._everything()
        assert before == after, f"{before} became {after}"

    async def during_a_window(self) -> None:
        """Try everything while a window waits within a step; all registers must stay the same."""
        driver, control, data = self._driver, self._at["CONTROL"], self._at["DATA"].offset
        assert not await driver.status("idle")
        before = await self._registers()
        await self._wrong_forms()
        await self._wrong_words()
        async for _ in self._each_layer():
            for own in driver.elements.values():
                await driver.set("MEMORY", own.memory.number)
                await self._refuse(data)
                await self._refuse(data, 0)
                assert await driver.get("ADDRESS") == 0
        now = await driver.get("CONTROL")
        await self._refuse(control.offset, now ^ control.field("learn").mask)
        await self._refuse(control.offset, now & ~control.field("learn").mask | 1 << 3)
        assert before == await self._registers()

    async def _each_layer(self) -> AsyncIterator[int]:
        """Yield the number of each layer, which is selected then."""
        for number in range(len(self._driver.map.places)):
            if self._driver.map.selects:
                await self._driver.select(number)
            yield number

    async def _registers(self) -> dict[str, int]:
        """Read all registers of each layer, with element 0 of its first memory selected."""
        found = {}
        async for number in self._each_layer():
            await self._driver.set("MEMORY", 0)
            for name in self._at:
                if name not in ("DATA", "DATA_HIGH"):
                    found[f"{number} {name}"] = await self._driver.get(name)
        return found

    async def _everything(self) -> dict[str, Any]:
        """Read all registers and memories."""
        found: dict[str, Any] = {}
        async for number in self._each_layer():
            for name in self._driver.elements:
                found[f"{number} {name}"] = await self._driver.read_memory(name)
        return {**await self._registers(), **found}

    async def _wrong_forms(self) -> None:
        """Try addresses without a register, parts of words, and writes to read-only registers."""
        known = {register.offset for register in self._at.values()}
        ends = (max(known) + 4, 1 << (ADDRESS_BITS - 1), (1 << ADDRESS_BITS) - 4)
        holes = {offset + 4 for offset in known if offset + 4 not in known}
        for offset in sorted(holes | set(ends)):
            await self._refuse(offset, answer=NO_REGISTER)
            await self._refuse(offset, WORD, answer=NO_REGISTER)
        for register in self._at.values():
            for part in (1, 2, 3):
                await self._refuse(register.offset + part)
            await self._refuse(register.offset + 2, 0)
            if register.access == "ro":
                await self._refuse(register.offset, 0)
                await self._refuse(register.offset, WORD)
            else:
                for strobe in (0x0, 0x1, 0x7, 0xC, 0xE):
                    await self._refuse(register.offset, 0, strobe)

    async def _wrong_words(self) -> None:
        """Try reserved bits, memories that do not exist, and elements beyond a memory's end.

        In a network, also layers that do not exist.
        """
        driver, control = self._driver, self._at["CONTROL"]
        now = await driver.get("CONTROL")
        allowed = sum(field.mask for field in control.fields)
        if not driver.learning:
            allowed &= ~control.field("learn").mask
        for bit in range(WORD_BITS):
            if not allowed >> bit & 1:
                await self._refuse(control.offset, now | 1 << bit)
            if bit:
                await self._refuse(self._at["LOAD"].offset, 1 << bit)
        if driver.map.selects:
            layers = len(driver.map.places)
            for word in (layers, layers + 1, MAX_LAYERS, 1 << 31, WORD):
                await self._refuse(self._at["LAYER"].offset, word)
        known = {own.number for own in driver.map.memories.values()}
        async for number in self._each_layer():
            if driver.map.selects:
                assert await driver.get("LAYER") == number
            existing = {own.memory.number for own in driver.elements.values()}
            possible = known | set(range(len(known) + 3))
            for memory in (*sorted(possible - existing), 1 << 4, 1 << 31, WORD):
                await self._refuse(self._at["MEMORY"].offset, memory)
            for own in driver.elements.values():
                await driver.set("MEMORY", own.memory.number)
                for element in (own.count, own.count + 1, 1 << 31, WORD):
                    await self._refuse(self._at["ADDRESS"].offset, element)
                assert await driver.get("ELEMENTS") == own.count

    async def _run_half_loaded(self) -> None:
        """Try to start windows while memories are being loaded."""
        driver, control = self._driver, self._at["CONTROL"]
        now = await driver.get("CONTROL")
        await driver.set("LOAD", 1)
        await self._refuse(control.offset, now | control.field("run").mask)
        assert await driver.get("LOAD") == 1
        await driver.set("LOAD", 0)

    async def _wrong_elements(self) -> None:
        """Try values out of range, writes to read-only memories, and accesses beyond the end."""
        driver, data = self._driver, self._at["DATA"].offset
        async for _ in self._each_layer():
            for own in driver.elements.values():
                await driver.set("MEMORY", own.memory.number)
                await driver.set("ADDRESS", own.count - 1)
                if own.memory.access == "ro":
                    for word in (0, 1, WORD):
                        await self._refuse(data, word)
                else:
                    for value in (own.low - 1, own.high + 1, 2 * own.high + 1, -2, -(1 << 31)):
                        if not own.low <= value <= own.high:
                            await self._refuse(data, value)
                assert await driver.get("ADDRESS") == own.count - 1
                await driver.get("DATA")
                assert await driver.get("ADDRESS") == own.count
                await self._refuse(data)
                await self._refuse(data, 0)

    async def _separate_layers(self) -> None:
        """Check that what is written for one layer leaves the others unchanged."""
        driver, written = self._driver, {}
        async for number in self._each_layer():
            # Memories and elements that differ from layer to layer, where there are several.
            own = list(driver.elements.values())[number % len(driver.elements)]
            written[number] = (own.memory.number, (number + 1) % own.count, own.count)
            await driver.set("MEMORY", own.memory.number)
            await driver.set("ADDRESS", written[number][1])
        async for number in self._each_layer():
            found = [await driver.get(name) for name in ("MEMORY", "ADDRESS", "ELEMENTS")]
            assert tuple(found) == written[number], f"layer {number}: {found}"
