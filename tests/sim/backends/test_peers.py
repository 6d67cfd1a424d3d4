"""Boards that misbehave: every loop of the host ends, with one sentence, in bounded memory."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bitlif import Config
from bitlif.hdl.bus.registers import COUNTER_STOPPED
from bitlif.host import serial_port as serialport
from bitlif.host.event_codec import encode_input
from bitlif.host.frames import MAX_OUTPUT_BYTES
from bitlif.host.link import Link, LinkTimeoutError, SessionLostError
from bitlif.host.serial_port import SerialPort
from bitlif.model.errors import BitlifError, BitlifWarning
from bitlif.scripts.main import main
from bitlif.sim.backends import pysim
from bitlif.sim.backends import serial as serialcore
from bitlif.sim.backends.serial import SerialCore
from bitlif.tasks.stimulus import random_work

from uart_board import (
    BAD_FRAME,
    DONE,
    FULL,
    OPENED,
    OUT_OF_ORDER,
    STALLED,
    Board,
    Layer,
    Line,
    SteppedClock,
    Terminal,
    head,
)

TINY = Config.load("tiny")
END, ENDLESS = bytes([TINY.layer.neurons]), 10_000
"""The end of a step; frames after which a test gives up."""


class Liar(Board):
    """Answers EVENTS as it likes; everything else is a board's.

    `says` is given the bytes of items, and returns status, count and output.
    """

    def __init__(self, says: Callable[[int], tuple[int, int, bytes]]) -> None:
        super().__init__(Layer(TINY))
        self.says, self.asked = says, 0

    def events(self, items: bytes) -> bytes:
        self.asked += 1
        assert self.asked < ENDLESS, "the host asks for ever"
        status, count, output = self.says(len(items))
        return head(status, count) + output


def core_on(board: Board, **options: Any) -> SerialCore:
    link = Link(Line(board), timeout=0.001, retries=30)
    return SerialCore(TINY, "serial:test", link=link, **options)


def sentence(error: BaseException) -> str:
    """Return an error's message, which must be one short sentence."""
    text = str(error)
    assert len(text) <= 240, text
    assert "\n" not in text
    return text


