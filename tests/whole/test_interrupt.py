"""An interrupt at any instruction leaves a whole number of windows, on every backend."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import bitlif.sim
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.sim.backends.core import Core

from strategies import stimulus

TINY = Config.load("tiny").replace(
    window__state="carry", window__trace="carry",
    schedule=[{"windows": 3, "sigma": 0.3}, {"sigma": 0.15}],
)  # fmt: skip
WINDOWS = 7
ROOT = Path(bitlif.__file__).parent.parent


@contextlib.contextmanager
def interrupt_at(number: int) -> Iterator[list[int]]:
    """Raise KeyboardInterrupt before the numbered instruction in files of bitlif; count them."""
    count = [0]

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(OWN):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            count[0] += 1
            if count[0] == number:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield count
    finally:
        sys.settrace(before)


OWN = tuple(str(ROOT / folder) for folder in ("model", "sim"))


def layer_snapshot(layer: Any) -> tuple[Any, ...]:
    """Return everything readable in a layer."""
    state = layer.state
    values = [getattr(state, name) for name in state.__slots__]
    plain = [own.tolist() if isinstance(own, np.ndarray) else own for own in values]
    return layer.windows_learned, layer.phase, layer.weights.tolist(), plain


def core_snapshot(core: Core) -> tuple[Any, ...]:
    """Return everything readable in a core."""
    state = core.state()
    values = [getattr(state, name) for name in state.__slots__]
    plain = [own.tolist() if isinstance(own, np.ndarray) else own for own in values]
    weights = core.weights().tolist()
    return (
        core.windows_learned(), core.phase(), weights, plain, core.counters(), core.clocks(),
        core.signature(),
    )  # fmt: skip


def samples(total: int, most: int) -> list[int]:
    """Return instruction numbers from the first to the last, evenly spread."""
    return sorted({1 + (total - 1) * k // (most - 1) for k in range(most)})


def check(
    make: Callable[[], Any],
    snapshot: Callable[[Any], Any],
    call: Callable[[Any, slice], Any],
    most: int,
) -> set[int]:
    """Interrupt a call at many instructions; return the numbers of windows done after them."""
    expected = []
    for windows in range(WINDOWS + 1):
        one = make()
        if windows:
            call(one, slice(0, windows))
        expected.append(snapshot(one))
    one = make()
    with interrupt_at(0) as count:
        call(one, slice(0, WINDOWS))
    assert snapshot(one) == expected[-1]
    found = set()
    for number in samples(count[0], most):
        one = make()
        with contextlib.suppress(KeyboardInterrupt), interrupt_at(number):
            call(one, slice(0, WINDOWS))
        done = expected.index(snapshot(one))
        found.add(done)
        # It continues as if nothing had happened.
        if done < WINDOWS:
            call(one, slice(done, WINDOWS))
        assert snapshot(one) == expected[-1]
    return found


def data(real: bool = False) -> tuple[Events, Any, Any]:
    events, weights, targets = stimulus(TINY, 5, windows=WINDOWS)
    if real:
        return events, weights / 16, targets / (1 << TINY.error.target_bits)
    return events, weights, targets


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bitlif.model.layer.PIECE_WORK", 10_000)
    monkeypatch.setattr("bitlif.model.floating.layer.PIECE_WORK", 16 * 24 * 2)
    monkeypatch.setattr("bitlif.sim.backends.core.CALL_STEPS", 32)
    monkeypatch.setattr("bitlif.sim.backends.modelled.CALL_STEPS", 32)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("learn", [True, False])
@pytest.mark.parametrize("kind", ["model", "large", "interpreted", "ideal", "matched"])
def test_interrupted_layer_has_whole_windows(
    kind: str, learn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = kind in ("ideal", "matched")
    events, weights, targets = data(real)
    if kind == "large":
        monkeypatch.setattr("bitlif.model.layer.LARGE_WINDOW", 1)

    def make() -> Any:
        if real:
            layer: Any = FloatLayer(TINY, matched=kind == "matched")
        else:
            layer = Layer(TINY, interpreted=kind == "interpreted")
        layer.load(weights)
        return layer

    def call(layer: Any, windows: slice) -> None:
        some = events.select(range(WINDOWS)[windows])
        if learn:
            layer.learn(some, targets[windows])
        else:
            layer.run(some, targets[windows], gradient=True)

    found = check(make, layer_snapshot, call, most=12 if kind == "interpreted" else 60)
    assert {0, WINDOWS} < found
    assert len(found) >= 4


@pytest.mark.usefixtures("small_pieces")
def test_interrupted_threads_leave_whole_windows() -> None:
    config = TINY.replace(window__state="clear")
    events, weights, targets = stimulus(config, 5, windows=WINDOWS)

    def make() -> Layer:
        layer = Layer(config, threads=2)
        layer.load(weights)
        return layer

    def call(layer: Layer, windows: slice) -> None:
        layer.run(events.select(range(WINDOWS)[windows]), targets[windows], gradient=True)

    found = check(make, layer_snapshot, call, most=25)
    assert {0, WINDOWS} < found


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("learn", [True, False])
@pytest.mark.parametrize("backend", ["model", "float", "rtl"])
def test_interrupted_core_has_whole_windows(backend: str, learn: bool) -> None:
    events, weights, targets = data()

    def make() -> Core:
        core = bitlif.sim.open(TINY, backend)
        core.load(weights)
        return core

    def call(core: Core, windows: slice) -> None:
        core.run(events.select(range(WINDOWS)[windows]), targets[windows], learn=learn)

    def snapshot(core: Core) -> tuple[Any, ...]:
        try:
            return core_snapshot(core)
        except BitlifError:
            # Interrupted just before the call into the gates, which may or may not have begun.
            assert backend == "rtl"
            with pytest.raises(BitlifError, match="was interrupted in window 0 of the run: reset"):
                core.weights()
            core.reset()
            core.load(weights)
            return core_snapshot(core)

    found = check(make, snapshot, call, most=40)
    assert {0, WINDOWS} < found
    assert len(found) >= 4


@pytest.mark.parametrize("backend", ["model", "float", "rtl"])
def test_interrupted_table_load_is_reported_until_repeated(backend: str) -> None:
    events, weights, targets = data()
    other = TINY.replace(schedule=[{"windows": 2, "sigma": 0.15}, {"sigma": 0.3}])

    def begun() -> Core:
        core = bitlif.sim.open(TINY, backend)
        core.load(weights)
        core.learn(events, targets)
        return core

    fresh = bitlif.sim.open(other, backend)
    fresh.load(begun().weights())
    expected = core_snapshot(fresh)
    core = begun()
    before = core_snapshot(core)
    with interrupt_at(0) as count:
        core.load_tables(other)
    assert core_snapshot(core) == expected
    noticed = 0
    for number in samples(count[0], 25):
        core = begun()
        with contextlib.suppress(KeyboardInterrupt), interrupt_at(number):
            core.load_tables(other)
        if core._half_loaded_tables:
            with pytest.raises(BitlifError, match="interrupted while tables were loaded"):
                core.weights()
            noticed += 1
        else:
            assert core_snapshot(core) in (before, expected)
        core.load_tables(other)
        assert core_snapshot(core) == expected
    assert noticed


@pytest.mark.parametrize("name", ["tiny", "digits", "teacher"])
def test_piece_between_interrupts_is_bounded(name: str) -> None:
    # An upper bound on the additions of a window. A piece of several windows may not exceed it.
    from bitlif.model import layer as module

    config = Config.load(name)
    sizes, steps = config.layer, config.window.steps
    events = Events.from_times([], [], steps=steps, units=sizes.inputs, windows=1)
    layer = Layer(config)
    task = module.Task(events, np.zeros((0, 1, sizes.neurons), np.uint16), module.LEARN, None)
    windows = layer._windows_at_once(task)
    work = steps * (sizes.inputs * sizes.neurons + sizes.inputs + sizes.neurons)
    assert windows == 1 or windows * work <= 1 << 28
    assert windows >= 1


@pytest.mark.parametrize("position", [0, 5, 15])
@pytest.mark.parametrize("backend", ["model", "float", "rtl"])
def test_interrupted_step_has_run_or_not(backend: str, position: int) -> None:
    events, weights, targets = stimulus(TINY, 4, windows=2)
    levels = np.broadcast_to(targets if targets.ndim == 3 else targets[:, None], (2, 16, 4))

    def step(core: Core, t: int) -> None:
        start, stop = events.pointers[t : t + 2]
        core.step(events.addresses[start:stop], levels[t // 16, t % 16], learn=True)

    def prepare(core: Core) -> None:
        core.reset()
        core.load(weights)
        for t in range(position):
            step(core, t)

    with bitlif.sim.open(TINY, backend) as core:
        prepare(core)
        with interrupt_at(0) as total:
            step(core, position)
        for t in range(position + 1, 32):
            step(core, t)
        expected, seen = core_snapshot(core), set()
        for number in samples(total[0], 24):
            prepare(core)
            with contextlib.suppress(KeyboardInterrupt), interrupt_at(number):
                step(core, position)
            learned = (core.step_position or 16 * core.windows_learned()) - position
            assert learned in (0, 1), number
            seen.add(learned)
            for t in range(position + learned, 32):
                step(core, t)
            assert core_snapshot(core) == expected, number
        assert seen == {0, 1}
