"""Link, driver and serial backend tested with a reference board in Python, over noisy lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bitlif
from bitlif import Config
from bitlif.hdl.bus.registers import IDENTITY, REGISTERS
from bitlif.hdl.uart.protocol import Status
from bitlif.host.access_error import AccessError
from bitlif.host.driver import Driver, run_sync
from bitlif.host.event_codec import decode_raster, encode_input
from bitlif.host.frames import MAX_ITEM_BYTES
from bitlif.host.link import Link, LinkTimeoutError, SessionLostError
from bitlif.host.serial_port import open_serial
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.sim.backends.models import ModelCore
from bitlif.sim.backends.serial import SerialCore
from bitlif.tasks.stimulus import random_work

from uart_board import Board, Layer, Line, SteppedClock, Terminal

TINY = Config.load("tiny")
DATA, MEMORY = (REGISTERS[name].offset for name in ("DATA", "MEMORY"))


@pytest.fixture(autouse=True)
def stepped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count looks at the clock instead of seconds: a busy machine times nothing out."""
    monkeypatch.setattr("bitlif.host.link.time", SteppedClock(0.001))


def new_line(config: Config = TINY, *, learning: bool = True, **options: Any) -> Line:
    noise = {name: options.pop(name) for name in ("chance", "seed") if name in options}
    return Line(Board(Layer(config, learning=learning), **options), **noise)


def opened(line: Line, **options: Any) -> Link:
    link = Link(line, **{"timeout": 0.001, "retries": 30, **options})
    link.open()
    return link


def core_on(line: Line, config: Config = TINY, **options: Any) -> SerialCore:
    link = Link(line, timeout=0.001, retries=30)
    return SerialCore(config, "serial:test", link=link, **options)


def same_as_model(core: SerialCore, model: ModelCore) -> None:
    assert core.signature() == model.signature()
    assert (core.phase(), core.counters()) == (model.phase(), model.counters())
    np.testing.assert_array_equal(core.weights(), model.weights())
    one, other = core.state(), model.state()
    for name in one.__slots__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


# -- the link ----------------------------------------------------------------------------------


def test_many_words_are_split_into_frames() -> None:
    line = new_line()
    link = opened(line)
    assert link.read(0) == [IDENTITY]
    assert link.read(0x10, 4) == [6, 4, 2, 16]
    assert link.read(0x10, 0) == []
    link.write(MEMORY, [0])
    weights = [value & 0xFFFFFFFF for value in range(-12, 12)]
    link.write(DATA, weights, stay=True)
    link.write(MEMORY, [0])
    assert link.read(DATA, 24, stay=True) == weights
    sent = link.sent
    assert link.read(0, 300, stay=True) == [IDENTITY] * 300
    assert link.sent == sent + 3
    assert (link.resent, link.bad_answers) == (0, 0)
    link.close()
    assert line.closed


def test_refused_access_names_the_register() -> None:
    link = opened(new_line())
    with pytest.raises(AccessError, match=r"^writing IDENTITY \(0x000\) was answered: slave err"):
        link.write(0, [1])
    with pytest.raises(AccessError, match=r"^reading 0x02c was answered: decode error"):
        link.read(0x28, 3)
    link.write(MEMORY, [0])
    with pytest.raises(AccessError) as caught:
        link.write(DATA, [1, 1000, 1], stay=True)
    assert (caught.value.write, caught.value.offset, caught.value.response) == (True, DATA, 2)
    # The link still works.
    assert link.read(0x084) == [1]


def test_invalid_arguments_are_not_sent() -> None:
    link = opened(new_line())
    sent = link.sent
    for call, text in (
        (lambda: link.read(0x8000), "offset must be in 0"),
        (lambda: link.write(0, [1 << 32]), "word must be in 0"),
        (lambda: link.exchange(bytes(MAX_ITEM_BYTES + 1)), "bytes of items must be in 0"),
    ):
        with pytest.raises(BitlifError, match=f"^{text}"):
            call()
    assert link.sent == sent


@pytest.mark.parametrize("seed", range(4))
def test_noisy_line_executes_every_request_once(seed: int) -> None:
    line = new_line(chance=0.3, seed=seed)
    link = opened(line)
    line.board.carried_out = 0
    for value in range(100):
        link.write(MEMORY, [0])
        link.write(DATA, [value % 32], stay=True)
        assert link.read(0x084) == [1]
        link.write(MEMORY, [0])
        assert link.read(DATA) == [value % 32]
    assert line.board.carried_out == 500
    assert link.resent > 100
    assert link.bad_answers > 20


