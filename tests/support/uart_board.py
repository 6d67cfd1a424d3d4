"""A reference board in Python, written from docs/uart.md and docs/registers.md alone.

Its layer is the integer model, which runs whole windows: a window runs when the last of its items
has arrived. No code of the host's side is used.
"""

from __future__ import annotations

import binascii
import copy
import os
import random
import select
import threading
import tty
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from bitlif import Config
from bitlif.hdl.bus.registers import MEMORIES, REGISTERS, SCHEDULE, constants, elements
from bitlif.hdl.loadable import phase_rows
from bitlif.host.serial_port import READ_TIMEOUT
from bitlif.model.derive import derive
from bitlif.model.events import Events
from bitlif.sim.backends.models import ModelCore

DONE, STALLED, REFUSED, NO_REGISTER, FULL, OPENED = range(6)
BAD_FRAME, OUT_OF_ORDER, UNKNOWN = 8, 9, 10
NAMES = {register.offset: name for name, register in REGISTERS.items()}


class RefusedError(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


class Layer:
    """Registers, memories and streams."""

    def __init__(self, config: Config, *, learning: bool = True, seed: int = 0) -> None:
        self.config, self.learning = config, learning
        self.elements = elements(config, learning=learning)
        self.words = constants(config, learning=learning)
        self.loaded: dict[str, list[int]] = {
            # Earlier contents must not matter.
            name: [random.Random(f"{seed} {name}").randint(own.low, own.high)] * own.count
            for name, own in self.elements.items()
            if own.memory.access == "rw"
        }
        self.known = [config]
        self.run = self.learn = self.flush = self.load = 0
        self.memory, self.address = 0, 0
        self.reset()

    def reset(self) -> None:
        self.core = ModelCore(self.config, learning=self.learning)
        self.windows, self.high = 0, 0
        self.dropped = 0
        self.drop_window()

    def tabled(self) -> Config:
        """Return the known configuration whose table and schedule are loaded."""
        for config in self.known:
            rows = phase_rows(self.config, config)
            wanted = dict(zip(("table_a", "table_b"), map(list, derive(config).table), strict=True))
            wanted |= {name: [row[own] for row in rows] for name, own in SCHEDULE.items()}
            if all(wanted.get(name, own) == own for name, own in self.loaded.items()):
                return config
        raise AssertionError("a window begins with nobody's table and schedule")

    def drop_window(self) -> None:
        self.steps: list[list[int]] = [[]]
        self.targets: list[list[int]] = []
        self.due = 0

    @property
    def busy(self) -> bool:
        return self.steps != [[]] or self.due > 0

    # -- registers ---------------------------------------------------------------------------

    def read(self, offset: int) -> int:
        name = self.find(offset)
        counters = self.core.counters()
        if name == "DATA":
            own, values = self.selected()
            if self.address >= own.count or self.busy:
                raise RefusedError(REFUSED)
            value = values[self.address]
            self.address += 1
            self.high = value >> 32 & 0xFFFFFFFF
            return value & 0xFFFFFFFF
        if name.lower() in counters:
            return counters[name.lower()]
        own, _ = self.selected()
        return {
            **self.words,
            "CONTROL": self.run | self.learn << 1 | self.flush << 2,
            "STATUS": (not self.busy) | 2,
            "WINDOWS": self.windows,
            "PHASE": self.core.phase(),
            "SIGNATURE": self.core.signature(),
            "DROPPED_EVENTS": self.dropped,
            "HELD_TARGETS": 0,
            "MEMORY": self.memory,
            "ADDRESS": self.address,
            "DATA_HIGH": self.high,
            "ELEMENTS": own.count,
            "LOAD": self.load,
        }[name]  # type: ignore[return-value]

    def write(self, offset: int, word: int) -> None:
        name = self.find(offset)
        if name == "CONTROL":
            self.control(word & 1, word >> 1 & 1, word >> 2 & 1, word >> 31, word)
        elif name == "LOAD" and word < 2:
            self.load = word
        elif name == "MEMORY" and word in [own.memory.number for own in self.elements.values()]:
            self.memory, self.address = word, 0
        elif name == "ADDRESS" and word < self.selected()[0].count:
            self.address = word
        elif name == "DATA":
            own, _ = self.selected()
            value = word - (1 << 32) if own.low < 0 and word >> 31 else word
            fits = own.low <= value <= own.high and own.memory.access == "rw"
            if self.address >= own.count or self.busy or not fits:
                raise RefusedError(REFUSED)
            self.loaded[own.memory.name][self.address] = value
            self.address += 1
        else:
            raise RefusedError(REFUSED)

    def control(self, run: int, learn: int, flush: int, reset: int, word: int) -> None:
        if word & 0x7FFFFFF8 or (learn and not self.learning) or (run and self.load):
            raise RefusedError(REFUSED)
        if self.busy and learn != self.learn and not reset:
            raise RefusedError(REFUSED)
        self.run, self.learn, self.flush = run, learn, flush
        if reset:
            self.reset()

    def find(self, offset: int) -> str:
        if offset not in NAMES:
            raise RefusedError(REFUSED if offset % 4 and offset - offset % 4 in NAMES else 3)
        return NAMES[offset]

    def selected(self) -> tuple[Any, list[int]]:
        name = next(name for name, own in MEMORIES.items() if own.number == self.memory)
        if name in self.loaded:
            return self.elements[name], self.loaded[name]
        return self.elements[name], [int(value) for value in getattr(self.core.state(), name)]

    # -- windows -----------------------------------------------------------------------------

    def take(self, items: bytes) -> tuple[int, list[int]]:
        """Take one item from the front; return its length (0: it must wait) and the output."""
        sizes = self.config.layer
        if self.due:
            lane = (self.config.error.target_bits + 1 + 7) // 8
            size = lane * sizes.lanes
            if len(items) < size:
                return 0, []
            row = [int.from_bytes(items[k : k + lane], "little") for k in range(0, size, lane)]
            self.targets[-1] += row
            self.due -= 1
            return size, self.step() if not self.due else []
        size = width(sizes.inputs)
        if len(items) < size:
            return 0, []
        if not self.busy and self.flush:
            return size, []
        if not self.busy and (self.load or not self.run):
            return 0, []
        number = int.from_bytes(items[:size], "little")
        if number > sizes.inputs:
            self.dropped += 1
        elif number < sizes.inputs:
            self.steps[-1].append(number)
        else:
            self.steps.append([])
            if self.learn or self.config.membrane.reset == "teacher":
                self.targets.append([])
                self.due = sizes.slots
            else:
                return size, self.step()
        return size, []

    def step(self) -> list[int]:
        """Return the output of the step that has ended; the last step ends the window."""
        config, sizes = self.config, self.config.layer
        t, steps = len(self.steps) - 2, config.window.steps
        pairs = [(t, i) for t, step in enumerate(self.steps) for i in step]
        events = Events.from_times(
            [t for t, _ in pairs], [i for _, i in pairs],
            steps=steps, units=sizes.inputs, windows=1,
        )  # fmt: skip
        goals = None
        if self.targets:
            rows = np.array(self.targets)[:, : sizes.neurons]
            goals = np.pad(rows, [(0, steps - len(rows)), (0, 0)])[None]
        if not self.windows and not t:
            self.core = ModelCore(self.tabled(), learning=self.learning)
        last = t + 1 == steps
        # Later steps do not change the spikes of this one: a copy runs them without events.
        core = self.core if last else copy.copy(self.core)
        core.load(np.array(self.loaded["weights"]).reshape(sizes.inputs, -1))
        out = core.run(events, goals, learn=bool(self.learn))
        if last:
            self.loaded["weights"] = core.weights().ravel().tolist()
            self.windows += 1
            self.drop_window()
        return [*np.flatnonzero(out.raster[0, t]).tolist(), sizes.neurons]


class Board:
    """The bridge: bytes in, bytes out."""

    def __init__(
        self, layer: Layer, *, room: int = 501, stalls: float = 0.0, seed: int = 0
    ) -> None:
        self.layer, self.room, self.stalls = layer, room, stalls
        self.random = random.Random(seed)
        self.number, self.answer = 0, b""
        self.frame: list[int] | None = None
        self.escaped = False
        self.waiting: list[int] = []
        self.carried_out = 0
        self.stuck = False

    def hear(self, byte: int) -> bytes:
        """Receive one byte and return the bytes sent back."""
        if byte == 0x7E:
            frame, self.frame = self.frame, []
            bad, self.escaped = self.escaped, False
            if not frame and not bad:
                return b""
            return self.say(*self.judge(bytes(frame or []), bad)) if frame is not None else b""
        if self.frame is None:
            return b""
        if self.escaped:
            self.frame.append(byte ^ 0x20)
            self.escaped = False
        elif byte == 0x7D:
            self.escaped = True
        else:
            self.frame.append(byte)
        return b""

    def say(self, number: int, rest: bytes) -> bytes:
        body = number.to_bytes(4, "little") + rest
        body += binascii.crc32(body).to_bytes(4, "little")
        assert len(body) <= 512
        line = b"".join(bytes([0x7D, b ^ 0x20]) if b in (0x7D, 0x7E) else bytes([b]) for b in body)
        # Bytes received while answering are lost, except the last flag.
        self.frame = None
        return b"\x7e" + line + b"\x7e"

    def judge(self, frame: bytes, bad: bool) -> tuple[int, bytes]:
        body, crc = frame[:-4], frame[-4:]
        if (
            bad
            or not 9 <= len(frame) <= 512
            or binascii.crc32(body) != int.from_bytes(crc, "little")
        ):
            return self.number, head(BAD_FRAME, 0)
        number, command, rest = int.from_bytes(body[:4], "little"), body[4], body[5:]
        if command == 0:
            self.number = (self.number // 65536 + 1) * 65536 % (1 << 32)
            self.answer = head(OPENED, 0)
        elif number == self.number:
            return self.number, self.answer
        elif number != (self.number + 1) % (1 << 32):
            return self.number, head(OUT_OF_ORDER, 0)
        elif command > 3:
            return self.number, head(UNKNOWN, 0)
        else:
            self.number = number
            self.answer = (self.read, self.write, self.events)[command - 1](rest)
            self.carried_out += 1
        return self.number, self.answer

    def read(self, rest: bytes) -> bytes:
        words: list[int] = []
        status = self.accesses(rest, rest[2], lambda at, k: words.append(self.layer.read(at)))
        return head(status, len(words)) + b"".join(word.to_bytes(4, "little") for word in words)

    def write(self, rest: bytes) -> bytes:
        words = [int.from_bytes(rest[k : k + 4], "little") for k in range(2, len(rest) - 3, 4)]
        done: list[int] = []

        def one(at: int, k: int) -> None:
            self.layer.write(at, words[k])
            done.append(k)

        status = self.accesses(rest, len(words), one)
        return head(status, len(done))

    def accesses(self, rest: bytes, count: int, one: Callable[[int, int], None]) -> int:
        address = int.from_bytes(rest[:2], "little")
        for k in range(count):
            try:
                one((address & 0x7FFF) + (0 if address >> 15 else 4 * k), k)
            except RefusedError as error:
                return error.status
        return DONE

    def events(self, items: bytes) -> bytes:
        layer = self.layer
        consumed, size = 0, width(layer.config.layer.neurons)
        said = b""
        while True:
            while self.waiting:
                if len(said) + size > self.room:
                    return head(FULL, consumed) + said
                said += self.waiting.pop(0).to_bytes(size, "little")
            if consumed == len(items) and layer.due == 0:
                return head(DONE, consumed) + said
            if self.random.random() < self.stalls:
                return head(STALLED, consumed) + said
            taken, spoken = (0, []) if self.stuck else layer.take(items[consumed:])
            if not taken:
                return head(STALLED, consumed) + said
            consumed += taken
            self.waiting += spoken


def head(status: int, count: int) -> bytes:
    return bytes([status]) + count.to_bytes(2, "little")


def width(most: int) -> int:
    return 1 if most <= 255 else 2 if most <= 65535 else 3


class Noise:
    """Randomly loses, damages, duplicates and truncates frames."""

    def __init__(self, chance: float, seed: object) -> None:
        self.chance, self.random = chance, random.Random(str(seed))

    def pass_on(self, frame: bytes) -> bytes:
        if not frame or self.random.random() >= self.chance:
            return frame
        damaged = bytearray(frame)
        kind = self.random.choice(("lost", "bit", "flag", "twice", "short", "noise"))
        place = self.random.randrange(len(frame))
        if kind == "lost":
            return b""
        if kind == "bit":
            damaged[place] ^= 1 << self.random.randrange(8)
        elif kind == "flag":
            damaged[place] = 0x7E
        elif kind == "twice":
            return frame + frame
        elif kind == "short":
            del damaged[place:]
        else:
            damaged[place:place] = self.random.randbytes(5)
        return bytes(damaged)


class Line:
    """A port connected to a board in the same thread, which answers at once."""

    name, baud = "a test's line", 100_000_000

    def __init__(self, board: Board, *, chance: float = 0.0, seed: int = 0) -> None:
        self.board, self.closed = board, False
        self.to, self.back = Noise(chance, (seed, 0)), Noise(chance, (seed, 1))
        self.answers = b""

    def write(self, sent: bytes) -> None:
        for byte in self.to.pass_on(sent):
            self.answers += self.back.pass_on(self.board.hear(byte))

    def read(self) -> bytes:
        came, self.answers = self.answers, b""
        return came

    def close(self) -> None:
        self.closed = True


class SteppedClock:
    """Stands in for the module `time`: each look at the clock advances it by one step.

    A test that waits with it is given up after the same number of looks on every machine.
    """

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def monotonic(self) -> float:
        self.now += self.step
        return self.now


class Terminal:
    """A pseudo-terminal with a board at its other end; a host opens `path`."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live)

    def _live(self) -> None:
        while not self._stop.is_set():
            if select.select([self._master], [], [], READ_TIMEOUT)[0]:
                for byte in os.read(self._master, 4096):
                    os.write(self._master, self.board.hear(byte))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)
