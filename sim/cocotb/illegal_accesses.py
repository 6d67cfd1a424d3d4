"""All accesses that a core with a bus must refuse, derived from the register map."""

from __future__ import annotations

from typing import Any

from cocotbext.axi.axil_channels import (
    AxiLiteARTransaction,
    AxiLiteAWTransaction,
    AxiLiteWTransaction,
)

from bitlif.hdl.bus.registers import ADDRESS_BITS, MEMORIES, REGISTERS, WORD_BITS, Response
from bitlif.host.driver import Driver

WORD = (1 << WORD_BITS) - 1
REFUSED, NO_REGISTER = Response.SLAVE_ERROR, Response.DECODE_ERROR


class IllegalAccessTester:
    """Tries illegal accesses, and fails if one is accepted or has an effect.

    Attributes
    ----------
    tried : int
        Number of accesses refused so far.
    """

    def __init__(self, master: Any, driver: Driver) -> None:
        self._bus, self._driver = master, driver
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
        after = await self._everything()
        assert before == after, f"{before} became {after}"

    async def during_a_window(self) -> None:
        """Try everything while a window waits within a step; all registers must stay the same."""
        driver, control = self._driver, REGISTERS["CONTROL"]
        assert not await driver.status("idle")
        before = await self._registers()
        await self._wrong_forms()
        await self._wrong_words()
        for own in driver.elements.values():
            await driver.set("MEMORY", own.memory.number)
            await self._refuse(REGISTERS["DATA"].offset)
            await self._refuse(REGISTERS["DATA"].offset, 0)
            assert await driver.get("ADDRESS") == 0
        now = await driver.get("CONTROL")
        await self._refuse(control.offset, now ^ control.field("learn").mask)
        await self._refuse(control.offset, now & ~control.field("learn").mask | 1 << 3)
        assert before == await self._registers()

    async def _registers(self) -> dict[str, int]:
        """Read all registers, with element 0 of the first memory selected."""
        await self._driver.set("MEMORY", 0)
        names = [name for name in REGISTERS if name not in ("DATA", "DATA_HIGH")]
        return {name: await self._driver.get(name) for name in names}

    async def _everything(self) -> dict[str, Any]:
        """Read all registers and memories."""
        own = {name: await self._driver.read_memory(name) for name in self._driver.elements}
        return {**await self._registers(), **own}

    async def _wrong_forms(self) -> None:
        """Try addresses without a register, parts of words, and writes to read-only registers."""
        known = {register.offset for register in REGISTERS.values()}
        ends = (max(known) + 4, 1 << (ADDRESS_BITS - 1), (1 << ADDRESS_BITS) - 4)
        holes = {offset + 4 for offset in known if offset + 4 not in known}
        for offset in sorted(holes | set(ends)):
            await self._refuse(offset, answer=NO_REGISTER)
            await self._refuse(offset, WORD, answer=NO_REGISTER)
        for register in REGISTERS.values():
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
        """Try reserved bits, memories that do not exist, and elements beyond a memory's end."""
        driver, control = self._driver, REGISTERS["CONTROL"]
        now = await driver.get("CONTROL")
        allowed = sum(field.mask for field in control.fields)
        if not driver.learning:
            allowed &= ~control.field("learn").mask
        for bit in range(WORD_BITS):
            if not allowed >> bit & 1:
                await self._refuse(control.offset, now | 1 << bit)
            if bit:
                await self._refuse(REGISTERS["LOAD"].offset, 1 << bit)
        existing = {own.memory.number for own in driver.elements.values()}
        for number in (*(set(range(len(MEMORIES) + 3)) - existing), 1 << 4, 1 << 31, WORD):
            await self._refuse(REGISTERS["MEMORY"].offset, number)
        for own in driver.elements.values():
            await driver.set("MEMORY", own.memory.number)
            for element in (own.count, own.count + 1, 1 << 31, WORD):
                await self._refuse(REGISTERS["ADDRESS"].offset, element)
            assert await driver.get("ELEMENTS") == own.count

    async def _run_half_loaded(self) -> None:
        """Try to start windows while memories are being loaded."""
        driver, control = self._driver, REGISTERS["CONTROL"]
        now = await driver.get("CONTROL")
        await driver.set("LOAD", 1)
        await self._refuse(control.offset, now | control.field("run").mask)
        assert await driver.get("LOAD") == 1
        await driver.set("LOAD", 0)

    async def _wrong_elements(self) -> None:
        """Try values out of range, writes to read-only memories, and accesses beyond the end."""
        driver, data = self._driver, REGISTERS["DATA"].offset
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
