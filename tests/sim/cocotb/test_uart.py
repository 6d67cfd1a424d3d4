"""The UART bridge in compiled RTL, its two pins driven bit by bit."""

from __future__ import annotations

import random

import numpy as np
import pytest
from uart_peer import (
    BAD_FRAME,
    DONE,
    EVENTS,
    FULL,
    NO_REGISTER,
    OPEN,
    OPENED,
    OUT_OF_ORDER,
    READ,
    REFUSED,
    STALLED,
    STAY,
    UNKNOWN,
    WRITE,
    Peer,
    answers,
    damaged_levels,
    framed,
    number_of,
    request,
)

from bitlif.hdl.bus.registers import REGISTERS, Response
from bitlif.hdl.uart.protocol import Status
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.sim.compiled.board_sim import SimulatedBoard, levels_of

TINY = Config.load("tiny")
AT = {name: register.offset for name, register in REGISTERS.items()}
WEIGHTS = TINY.layer.inputs * TINY.layer.neurons


@pytest.fixture
def peer() -> Peer:
    own = Peer(SimulatedBoard(TINY))
    own.open()
    return own


def memory(peer: Peer, number: int, count: int) -> list[int]:
    peer.write(AT["MEMORY"], [number])
    return peer.read(AT["DATA"], count, stay=True)


def load(peer: Peer, weights: list[int]) -> None:
    peer.write(AT["MEMORY"], [0])
    peer.write(AT["DATA"], weights, stay=True)


def test_access_statuses_equal_bus_responses() -> None:
    assert int(Status.REFUSED) == Response.SLAVE_ERROR
    assert int(Status.NO_REGISTER) == Response.DECODE_ERROR


def test_read_stops_at_first_missing_register(
    peer: Peer,
) -> None:
    assert peer.read(AT["IDENTITY"]) == [0x464C5442]
    sizes = peer.read(AT["INPUTS"], 4)
    assert sizes == [TINY.layer.inputs, TINY.layer.neurons, TINY.layer.lanes, TINY.window.steps]
    _, status, count, payload = peer.ask(READ, number_of(AT["PHASES"], 2) + bytes([9]))
    assert (status, count, len(payload)) == (NO_REGISTER, 3, 12)
    for outside in (0x1000, 0x7FFC, 0x1000 | STAY):
        _, status, count, _ = peer.ask(READ, number_of(outside, 2) + bytes([1]))
        assert (status, count) == (NO_REGISTER, 0)
    assert peer.ask(READ, number_of(AT["IDENTITY"], 2) + bytes([0]))[1:] == (DONE, 0, b"")


def test_write_stops_at_first_refused_word(peer: Peer) -> None:
    own = [1, -2 % (1 << 32), 3]
    load(peer, own)
    assert memory(peer, 0, 3) == own
    bad = [*own[:2], 1 << 20, 7]
    peer.write(AT["MEMORY"], [0])
    rest = number_of(AT["DATA"] | STAY, 2) + b"".join(number_of(word, 4) for word in bad)
    assert peer.ask(WRITE, rest)[1:] == (REFUSED, 2, b"")
    assert peer.read(AT["ADDRESS"]) == [2]
    assert memory(peer, 0, 4) == [*own, 0]
    # An incomplete word at the end is ignored.
    assert peer.ask(WRITE, number_of(AT["MEMORY"], 2) + b"\x00\x00\x00")[1:] == (DONE, 0, b"")
    for short in (b"", b"\x80"):
        assert peer.ask(WRITE, short)[1:] == (DONE, 0, b"")
        assert peer.ask(READ, short)[1:] == (DONE, 0, b"")


def test_longest_frame_is_accepted_and_longer_rejected(peer: Peer) -> None:
    # All words go to one register, so the request fills its block RAM.
    words = [k & 1 for k in range(125)]
    peer.write(AT["LOAD"], words, stay=True)
    assert peer.read(AT["LOAD"], 125, stay=True) == [words[-1]] * 125
    for more in (126, 127):
        answer = peer.ask(READ, number_of(AT["LOAD"] | STAY, 2) + bytes([more]))
        assert answer[1:3] == (FULL, 125)
    number = peer.number
    for size in (508, 509, 700):
        body = request(number + 1, READ, number_of(AT["LOAD"] | STAY, 2) + bytes(size - 7))
        ((told, status, _, _),) = peer.send(body, 4000)
        assert (told, status) == ((number + 1, DONE) if size <= 508 else (number + 1, BAD_FRAME))


