"""Windows run step by step on every backend: the bits of whole windows, and closed loops."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import bitlif.sim
from bitlif import Config, Events
from bitlif.host.link import Link
from bitlif.model.errors import BitlifError, BitlifTypeError
from bitlif.sim import Core
from bitlif.sim.backends.models import FloatCore, ModelCore
from bitlif.sim.backends.pysim_core import SimulatedCore
from bitlif.sim.backends.result import StepResult
from bitlif.sim.backends.serial import SerialCore
from bitlif.tasks.scenario import Work
from bitlif.tasks.stimulus import random_work

from strategies import configs, random_configs, stimulus, with_gates
from uart_board import Board, Layer, Line

TINY = Config.load("tiny")
TEACHER = TINY.replace(
    name="teacher", membrane__reset="teacher", window__state="carry", window__trace="carry",
    schedule=[{"windows": 1, "sigma": 0.3}, {"sigma": 0.15}],
)  # fmt: skip
NEURON_RECORDS = ("current", "membrane", "draws")


def inputs_of(events: Events, step: int) -> NDArray[np.int32]:
    """Return the addresses of a step, counted through all windows."""
    return events.addresses[events.pointers[step] : events.pointers[step + 1]]


def targets_of(targets: NDArray[Any], window: int, t: int) -> NDArray[Any]:
    return targets[window] if targets.ndim == 2 else targets[window, t]


def stepped(
    core: Core, events: Events, targets: NDArray[Any], *, learn: bool, record: tuple[str, ...] = ()
) -> list[StepResult]:
    """Run whole windows step by step."""
    return [
        core.step(
            inputs_of(events, w * events.steps + t), targets_of(targets, w, t), learn=learn,
            record=record,
        )
        for w in range(events.windows)
        for t in range(events.steps)
    ]  # fmt: skip


def state_of(core: Core) -> list[Any]:
    """Return everything that can be read between windows but the clock cycles."""
    state = core.state()
    arrays = [core.weights(), *(getattr(state, name) for name in state.__slots__)]
    numbers = [core.counters(), core.signature(), core.windows_learned()]
    return [[np.asarray(array).tolist() for array in arrays], numbers]


def check(whole: Core, parts: Core, work: Work, *, learn: bool) -> None:
    """Run the same windows in both ways: everything must be equal but the clock cycles.

    Steps overlap in a run. By themselves, they take the clock cycles that the model gives.
    """
    events, targets = work.events, work.targets
    record = tuple(name for name in whole.records if learn or name in NEURON_RECORDS)
    model = ModelCore(work.config, learning=parts.learning) if out_of_gates(parts) else parts
    for core in {id(core): core for core in (whole, parts, model)}.values():
        core.load(work.weights)
    out = whole.run(events, targets, learn=learn, record=record)
    results = stepped(parts, events, targets, learn=learn, record=record)
    alone = results if model is parts else stepped(model, events, targets, learn=learn)
    spent = 0
    for number, (result, expected) in enumerate(zip(results, alone, strict=True)):
        w, t = divmod(number, events.steps)
        last = t + 1 == events.steps
        assert (result.step, result.ended) == (t, last)
        assert result.spikes.dtype == np.bool_
        np.testing.assert_array_equal(result.spikes, out.raster[w, t])
        for name in record:
            values = getattr(result, name)
            whole_window = getattr(out, name)[w]
            if name == "gradient":
                assert (values is not None) == last
            if values is not None:
                np.testing.assert_array_equal(
                    values, whole_window if name == "gradient" else whole_window[t], name
                )
        if out.step_clocks.size:
            assert result.clocks == expected.clocks
            assert result.window_clocks == expected.window_clocks
            assert (result.window_clocks is not None) == last
            if result.window_clocks is not None:
                assert result.window_clocks >= out.window_clocks[w]
                spent += result.window_clocks
        else:
            assert result.clocks is result.window_clocks is None
        if out.step_signatures.size:
            assert result.signature == out.step_signatures[w, t]
        elif out_of_gates(parts):
            assert result.signature == expected.signature
        else:
            assert result.signature is None
    assert state_of(whole) == state_of(parts)
    if parts.counts_clocks:
        assert parts.clocks() == spent


def out_of_gates(core: Core) -> bool:
    """Return whether a core counts the clock cycles of gates, rather than by the formula."""
    return core.backend.startswith(("rtl", "netlist", "amaranth"))


def drawn(config: Config, seed: int, windows: int) -> Work:
    events, weights, targets = stimulus(config, seed, windows)
    return Work(config, weights, events, targets, stall=0.0, seed=seed)


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(config=configs(max_steps=6), seed=st.integers(0, 2**32), learn=st.booleans())
def test_steps_equal_windows_on_the_models(config: Config, seed: int, learn: bool) -> None:
    work = drawn(config, seed, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of small raw targets
        for options in ({"interpreted": True}, {"interpreted": True, "signature": False}):
            pair = [ModelCore(config, **options) for _ in range(2)]
            if options.get("signature", True):
                check(*pair, work, learn=learn)
            else:
                pair[0].load(work.weights)
                pair[1].load(work.weights)
                out = pair[0].run(work.events, work.targets, learn=learn)
                results = stepped(pair[1], work.events, work.targets, learn=learn)
                raster = np.array([result.spikes for result in results])
                np.testing.assert_array_equal(raster, out.raster.reshape(raster.shape))
                assert pair[0].counters() == pair[1].counters()
                assert results[0].clocks is results[0].signature is None
        check(*(FloatCore(config) for _ in range(2)), work, learn=learn)


@pytest.mark.parametrize("learn", [False, True])
@pytest.mark.parametrize("config", [TINY, TEACHER], ids=["tiny", "teacher"])
def test_compiled_steps_equal_windows(config: Config, learn: bool) -> None:
    work = random_work(config, 3, 3)
    check(*(ModelCore(config) for _ in range(2)), work, learn=learn)


def test_real_units_apply_to_steps() -> None:
    work = random_work(TINY, 3, 2)
    lsb = float(TINY.synapse.weight.lsb)
    real = Work(TINY, work.weights * lsb, work.events, work.targets / (1 << TINY.error.target_bits))
    check(*(FloatCore(TINY, units="real") for _ in range(2)), real, learn=True)


@pytest.mark.parametrize("learning", [True, False])
def test_steps_equal_windows_in_the_rtl(learning: bool) -> None:
    for config in (TINY, TEACHER):
        work = random_work(config, 5, 3)
        with (
            bitlif.sim.open(config, "rtl", learning=learning) as whole,
            bitlif.sim.open(config, "rtl", learning=learning) as parts,
        ):
            check(whole, parts, work, learn=learning)
            # Windows and steps take turns on one core.
            for core in (whole, parts):
                core.run(work.events, work.targets)
            assert state_of(whole) == state_of(parts)


def test_steps_equal_windows_in_the_rtl_of_a_random_core() -> None:
    config = with_gates(random_configs(8)[5], 7)
    work = drawn(config, 6, 2)
    with bitlif.sim.open(config, "rtl") as whole, bitlif.sim.open(config, "rtl") as parts:
        check(whole, parts, work, learn=True)


@pytest.mark.parametrize("backend", ["netlist:ice40", "netlist:ecp5"])
def test_steps_equal_windows_in_a_netlist(backend: str) -> None:
    work = random_work(TINY, 7, 1)
    with bitlif.sim.open(TINY, backend) as whole, bitlif.sim.open(TINY, backend) as parts:
        check(whole, parts, work, learn=True)


def board_core(config: Config, **noise: Any) -> SerialCore:
    link = Link(Line(Board(Layer(config)), **noise), timeout=0.001, retries=30)
    return SerialCore(config, "serial:test", link=link)


@pytest.mark.parametrize("chance", [0.0, 0.1])
@pytest.mark.parametrize("config", [TINY, TEACHER], ids=["tiny", "teacher"])
def test_steps_equal_windows_on_a_board(config: Config, chance: float) -> None:
    work = random_work(config, 8, 2)
    noise = {"chance": chance, "seed": 3}
    check(board_core(config, **noise), board_core(config, **noise), work, learn=True)


@pytest.mark.parametrize("learn", [False, True])
@pytest.mark.parametrize("config", [TINY, TEACHER], ids=["tiny", "teacher"])
def test_steps_equal_windows_in_amaranths_simulator(config: Config, learn: bool) -> None:
    work = random_work(config, 4, 2)
    with SimulatedCore(config) as core:
        check(Bare(config), core, work, learn=learn)


class Bare(ModelCore):
    """A model that records nothing, like cores that show only their ports."""

    records = ()


def loop(core: Core, weights: NDArray[Any], windows: int) -> NDArray[np.bool_]:
    """Close a loop: inputs and targets depend on the spikes of the step before."""
    core.load(weights)
    one = 1 << TINY.error.target_bits
    spikes, rows = np.zeros(4, np.bool_), []
    for step in range(windows * TINY.window.steps):
        inputs = [*np.flatnonzero(spikes), 4 + step % 2]
        targets = np.where(spikes, 0, one // 2).astype(np.uint16)
        spikes = core.step(inputs, targets, learn=True).spikes
        rows.append(spikes)
    return np.array(rows)


@pytest.fixture
def cores() -> Iterator[dict[str, Core]]:
    """Yield a core of `tiny` for each integer backend that needs no netlist."""
    found = {
        "model": bitlif.sim.open(TINY),
        "rtl": bitlif.sim.open(TINY, "rtl"),
        "board": board_core(TINY),
        "amaranth": SimulatedCore(TINY),
    }
    yield found
    for core in found.values():
        core.close()


def test_closed_loop_is_the_same_everywhere(cores: dict[str, Core]) -> None:
    weights = random_work(TINY, 2, 1).weights
    rasters = {name: loop(core, weights, 3) for name, core in cores.items()}
    learned = {name: core.weights() for name, core in cores.items()}
    assert rasters["model"].any()
    assert not rasters["model"].all()
    assert (learned["model"] != weights).any()
    for name in ("rtl", "board", "amaranth"):
        np.testing.assert_array_equal(rasters[name], rasters["model"])
        np.testing.assert_array_equal(learned[name], learned["model"])
        assert cores[name].signature() == cores["model"].signature()


def test_calls_inside_a_window_raise(cores: dict[str, Core], tmp_path: Path) -> None:
    work = random_work(TINY, 1, 1)
    for name, core in {**cores, "float": FloatCore(TINY)}.items():
        core.load(work.weights)
        before = None if name == "float" else state_of(core)
        for _ in range(3):
            core.step([1])
        assert core.step_position == 3
        for call in (
            lambda core=core: core.run(work.events, work.targets),
            lambda core=core: core.learn(work.events, work.targets),
            lambda core=core: core.load(work.weights),
            lambda core=core: core.load_tables(TINY),
            core.weights, core.state, core.counters, core.signature, core.windows_learned,
            core.phase, core.clocks,
        ):  # fmt: skip
            with pytest.raises(BitlifError, match=r"has run 3 of the 16 steps of a window"):
                call()
        with pytest.raises(BitlifError, match="learn must be False in all steps of this window"):
            core.step([1], work.targets[0, 0], learn=True)
        if name in ("model", "float"):
            for call in (
                lambda core=core: core.save(tmp_path / "core.npz"),
                lambda core=core: core.resume(tmp_path / "core.npz"),
                lambda core=core: copy.copy(core),
            ):
                with pytest.raises(BitlifError, match="has run 3 of the 16 steps"):
                    call()
        assert core.fresh().step_position == 0
        # An abandoned window leaves no trace.
        core.reset()
        assert core.step_position == 0
        if before is not None:
            assert state_of(core) == before
            check_after_reset(core, work)
        core.close()
        with pytest.raises(BitlifError, match="is closed"):
            core.step([1])


def check_after_reset(core: Core, work: Work) -> None:
    """Require that a window on the core has the model's results."""
    model = ModelCore(TINY)
    model.load(work.weights)
    expected = model.learn(work.events, work.targets).raster
    np.testing.assert_array_equal(core.learn(work.events, work.targets).raster, expected)
    np.testing.assert_array_equal(core.weights(), model.weights())


