"""Frames compared with those of a reference board written from the documentation alone."""

from __future__ import annotations

import doctest
import random
import zlib
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitlif import Config
from bitlif.hdl.uart.protocol import LONGEST, Status
from bitlif.host import event_codec as items
from bitlif.host import frames
from bitlif.host.frames import (
    MAX_ITEM_BYTES,
    MAX_WORDS,
    Answer,
    Deframer,
    decode_frame,
    encode_frame,
    request,
)
from bitlif.sim.backends import serial as serialcore

import uart_board
from uart_board import Noise

BODIES = st.binary(min_size=5, max_size=508) | st.lists(
    st.sampled_from((0x7D, 0x7E, 0x5D, 0x5E, 0)), min_size=5, max_size=508
).map(bytes)


@given(BODIES)
def test_encoded_frame_is_decoded(body: bytes) -> None:
    frame = encode_frame(body)
    assert frame[0] == frame[-1] == 0x7E
    assert frame.count(0x7E) == 2
    assert Deframer().feed(frame) == [body]


@given(st.lists(BODIES, max_size=5), st.randoms(use_true_random=False))
def test_frames_are_decoded_from_any_pieces(bodies: list[bytes], random: random.Random) -> None:
    line = b"end of a frame before\x7d" + b"".join(map(encode_frame, bodies))
    deframer, found = Deframer(), []
    while line:
        count = random.randint(1, len(line))
        found += deframer.feed(line[:count])
        line = line[count:]
    assert found == bodies


@settings(max_examples=300)
@given(BODIES, st.data())
def test_inverted_bit_is_detected(body: bytes, data: st.DataObject) -> None:
    frame = bytearray(encode_frame(body))
    place = data.draw(st.integers(1, len(frame) - 2))
    frame[place] ^= 1 << data.draw(st.integers(0, 7))
    assert body not in Deframer().feed(bytes(frame))


def test_frame_matches_documented_bytes() -> None:
    body = request(0x7E, 3, b"\x7d")
    assert body.hex() == "7e000000037d"
    crc = zlib.crc32(body).to_bytes(4, "little").hex()
    assert "7d" not in crc
    assert "7e" not in crc
    assert encode_frame(body).hex() == f"7e7d5e000000037d5d{crc}7e"
    assert Answer.parse(bytes.fromhex("01000000 02 0300")) == Answer(1, Status.REFUSED, 3, b"")


@pytest.mark.parametrize("size", [4, 509])
def test_frame_of_wrong_length_is_damaged(size: int) -> None:
    assert Deframer().feed(encode_frame(bytes(size))) == [None]


def test_incomplete_escape_is_damaged() -> None:
    assert decode_frame(encode_frame(bytes(5))[1:-1] + b"\x7d") is None
    assert Answer.parse(bytes(6)) is None


def test_line_without_flags_uses_bounded_memory() -> None:
    deframer = Deframer()
    for _ in range(100):
        assert deframer.feed(bytes(1000)) == []
    assert len(deframer._pending) <= 2 * LONGEST + 1
    assert deframer.feed(b"\x7e") == []
    assert deframer.feed(bytes(3000) + encode_frame(b"12345")) == [None, b"12345"]


def test_largest_payloads_fit_a_frame() -> None:
    assert len(request(0, 3, bytes(MAX_ITEM_BYTES))) == LONGEST - 4
    assert len(request(0, 2, bytes(2 + 4 * MAX_WORDS))) <= LONGEST - 4
    assert 7 + 4 * MAX_WORDS <= LONGEST - 4


@pytest.mark.parametrize("seed", range(3))
def test_deframer_resynchronises_after_noise(seed: int) -> None:
    noise, deframer = Noise(0.5, seed), Deframer()
    for number in range(200):
        found = deframer.feed(noise.pass_on(encode_frame(request(number, 1, b"abc"))))
        # Only whole frames are decoded, and the next frame always is.
        assert {body for body in found if body} <= {request(number, 1, b"abc")}
        assert request(number, 2) in deframer.feed(encode_frame(request(number, 2)))


def test_reference_board_uses_the_same_frames() -> None:
    board = uart_board.Board(uart_board.Layer(Config.load("tiny")))
    heard = b"".join(map(board.hear, encode_frame(request(7, 0)))) + board.say(
        0x7E, b"\x7d\x00\x00"
    )
    bodies = [Answer.parse(body) for body in Deframer().feed(heard) if body]
    assert bodies == [Answer(65536, Status.OPENED, 0, b""), Answer(0x7E, 0x7D, 0, b"")]


@pytest.mark.parametrize("module", [frames, items, serialcore])
def test_docstring_examples_pass(module: ModuleType) -> None:
    done = doctest.testmod(module)
    assert done.attempted
    assert not done.failed


def damaged(frame: bytes, other: bytes, rng: random.Random) -> bytes:
    data, kind = bytearray(frame), rng.randrange(6)
    place, second = (rng.randrange(1, len(data) - 1) for _ in range(2))
    if kind == 0:
        del data[place]
    elif kind == 1:
        data.insert(place, data[place])
    elif kind == 2:
        data[place], data[second] = data[second], data[place]
    elif kind == 3:
        del data[place:]
    elif kind == 4:
        data[place:] = other[rng.randrange(len(other)) :]
    for _ in range(rng.choice((1, 2, 3, 20)) if kind == 5 else 0):
        place = rng.randrange(8 * len(data))
        data[place // 8] ^= 1 << place % 8
    return bytes(data)


def check_damaged_answers(count: int, seed: int) -> None:
    """Feed damaged answers; only frames that were sent may be accepted."""
    rng = random.Random(seed)
    sent = [request(0, 0)]
    bad = 0
    for _ in range(count):
        body = rng.randbytes(7) + rng.randbytes(rng.choice((0, 0, 4, 12, 40)))
        frame = damaged(encode_frame(body), encode_frame(sent[-1]), rng)
        sent.append(body)
        deframer = Deframer()
        for taken in deframer.feed(b"\x7e" + frame + b"\x7e"):
            assert taken is None or taken in sent[-2:]
            bad += taken is None
    assert bad > count // 2


def test_100000_damaged_answers_are_never_accepted() -> None:
    check_damaged_answers(100_000, seed=1)