def test_silent_board_raises_timeout() -> None:
    line = new_line(chance=0)
    link = opened(line, retries=2)
    line.back.pass_on = lambda frame: b""  # type: ignore[method-assign]
    with pytest.raises(
        LinkTimeoutError,
        match=r"^the board at a test's line \(100000000 baud\) did not answer: READ was "
        r"sent 3 times in \d+\.\d s \(3 times without an answer\): check the port",
    ):
        link.read(0)
    with pytest.raises(BitlifError, match="did not answer its last request: open or reset it"):
        link.read(0)
    del line.back.pass_on
    link.open()
    assert link.read(0) == [IDENTITY]


def test_timeout_message_counts_damaged_frames() -> None:
    line = new_line()
    link = opened(line, retries=1)
    line.to.pass_on = lambda frame: b"\x7e12345678901\x7e"  # type: ignore[method-assign]
    with pytest.raises(LinkTimeoutError, match=r"\(2 times received damaged\)"):
        link.read(0)
    link = opened(new_line(), retries=1)
    link._port.back.pass_on = lambda frame: frame[:3] + b"\x55" + frame[4:]  # type: ignore
    with pytest.raises(LinkTimeoutError, match=r"\(2 times answered by a damaged frame\)"):
        link.read(0)


def test_second_host_ends_the_first_session() -> None:
    line = new_line()
    first, second = opened(line), opened(line)
    with pytest.raises(SessionLostError, match=r"no longer serves this program .*another program"):
        first.write(MEMORY, [1])
    assert first.session_lost
    assert second.read(MEMORY) == [0]
    first.open()
    assert not first.session_lost


def test_board_reset_is_detected() -> None:
    line = new_line()
    link = opened(line)
    line.board.number = 0
    with pytest.raises(SessionLostError, match="it was reset"):
        link.read(0)
    with pytest.raises(SessionLostError, match="was reset: its weights and state are lost"):
        link.open()


def test_late_answers_are_ignored() -> None:
    line = new_line()
    link = opened(line)
    old = line.board.say(line.board.number, bytes([9, 0, 0]))
    line.answers += old + line.board.say(3, bytes([0, 1, 0, 9, 9, 9, 9]))
    assert link.read(0) == [IDENTITY]
    line.answers += old
    assert link.read(0) == [IDENTITY]


def test_late_open_answer_is_retried() -> None:
    line = new_line()
    link = Link(line, timeout=0.001)
    # The answer to a first OPEN arrives after the board has seen a second one.
    line.board.number = 65536
    answered = line.write

    def late(sent: bytes) -> None:
        answered(sent)
        line.answers = line.board.say(65536, bytes([5, 0, 0]))
        line.write = answered  # type: ignore[method-assign]

    line.write = late  # type: ignore[method-assign]
    link.open()
    assert link.read(0) == [IDENTITY]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (bytes([0, 2, 0, 1, 1, 1, 1]), "violates its protocol .docs/uart.md.: status 0"),
        (bytes([0, 1, 0, 1, 1]), "count 1 and 2 bytes"),
        (bytes([1, 1, 0]), ": status 1"),
    ],
)
def test_undocumented_answer_raises(answer: bytes, text: str) -> None:
    line = new_line()
    link = opened(line)
    line.board.read = lambda rest: answer  # type: ignore[method-assign]
    with pytest.raises(BitlifError, match=text):
        link.read(0)


def test_unknown_command_raises() -> None:
    line = new_line()
    link = opened(line)
    judge = line.board.judge
    line.board.judge = lambda frame, bad: (line.board.number, bytes([10, 0, 0]))  # type: ignore
    with pytest.raises(BitlifError, match="does not know the command EVENTS"):
        link.exchange(b"")
    line.board.judge = judge  # type: ignore[method-assign]