def test_repeated_request_is_answered_but_not_executed(peer: Peer) -> None:
    load(peer, list(range(5)))
    peer.write(AT["MEMORY"], [0])
    first = peer.ask(READ, number_of(AT["DATA"] | STAY, 2) + bytes([3]))
    again = request(peer.number, READ, number_of(AT["DATA"] | STAY, 2) + bytes([3]))
    for _ in range(3):
        assert peer.send(again) == [first]
        # A request that is not executed leaves the stored answer unchanged.
        assert peer.send(request(peer.number + 2, READ, bytes(3)))[0][1] == OUT_OF_ORDER
        assert peer.send(request(peer.number + 1, 77))[0][:2] == (peer.number, UNKNOWN)
        damaged = levels_of(framed(again)[:-2] + b"\x00\x7e")
        assert peer.drive(damaged)[0][:2] == (peer.number, BAD_FRAME)
    assert peer.read(AT["ADDRESS"]) == [3]


def test_sequence_numbers_are_unique(peer: Peer) -> None:
    load(peer, [1])
    old = [framed(request(n, WRITE, number_of(AT["LOAD"], 2) + number_of(1, 4)))
           for n in range(peer.number - 3, peer.number + 1)]  # fmt: skip
    before = peer.number
    peer.open()
    assert peer.number == (before | 0xFFFF) + 1
    for frame in old:
        ((number, status, _, _),) = answers(peer.board.send(frame, 4000))
        assert (number, status) == (peer.number, OUT_OF_ORDER)
    assert peer.read(AT["LOAD"]) == [0]


def test_step_without_targets_stalls_until_they_arrive(peer: Peer) -> None:
    inputs, slots = TINY.layer.inputs, TINY.layer.slots
    peer.write(AT["CONTROL"], [0b11])
    peer.number += 1
    step = bytes([0, 1, inputs])
    assert peer.send(request(peer.number, EVENTS, step), 70_000) == [(peer.number, STALLED, 3, b"")]
    targets = bytes(slots * TINY.layer.lanes)
    _, status, count, output = peer.ask(EVENTS, targets + bytes([inputs]) + targets)
    assert (status, count) == (DONE, 2 * len(targets) + 1)
    assert output.count(TINY.layer.neurons) == 2
    assert output[-1] == TINY.layer.neurons
    # A reset discards outstanding targets.
    peer.number += 1
    peer.send(request(peer.number, EVENTS, step), 70_000)
    peer.write(AT["CONTROL"], [1 << 31 | 0b11])
    _, status, count, output = peer.ask(EVENTS, step + targets)
    assert (status, count, output[-1]) == (DONE, len(step + targets), TINY.layer.neurons)