def test_closing_inside_a_window_releases_the_gates() -> None:
    core = bitlif.sim.open(TINY, "rtl")
    core.step([0])
    core.close()
    with pytest.raises(BitlifError, match="is closed"):
        assert core.step_position


def test_spikes_are_numbers_or_a_mask(cores: dict[str, Core]) -> None:
    mask = np.array([True, False, False, True, False, True])
    for core in cores.values():
        rasters = []
        for spikes in (mask, mask.tolist(), [5, 0, 3], np.array([3, 5, 0], np.uint8)):
            core.reset()
            core.load(np.full((6, 4), 7))
            rasters.append([core.step(spikes).spikes.tolist() for _ in range(16)])
        assert all(raster == rasters[0] for raster in rasters)
        assert np.any(rasters[0])


@pytest.mark.parametrize(
    ("spikes", "message"),
    [
        ([6], r"spikes must be in 0 \.\.= 5, not 6"),
        ([-1], r"spikes must be in 0 \.\.= 5, not -1"),
        ([2, 2], "at most once, not 2 twice$"),
        ([0, 1, 0, 0, 1, 0], "not 0 twice; pass a mask as booleans"),
        ([0.5], "numbers of inputs, or booleans of shape"),
        (np.zeros(5, bool), "numbers of inputs, or booleans of shape"),
        ([[1]], "numbers of inputs, or booleans of shape"),
        (3, "numbers of inputs, or booleans of shape"),
        (None, "numbers of inputs, or booleans of shape"),
        ([[1], []], "spikes must be an array"),
    ],
)
def test_wrong_spikes_are_refused(spikes: Any, message: str) -> None:
    core = ModelCore(TINY)
    with pytest.raises(BitlifError, match=message):
        core.step(spikes)
    assert core.step_position == 0