def test_link_needs_the_standard_library_only() -> None:
    code = f"""
import sys
for name in ("numpy", "numba", "amaranth", "serial", "rich", "tomli_w", "scipy"):
    sys.modules[name] = None
from bitlif.host.link import Link
from bitlif.host.access_error import AccessError
from bitlif.host.serial_port import open_serial
sys.path.insert(0, {str(Path(__file__).parents[1] / "support")!r})

class Port:
    name, baud, answers, number = "here", 1000000, b"", 0
    def write(self, sent):
        from bitlif.host.frames import Deframer, encode_frame
        (body,) = Deframer().feed(sent)
        status = 5 if body[4] == 0 else 3 if body[5:7] == bytes([0xfc, 0]) else 0
        payload = b"BTLF" * (body[7] if body[4] == 1 and not status else 0)
        self.number = 65536 if status == 5 else int.from_bytes(body[:4], "little")
        head = self.number.to_bytes(4, "little") + bytes([status, len(payload) // 4, 0])
        self.answers = encode_frame(head + payload)
    def read(self):
        came, self.answers = self.answers, b""
        return came
    def close(self): pass

link = Link(Port())
link.open()
print(link.read(0))
try:
    link.read(0xfc)
except AccessError as error:
    print(error)
try:
    open_serial("/dev/ttyUSB0")
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "[1179407426]",
        "reading 0x0fc was answered: decode error",
        "a serial port needs pyserial, which is not installed: pip install 'pyserial>=3.5'",
    ]


# -- encoding ---------------------------------------------------------------------------------


@pytest.mark.parametrize("inputs", [255, 256, 65536])
@pytest.mark.parametrize("target_bits", [7, 8])
def test_encoded_input_matches_naive_encoder(inputs: int, target_bits: int) -> None:
    config = TINY.replace(layer__inputs=inputs, layer__neurons=5, layer__lanes=2)
    config = config.replace(error__target_bits=target_bits)
    random = np.random.default_rng(inputs)
    spikes = random.integers(0, inputs, (2 * 16, 3))
    pairs = sorted({(t, int(i)) for t, row in enumerate(spikes) for i in row})
    events = Events.from_times(
        [t for t, _ in pairs], [i for _, i in pairs], steps=16, units=inputs, windows=2
    )
    targets = random.integers(0, 1 << target_bits, (2, 16, 5), endpoint=True)
    a, b = 1 + (inputs > 255) + (inputs > 65535), 1 + (target_bits > 7)
    for goals in (None, targets, targets[:, :1]):
        naive, ends = b"", []
        for t in range(32):
            for number in [i for when, i in pairs if when == t] + [inputs]:
                naive += number.to_bytes(a, "little")
                ends.append(len(naive))
            if goals is None:
                continue
            row = [*goals[t // 16, t % 16 if goals.shape[1] > 1 else 0].tolist(), 0]
            for slot in range(3):
                for value in row[2 * slot : 2 * slot + 2]:
                    naive += int(value).to_bytes(b, "little")
                ends.append(len(naive))
        items = encode_input(config, events, goals)
        assert items.data == naive
        assert items.ends.tolist() == ends
        begin, pieces = 0, []
        while begin < len(naive):
            pieces.append(items.chunk(begin))
            assert (
                MAX_ITEM_BYTES - 8 < len(pieces[-1]) <= MAX_ITEM_BYTES
                or pieces[-1] == naive[begin:]
            )
            begin += len(pieces[-1])
            assert begin in ends
        assert b"".join(pieces) == naive
        assert items.chunk(begin) == b""


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (bytes([4] * 15), "must send 16 ends of steps, not 15"),
        (bytes([4] * 16 + [0]), "must send 16 ends of steps"),
        (bytes([9] + [4] * 16), "addresses of neurons below 4, not 9"),
        (bytes([4, 2, 2] + [4] * 15), "send each spike once: neuron 2 has two in step 1"),
    ],
)
def test_invalid_output_raises(output: bytes, text: str) -> None:
    with pytest.raises(BitlifError, match=text):
        decode_raster(TINY, output, 1, TINY.window.steps)


# -- the core ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("clean", {}),
        ("noisy", {"chance": 0.1, "seed": 5}),
        ("slow", {"stalls": 0.2, "seed": 6}),
        ("narrow", {"room": 3}),
        ("all", {"chance": 0.1, "stalls": 0.1, "room": 9, "seed": 7}),
    ],
)
def test_board_matches_model(line: str, options: dict[str, Any]) -> None:
    work = random_work(TINY, 4, 12)
    model = ModelCore(TINY)
    with core_on(new_line(**options)) as core:
        for each in (model, core):
            each.load(work.weights)
        for part, learn in (([*range(9)], True), ([9], False), ([10, 11], True)):
            events, targets = work.events.select(part), work.targets[part]
            ours, theirs = (each.run(events, targets, learn=learn) for each in (core, model))
            np.testing.assert_array_equal(ours.raster, theirs.raster)
            assert ours.counters == theirs.counters
            same_as_model(core, model)
        assert model.phase() == 1
        assert (core.link.resent > 0) == (line in ("noisy", "all"))


@pytest.mark.parametrize("reset", ["free", "teacher"])
@pytest.mark.parametrize("learning", [False, True])
def test_every_kind_of_layer_matches_model(reset: str, learning: bool) -> None:
    config = TINY.replace(membrane__reset=reset, layer__neurons=5, layer__lanes=2)
    work = random_work(config, 1, 3)
    line = new_line(config, learning=learning)
    with core_on(line, config, learning=learning) as core:
        model = ModelCore(config, learning=learning)
        targets = work.targets if learning or reset == "teacher" else None
        rasters = []
        for each in (core, model):
            each.load(work.weights)
            rasters.append(each.run(work.events, targets, learn=learning).raster)
        np.testing.assert_array_equal(*rasters)
        same_as_model(core, model)


def test_board_does_not_count_clocks() -> None:
    work = random_work(TINY, 4, 2)
    with core_on(new_line()) as core:
        out = core.learn(work.events, work.targets)
        assert out.step_clocks.shape == out.step_signatures.shape == (0, 16)
        assert out.window_clocks.shape == (0,)
        with pytest.raises(BitlifError, match=r"^clocks must .*: serial:test does not"):
            core.clocks()
        with pytest.raises(BitlifError, match=r"^record must be empty, not 'membrane'"):
            core.run(work.events, record=("membrane",))


def test_opening_resets_the_board() -> None:
    line = new_line()
    work = random_work(TINY, 4, 2)
    with core_on(line) as core:
        core.load(work.weights)
        core.learn(work.events, work.targets)
    with core_on(line) as core:
        assert not core.weights().any()
        same_as_model(core, ModelCore(TINY))


def test_other_table_and_schedule_are_loaded() -> None:
    other = TINY.replace(
        error__rule="clipped", error__guard=0.01,
        schedule=[{"windows": 1, "sigma": 0.15, "rate": 0.6}, {"sigma": 0.3}],
    )  # fmt: skip
    line = new_line()
    line.board.layer.known.append(other)
    work = random_work(TINY, 7, 3)
    model = ModelCore(other)
    with core_on(line) as core:
        core.load(work.weights)
        core.learn(work.events, work.targets)
        core.load_tables(other)
        for each in (core, model):
            each.load(work.weights)
            each.learn(work.events, work.targets)
        same_as_model(core, model)
        assert core.phase() == 1


@pytest.mark.parametrize(
    ("there", "learning", "text"),
    [
        (TINY.replace(layer__lanes=4), True, "must have been built from configuration tiny"),
        (TINY, False, "was built with learning=False"),
    ],
)
def test_board_of_other_configuration_raises(there: Config, learning: bool, text: str) -> None:
    line = new_line(there, learning=learning)
    with pytest.raises(BitlifError, match=text):
        core_on(line)
    assert line.closed


@pytest.mark.parametrize(
    ("register", "value", "text"),
    [
        ("IDENTITY", 0, "IDENTITY must be 0x464c5442, not 0x0000"),
        ("VERSION", 2 << 16, r"register map must be version 1\.1 or a later 1, not 2\.0"),
        ("VERSION", 1 << 16, r"register map must be version 1\.1 or a later 1, not 1\.0"),
        ("INPUTS", 7, "the core's INPUTS must be 6, not 7"),
    ],
)
def test_unexpected_register_value_raises(register: str, value: int, text: str) -> None:
    line = new_line()
    line.board.layer.words[register] = value
    with pytest.raises(BitlifError, match=text):
        core_on(line)


def test_half_loaded_board_does_not_run() -> None:
    line = new_line()
    work = random_work(TINY, 4, 1)
    with core_on(line) as core:
        driver = core._driver
        write_memory = driver.write_memory

        async def broken_off(name: str, values: list[int]) -> None:
            await driver.set("MEMORY", 0)
            raise KeyboardInterrupt

        driver.write_memory = broken_off  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            core.load(work.weights)
        driver.write_memory = write_memory  # type: ignore[method-assign]
        assert line.board.layer.load == 1
        with pytest.raises(BitlifError, match="has only part of its weights: load them again"):
            core.run(work.events)
        # The board also refuses another host until it loads.
        link = opened(line)
        with pytest.raises(AccessError, match=r"writing CONTROL \(0x040\) was answered: slave err"):
            link.write(0x040, [1])
    with core_on(line) as core:
        core.load(work.weights)
        core.run(work.events)
    assert line.board.layer.load == 0


def test_reset_recovers_from_failed_or_interrupted_run() -> None:
    line = new_line()
    work = random_work(TINY, 4, 3)
    with core_on(line, stall_timeout=0.02) as core:
        core.load(work.weights)
        line.board.stuck = True
        with pytest.raises(
            BitlifError, match=r"made no progress for 0\.02 s in window 0 of 3 \(CONTROL 0"
        ):
            core.learn(work.events, work.targets)
        with pytest.raises(BitlifError, match=r"serial:test\) was interrupted in a run: reset it"):
            core.weights()
        line.board.stuck = False
        # No further timeout: a busy machine may be slow.
        core._stall_timeout = 3600.0
        core.reset()
        core.load(work.weights)
        answered, sent = line.write, core.link.sent

        def interrupted(frame: bytes) -> None:
            answered(frame)
            if core.link.sent > sent + 12:
                raise KeyboardInterrupt

        line.write = interrupted  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            core.learn(work.events, work.targets)
        line.write = answered  # type: ignore[method-assign]
        core.reset()
        core.load(work.weights)
        core.learn(work.events, work.targets)
        model = ModelCore(TINY)
        model.load(work.weights)
        model.learn(work.events, work.targets)
        same_as_model(core, model)


def test_forked_child_cannot_use_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    line = new_line()
    core = core_on(line)
    sent = core.link.sent
    with monkeypatch.context() as child:
        child.setattr("os.getpid", lambda: -1)
        with pytest.raises(BitlifError, match=r"\(serial:test\) belongs to the process"):
            core.weights()
        core.close()
    assert core.link.sent == sent
    core._open = True
    assert core.weights().shape == (6, 4)
    core.close()


def test_board_counts_learned_windows() -> None:
    work = random_work(TINY, 4, 3)
    with core_on(new_line()) as core:
        core.load(work.weights)
        core.learn(work.events, work.targets)
        core.run(work.events, work.targets)
        core.learn(work.events, work.targets)
        assert core.windows_learned() == 6
        core.reset()
        assert core.windows_learned() == 0


def test_core_fails_after_another_program_opens_board() -> None:
    line = new_line()
    with core_on(line) as core:
        core_on(line)
        with pytest.raises(SessionLostError, match="another program opened it"):
            core.weights()
        with pytest.raises(BitlifError, match="close it and open a new one"):
            core.reset()


def test_driver_raises_if_core_does_not_become_ready() -> None:
    with core_on(new_line()) as core:
        driver = Driver(TINY, core._read, core._write, max_polls=3)
        core._driver.status = driver.status = never  # type: ignore[method-assign]
        with pytest.raises(BitlifError, match="did not become ready within 3 reads"):
            run_sync(driver.reset())


async def never(name: str) -> bool:
    return False


# -- ports -------------------------------------------------------------------------------------


def test_serial_backend_works_over_pseudo_terminal() -> None:
    work = random_work(TINY, 4, 2)
    with Terminal(Board(Layer(TINY))) as board:
        with bitlif.open(TINY, f"serial:{board.path}") as core:
            core.load(work.weights)
            out = core.learn(work.events, work.targets)
            with pytest.raises(BitlifError, match="another program has it open"):
                open_serial(board.path)
        with ModelCore(TINY) as model:
            model.load(work.weights)
            np.testing.assert_array_equal(out.raster, model.learn(work.events, work.targets).raster)
        again = open_serial(board.path, 115200)
        again.close()


def test_terminal_without_board_times_out_after_retries() -> None:
    with Terminal(Board(Layer(TINY))) as board:
        board.board.hear = lambda byte: b""  # type: ignore[method-assign]
        link = Link(open_serial(board.path), timeout=0.01, retries=2)
        # It waits for its timeout only, however busy the machine is.
        with pytest.raises(LinkTimeoutError, match=r"OPEN was sent 3 times"):
            link.open()
        link.close()


def test_port_that_cannot_be_opened_raises(tmp_path: Path) -> None:
    for call, text in (
        (lambda: open_serial("/dev/nowhere"), "port '/dev/nowhere' cannot be opened at 1000000 ba"),
        (lambda: open_serial(str(tmp_path)), "cannot be opened"),
        (lambda: open_serial("/dev/nowhere", 0), "baud rate must be in 1"),
        (lambda: bitlif.open(TINY, "serial:/dev/nowhere@9600"), "'/dev/nowhere'.* at 9600 baud"),
        (lambda: bitlif.open(TINY, "serial:"), "backend must name a port, as in serial:/dev/tty"),
        (lambda: bitlif.open(TINY, "serail:x"), "backend must be one of float, .*, serial:PORT, n"),
    ):
        with pytest.raises(BitlifError, match=text) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_disconnected_port_raises() -> None:
    board = Terminal(Board(Layer(TINY)))
    with board:
        port = open_serial(board.path)
    with pytest.raises(BitlifError, match=r"port .* failed while it was open"):
        port.read()
    port.close()


def test_statuses_are_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "uart.md").read_text("utf-8")
    for status in Status:
        assert f"| {status.value} | {status.name} |" in text