def test_excess_spikes_are_sent_in_the_next_answer(peer: Peer) -> None:
    neurons, steps = TINY.layer.neurons, 480
    load(peer, [TINY.synapse.weight.raw_max] * WEIGHTS)
    peer.write(AT["CONTROL"], [1])
    items = b"".join(bytes([step % 2, TINY.layer.inputs]) for step in range(steps))
    output, fulls = b"", 0
    while True:
        peer.number += 1
        body = request(peer.number, EVENTS, items[:503])
        ((number, status, count, came),) = peer.send(body, 60_000)
        assert number == peer.number
        assert len(came) <= 501
        output, items, fulls = output + came, items[count:], fulls + (status == FULL)
        if status == DONE and not items:
            break
        assert status in (DONE, FULL)
    assert output.count(neurons) == steps
    assert peer.read(AT["WINDOWS"]) == [steps // TINY.window.steps]
    assert fulls


def test_half_loaded_core_does_not_run(peer: Peer) -> None:
    peer.write(AT["LOAD"], [1])
    run = number_of(AT["CONTROL"], 2) + number_of(1, 4)
    assert peer.ask(WRITE, run)[1:] == (REFUSED, 0, b"")
    peer.number += 1
    body = request(peer.number, EVENTS, bytes([0, TINY.layer.inputs]))
    # The first event is in the register, and the second one waits for it.
    assert peer.send(body, 70_000) == [(peer.number, STALLED, 1, b"")]
    peer.write(AT["CONTROL"], [1 << 31])
    assert peer.read(AT["LOAD"]) == [1]
    peer.write(AT["LOAD"], [0])
    peer.write(AT["CONTROL"], [1])
    _, status, count, output = peer.ask(EVENTS, bytes([0, TINY.layer.inputs]))
    assert (status, count, output[-1]) == (DONE, 2, TINY.layer.neurons)


@pytest.mark.parametrize("after", [b"", b"\x00", b"\xff" * 5, b"\x7d", b"\x7e" * 4, b"\x7d\x7e"])
def test_line_resynchronises_at_first_frame_after_noise(peer: Peer, after: bytes) -> None:
    peer.drive(levels_of(after), 3000)
    assert peer.read(AT["IDENTITY"]) == [0x464C5442]


def test_line_break_causes_at_most_one_bad_frame(peer: Peer) -> None:
    for bits in (1, 9, 10, 11, 40, 1000):
        assert peer.board.drive(np.zeros(bits, np.uint8), 3000) == b""
        heard = answers(peer.board.send(b"\x7e", 4000))
        assert heard in ([], [(peer.number, BAD_FRAME, 0, b"")])
        assert peer.read(AT["IDENTITY"]) == [0x464C5442]


def test_missing_stop_bit_invalidates_the_frame(peer: Peer) -> None:
    frame = framed(request(peer.number + 1, READ, number_of(AT["IDENTITY"], 2) + bytes([1])))
    for byte in range(1, len(frame) - 1):
        levels = levels_of(frame)
        levels[10 * byte + 9] = 0
        # The line must be 1 before the next start bit.
        levels = np.insert(levels, 10 * byte + 10, 1)
        heard = answers(peer.board.drive(levels, 4000))
        assert heard == [(peer.number, BAD_FRAME, 0, b"")], byte
    assert peer.read(AT["IDENTITY"]) == [0x464C5442]


@pytest.mark.parametrize("divisor", [4, 5, 6, 9, 24])
def test_any_divisor_works(divisor: int) -> None:
    board = SimulatedBoard(TINY, divisor=divisor)
    frame = framed(request(0, OPEN))
    assert answers(board.send(frame, 200 * divisor)) == [(65536, 5, 0, b"")]


def test_divisor_out_of_range_raises() -> None:
    with pytest.raises(BitlifError, match=r"divisor must be .*4.*, not 3"):
        SimulatedBoard(TINY, divisor=3)


def attack(frames: int, seed: int) -> None:
    """Send frames that would change weights if they were not damaged, late, early or old."""
    rng = random.Random(seed)
    peer = Peer(SimulatedBoard(TINY, divisor=4))
    peer.open()
    weights = [rng.randrange(-8, 8) % (1 << 32) for _ in range(WEIGHTS)]
    load(peer, weights)
    peer.write(AT["MEMORY"], [0])
    past: list[bytes] = []

    def harm(number: int) -> bytes:
        """Return a frame that writes weights, loads half, resets, or sends events."""
        what = rng.choice(((AT["DATA"] | STAY, 8), (AT["CONTROL"], 1), (AT["LOAD"], 1)))
        words = [rng.choice((1, 5, 3, 1 << 31)) for _ in range(rng.randint(1, what[1]))]
        rest = number_of(what[0], 2) + b"".join(number_of(word, 4) for word in words)
        if rng.random() < 0.2:
            return framed(request(number, EVENTS, rng.randbytes(rng.randint(0, 20))))
        return framed(request(number, WRITE, rest))

    replies = 0
    for attempt in range(frames):
        frame = harm(peer.number + 1)
        luck = rng.random()
        if luck < 0.15:
            levels = levels_of(harm(peer.number + rng.choice((2, 3, 65536, -1, -2, 1 << 31))))
        elif luck < 0.3 and past:
            levels = levels_of(rng.choice(past))
        else:
            levels = damaged_levels(frame, past or [frame], rng)
        if luck > 0.98:
            levels = levels_of(framed(request(rng.getrandbits(32), OPEN)))
        heard = peer.drive(np.concatenate([levels, levels_of(b"\x7e")]))
        for number, status, count, payload in heard:
            if luck > 0.98 and status == OPENED:
                assert number == (peer.number | 0xFFFF) + 1
                peer.number = number
            assert number == peer.number, attempt
            if status in (BAD_FRAME, OUT_OF_ORDER, UNKNOWN):
                assert (count, payload) == (0, b"")
            replies += 1
        if attempt % 16 == 0:
            # The board still works; its first answer may still be one to the noise.
            body = request(peer.number + 1, READ, number_of(AT["IDENTITY"], 2) + bytes([1]))
            (answer,) = peer.send(body)
            if answer[1] == BAD_FRAME:
                (answer,) = peer.send(body)
            peer.number += 1
            assert answer == (peer.number, DONE, 1, number_of(0x464C5442, 4)), attempt
            past.append(framed(body))
            past.append(harm(peer.number))
            del past[:-40]
        if attempt % 1024 == 0 or attempt == frames - 1:
            assert memory(peer, 0, WEIGHTS) == weights, attempt
            state = peer.read(AT["CONTROL"]) + peer.read(AT["LOAD"]) + peer.read(AT["SIGNATURE"])
            assert state == [0, 0, 0], attempt
            peer.write(AT["MEMORY"], [0])
    assert replies > frames // 3


def test_2000_bad_frames_have_no_effect() -> None:
    attack(2_000, seed=1)


@pytest.mark.long
def test_100000_bad_frames_have_no_effect() -> None:
    attack(100_000, seed=2)