LIES: dict[str, tuple[Callable[[int], tuple[int, int, bytes]], str]] = {
    "full, with spikes for nothing": (
        lambda n: (FULL, 0, bytes(MAX_OUTPUT_BYTES)),
        "must send at most",
    ),
    "full, all taken": (lambda n: (FULL, n, bytes(MAX_OUTPUT_BYTES)), "must send at most"),
    "full, one spike at a time": (lambda n: (FULL, 0, b"\x00"), "must send at most"),
    "full, nothing": (lambda n: (FULL, 0, b""), "made no progress"),
    "stalled": (lambda n: (STALLED, 0, b""), "made no progress"),
    "stalled, all taken": (lambda n: (STALLED, n, b""), "made no progress"),
    "done, nothing taken": (lambda n: (DONE, 0, b""), "made no progress"),
    "ends for nothing": (lambda n: (STALLED, 0, END), "must send at most 0 ends"),
    "more ends than steps": (lambda n: (DONE, 0, END * n), "must send at most 0 ends"),
    "a byte at a time": (lambda n: (STALLED, min(n, 1), b""), "made no progress"),
    "done, no output": (lambda n: (DONE, n, b""), "must send 32 ends of steps, not 0"),
    "more taken than sent": (
        lambda n: (DONE, n + 1, b""),
        "violates its protocol .docs/uart.md.: status 0, count",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_run_on_a_faulty_board_raises_one_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    says, text = LIES[name]
    board = Liar(says)
    work = random_work(TINY, 3, 2)
    core = core_on(board)
    monkeypatch.setattr(serialcore, "time", SteppedClock(1.0))
    with core, pytest.raises(BitlifError, match=text) as caught:
        core.learn(work.events, work.targets)
    sentence(caught.value)
    size = len(encode_input(TINY, work.events, work.targets[:, :1]).data)
    assert board.asked <= size + 10


@pytest.mark.parametrize("bit", ["ready", "idle"])
def test_core_that_stays_busy_times_out(bit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(Layer(TINY))
    reads = 0
    read = board.layer.read

    def busy(offset: int) -> int:
        nonlocal reads
        word = read(offset)
        if offset != 0x044:
            return word
        reads += 1
        assert reads < ENDLESS, "the host asks for ever"
        return word & ~(2 if bit == "ready" else 1)

    core = core_on(board)
    monkeypatch.setattr(board.layer, "read", busy)
    work = random_work(TINY, 3, 1)
    wait = core.reset if bit == "ready" else functools.partial(core.run, work.events)
    with core, pytest.raises(BitlifError, match=f"did not become {bit} within") as caught:
        wait()
    sentence(caught.value)


def test_waiting_ends_in_time_with_slow_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    board = Board(Layer(TINY))
    core = core_on(board, stall_timeout=5.0)
    monkeypatch.setattr("bitlif.host.register_driver.time", SteppedClock(1.0))
    monkeypatch.setattr(core._driver, "status", never)
    with core, pytest.raises(BitlifError, match=r"did not become ready within 6 reads"):
        core.reset()


async def never(name: str) -> bool:
    return False


class Noisy:
    """A port at whose other end somebody talks for ever."""

    name, baud, sent = "a noisy line", 100_000_000, 0

    def __init__(self, talk: Iterator[bytes]) -> None:
        self.talk = talk

    def write(self, sent: bytes) -> None:
        self.sent += 1
        assert self.sent < ENDLESS, "the host asks for ever"

    def read(self) -> bytes:
        return next(self.talk)

    def close(self) -> None:
        pass


def endlessly(*pieces: bytes) -> Iterator[bytes]:
    while True:
        yield from pieces


@pytest.mark.parametrize(
    "pieces",
    [
        (b"",),
        (b"\x55" * 5000,),
        (b"\x7e" * 5000,),
        (b"\x7e\x01\x02\x03" * 1000,),
        (b"\x7d" * 4096, b"\x7e"),
        (bytes(range(256)) * 16,),
        (Board(Layer(TINY)).say(0, head(BAD_FRAME, 0)),),
        (Board(Layer(TINY)).say(7, head(DONE, 0)),),
    ],
    ids=["silence", "no flags", "flags", "bad frames", "escapes", "all bytes", "BAD_FRAME", "old"],
)
def test_endless_noise_on_the_line_times_out(pieces: tuple[bytes, ...]) -> None:
    port = Noisy(endlessly(*pieces))
    link = Link(port, timeout=0.001, retries=5)
    with pytest.raises(LinkTimeoutError, match="did not answer: OPEN was sent 6") as e:
        link.open()
    assert len(str(e.value)) < 300
    assert port.sent == 6
    assert len(link._deframer._pending) <= 1025


def test_line_of_single_bytes_times_out() -> None:
    answer = Board(Layer(TINY)).say(65536, head(OPENED, 0))
    # A byte with each request, and then a silence that lasts longer than anybody waits.
    port = Noisy(iter(()))
    came: list[bytes] = []

    def write(sent: bytes) -> None:
        port.sent += 1
        came.append(answer[port.sent - 1 : port.sent])

    port.write = write  # type: ignore[method-assign]
    port.read = lambda: came.pop() if came else b""  # type: ignore[method-assign]
    with pytest.raises(LinkTimeoutError, match="OPEN was sent 4 times"):
        Link(port, timeout=0.001, retries=3).open()


def test_board_that_stays_taken_times_out() -> None:
    class Taken(Board):
        opened = 0

        def judge(self, frame: bytes, bad: bool) -> tuple[int, bytes]:
            if frame[4] == 0:
                self.opened += 1
                return 65536 * self.opened, head(OPENED, 0)
            return 9 << 24, head(OUT_OF_ORDER, 0)

    board = Taken(Layer(TINY))
    with pytest.raises(SessionLostError, match="no longer serves this program"):
        # All answers come at once: only the number of retries ends this.
        Link(Line(board), timeout=3600.0, retries=3).open()
    assert board.opened == 4


def test_flooded_port_is_read_in_pieces() -> None:
    asked: list[int] = []
    handle = types.SimpleNamespace(
        in_waiting=1 << 40, read=lambda count: asked.append(count) or b"", close=lambda: None
    )
    assert SerialPort("flood", 9600, handle).read() == b""
    assert asked == [serialport.MAX_READ]


def test_selftest_of_a_full_board_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    board = Liar(lambda n: (FULL, 0, bytes(MAX_OUTPUT_BYTES)))
    with Terminal(board) as there:
        assert main(["selftest", "tiny", "--port", there.path, "--windows", "2"]) == 2
    told = capsys.readouterr()
    assert "must send at most 0 ends of steps in 0 bytes" in " ".join(told.err.split())
    assert "Traceback" not in told.err + told.out
    assert board.asked == 1


def test_waiting_simulated_core_times_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def no_targets(self: Any, ctx: Any) -> None:
        pass

    monkeypatch.setattr(pysim.Bench, "teach", no_targets)
    config = TINY.replace(window__steps=1, layer__neurons=1, layer__lanes=1, layer__inputs=1)
    work = random_work(config, 1, 1)
    with pytest.raises(BitlifError, match=r"must finish its windows within .* 0 of 1 steps"):
        pysim.run_core(config, work.weights, work.events, work.targets)


def test_saturated_counters_of_a_board_warn() -> None:
    board = Board(Layer(TINY))
    work = random_work(TINY, 3, 1)
    with core_on(board) as core:
        core.load(work.weights)
        core.learn(work.events, work.targets)
        model = board.layer.core
        counted = {**model._now.counted, "active_errors": COUNTER_STOPPED - 1}
        model._now = model._now._replace(counted=counted)
        with pytest.warns(BitlifWarning, match="active_errors stopped counting at 4294967295"):
            result = core.learn(work.events, work.targets)
        assert result.stopped == ("active_errors",)
        assert result.counters["active_errors"] == 1
        assert result.counters["synaptic_events"] == work.events.count * TINY.layer.neurons
        core.reset()
        assert not core.learn(work.events, work.targets).stopped
