"""The cocotb bench of a core with its UART, with ``cocotbext-uart`` at the other end of the line.

The core is a layer or a network.

The environment variable ``BITLIF_TASK`` names the input file and ``BITLIF_RESULT`` the output file.
`bitlif.sim.cocotb.uart` writes the one and reads the other.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.uart import UartSink, UartSource

from bitlif.hdl.uart.protocol import STAY, Command, Status
from bitlif.host.event_codec import encode_input, max_output_bytes
from bitlif.host.frames import MAX_WORDS, Answer, Deframer, encode_frame, request
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, outer, parse_any_config
from bitlif.model.events import Events

from .contents import load_weights, new_driver, read_contents

PERIOD = 10
"""Nanoseconds of a clock cycle."""


class Peer:
    """The host's end of the line, on the UART model of ``cocotbext-uart``."""

    def __init__(
        self, dut: Any, config: Config | NetworkConfig, learning: bool, divisor: int, skew: float
    ) -> None:
        # The UART model rounds the length of a bit to whole nanoseconds.
        baud = 1e9 / (PERIOD * divisor) * (1 + skew)
        self._source, self._sink = UartSource(dut.rx, baud=baud), UartSink(dut.tx, baud=baud)
        self._deframer, self._number = Deframer(), 0
        self.config = outer(config)
        self.driver = new_driver(
            config, self.read, self.write, learning=learning,
            read_many=self.read_many, write_many=self.write_many,
        )  # fmt: skip

    async def ask(self, command: Command, payload: bytes = b"") -> Answer:
        """Send the next request and return its answer; the line has no errors."""
        number = 0 if command == Command.OPEN else self._number + 1
        await self._source.write(encode_frame(request(number, command, payload)))
        bodies: list[bytes | None] = []
        while not bodies:
            bodies = self._deframer.feed(bytes(await self._sink.read()))
        assert len(bodies) == 1, bodies
        assert bodies[0] is not None
        answer = Answer.parse(bodies[0])
        assert answer is not None
        assert answer.number == number or command == Command.OPEN, answer
        self._number = answer.number
        return answer

    async def open(self) -> None:
        """Begin a session."""
        assert (await self.ask(Command.OPEN)).status == Status.OPENED

    async def read(self, offset: int) -> int:
        """Read a word."""
        return (await self.read_many(offset, 1))[0]

    async def write(self, offset: int, word: int) -> None:
        """Write a word."""
        await self.write_many(offset, [word])

    async def read_many(self, offset: int, count: int) -> list[int]:
        """Read a register several times."""
        words: list[int] = []
        where = (offset | STAY).to_bytes(2, "little")
        while len(words) < count:
            part = min(count - len(words), MAX_WORDS)
            answer = await self.ask(Command.READ, where + bytes([part]))
            assert (answer.status, answer.count) == (Status.DONE, part), answer
            words += np.frombuffer(answer.payload, "<u4").tolist()
        return words

    async def write_many(self, offset: int, words: Any) -> None:
        """Write words to one register."""
        where = (offset | STAY).to_bytes(2, "little")
        for first in range(0, len(words), MAX_WORDS):
            part = np.array(words[first : first + MAX_WORDS], "<u4")
            answer = await self.ask(Command.WRITE, where + part.tobytes())
            assert (answer.status, answer.count) == (Status.DONE, len(part)), answer

    async def exchange(self, events: Events, targets: Any) -> bytes:
        """Send all input items and return all output items."""
        items = encode_input(self.config, events, targets)
        output, begin, status = b"", 0, Status.STALLED
        while status != Status.DONE or begin < len(items.data):
            answer = await self.ask(Command.EVENTS, items.chunk(begin))
            status = Status(answer.status)
            begin, output = begin + answer.count, output + answer.payload
            assert len(output) <= max_output_bytes(self.config, items.steps_ended(begin)), answer
        return output


@cocotb.test(timeout_time=500, timeout_unit="ms")
async def run_task(dut: Any) -> None:
    """Open, identify and load the board, run or learn, and read everything back."""
    task = json.loads(Path(os.environ["BITLIF_TASK"]).read_text("utf-8"))
    config = parse_any_config(task["config"], "task")
    peer = Peer(dut, config, task["learning"], task["divisor"], task["skew"])
    Clock(dut.clk, PERIOD, unit="ns").start()
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await peer.open()
    driver = peer.driver
    await driver.identify()
    await driver.reset(flush=True)
    async with driver.loading():
        await load_weights(driver, task["weights"])
    await driver.start(learn=task["learn"])
    pointers, addresses = (np.array(task[name]) for name in ("pointers", "addresses"))
    events = Events(addresses, pointers, peer.config.window.steps, peer.config.layer.inputs)
    targets = None if task["targets"] is None else np.array(task["targets"])
    output = await peer.exchange(events, targets)
    await driver.stop()
    result = {"output": output.hex(), "contents": await read_contents(driver)}
    Path(os.environ["BITLIF_RESULT"]).write_text(json.dumps(result), "utf-8")