def test_wrong_arguments_of_a_step_are_refused() -> None:
    core = ModelCore(TINY)
    levels = np.zeros(4, np.uint16)
    for call, kind, message in (
        (lambda: core.step([0], learn=True), BitlifError, "targets must be given for learning"),
        (lambda: core.step([0], levels[:3]), BitlifTypeError, "of a step must have the shape"),
        (lambda: core.step([0], levels[None]), BitlifTypeError, "of a step must have the shape"),
        (lambda: core.step([0], levels + 2000), BitlifError, "targets must be in 0"),
        (lambda: core.step([0], levels, learn=1), BitlifTypeError, "learn must be true or false"),
        (lambda: core.step([0], record=("errors",)), BitlifError, "only with learn=True"),
        (lambda: core.step([0], record=("weights",)), BitlifError, "record must name some of"),
    ):
        with pytest.raises(kind, match=message):  # type: ignore[arg-type]
            call()
    assert core.step_position == 0
    with pytest.raises(BitlifError, match="targets must be given"):
        ModelCore(TEACHER).step([0])
    with pytest.raises(BitlifError, match="learn must be False: the core was opened"):
        ModelCore(TINY, learning=False).step([0], levels, learn=True)


def test_records_may_differ_from_step_to_step() -> None:
    core = ModelCore(TINY)
    levels = np.full(4, 8, np.uint16)
    core.load(np.full((6, 4), 20))
    first = core.step([0], levels, learn=True)
    second = core.step([0], levels, learn=True, record=("membrane",))
    third = core.step([0], levels, learn=True, record=("traces", "errors"))
    assert first.membrane is third.membrane is second.errors is None
    assert second.membrane is not None
    assert third.traces is not None
    assert (second.membrane.shape, third.traces.shape) == ((4,), (6,))
    assert third.traces[0] > 0
    kept = second.membrane.copy()
    core.step([0], levels, learn=True, record=("membrane",))
    np.testing.assert_array_equal(second.membrane, kept)
    assert repr(first) == f"<StepResult step=0 spikes={first.spikes.sum()}>"


def test_loaded_tables_apply_to_steps() -> None:
    other = TINY.replace(
        error__rule="clipped", error__guard=0.01,
        schedule=[{"windows": 1, "sigma": 0.15, "rate": 0.6}, {"sigma": 0.3}],
    )  # fmt: skip
    pair = [ModelCore(TINY), ModelCore(TINY)]
    for core in pair:
        core.step([0], np.zeros(4, np.uint16), learn=True)
        core.reset()
        core.load_tables(other)
    check(*pair, random_work(other, 9, 2), learn=True)
