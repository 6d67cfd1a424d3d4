"""One interface on every backend: same calls, same results, same errors."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import bitlif
import bitlif.sim
from bitlif import Config
from bitlif.hdl.bus.registers import COUNTER_STOPPED
from bitlif.hdl.export import programs
from bitlif.hdl.export.verilog import core_verilog
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.layer import Layer
from bitlif.sim import Core, backend_names
from bitlif.sim.backends import modelled
from bitlif.sim.backends.gates import GateCore
from bitlif.sim.backends.models import ModelCore
from bitlif.sim.backends.stepping import STOPPING
from bitlif.tasks.scenario import Work
from bitlif.tasks.stimulus import random_work

from agreement import ARRAYS, same, same_state

EXACT = ("model", "rtl", "netlist:ice40", "netlist:ecp5")
GATES = EXACT[1:]
TINY = Config.load("tiny")


@pytest.fixture(scope="module")
def cores() -> Iterator[dict[str, Core]]:
    """Yield the open cores of `tiny` by backend: each test shares them."""
    found: dict[str, Core] = {}
    yield found
    for core in found.values():
        core.close()


@pytest.fixture
def core(cores: dict[str, Core], request: pytest.FixtureRequest) -> Core:
    """Return the core of the backend that the test asks for, as after opening."""
    name = request.param
    if name not in cores:
        cores[name] = bitlif.sim.open(TINY, name)
    cores[name].reset()
    cores[name].load(np.zeros((6, 4), np.int64))
    return cores[name]


def on(*names: str, long: Sequence[str] = ()) -> pytest.MarkDecorator:
    # The netlist of an HX8K is an UP5K's without multipliers: by night only.
    params = [pytest.param(own, marks=[pytest.mark.long] * (own in long)) for own in names]
    return pytest.mark.parametrize("core", params, indirect=True)


def fresh_model(work: Work, **options: Any) -> ModelCore:
    model = ModelCore(work.config, **options)
    model.load(work.weights)
    return model


@on(*GATES)
def test_every_backend_matches_the_model(core: Core) -> None:
    work = random_work(TINY, 4, 12)
    model = fresh_model(work)
    core.load(work.weights)
    for part, learn in (([*range(9)], True), ([9], False), ([10, 11], True)):
        record = tuple(
            name for name in core.records if learn or name in ("current", "membrane", "draws")
        )
        events, targets = work.events.select(part), work.targets[part]
        results = [each.run(events, targets, learn=learn, record=record) for each in (model, core)]
        same(*results, record)
        same_state(model, core)
    assert model.phase() == 1
    assert core.counters()["weight_saturations"] > 0


@on(*EXACT)
def test_reset_and_load_restart_the_run(core: Core) -> None:
    work = random_work(TINY, 5, 2)
    core.load(work.weights)
    first = core.learn(work.events, work.targets)
    learned, signature = core.weights(), core.signature()
    core.reset()
    np.testing.assert_array_equal(core.weights(), learned)
    assert core.signature() == core.clocks() == core.phase() == 0
    assert not any(core.counters().values())
    core.load(work.weights)
    same(core.learn(work.events, work.targets), first)
    assert core.signature() == signature


@on(*EXACT)
def test_one_call_equals_many_calls(core: Core) -> None:
    work = random_work(TINY, 6, 5)
    core.load(work.weights)
    whole = core.learn(work.events, work.targets)
    signature = core.signature()
    core.reset()
    core.load(work.weights)
    parts = [
        core.learn(work.events.select([w]), work.targets[w : w + 1]) for w in range(5)
    ]  # fmt: skip
    for name in ARRAYS:
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))
    assert core.signature() == signature
    assert core.clocks() == whole.window_clocks.sum()


def test_splitting_a_call_changes_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    work = random_work(TINY, 6, 5)
    results = []
    for steps in (1, 1 << 15):
        monkeypatch.setattr("bitlif.sim.backends.core.CALL_STEPS", steps)
        with bitlif.sim.open(TINY, "rtl") as core:
            core.load(work.weights)
            results.append(core.learn(work.events, work.targets, record=core.records))
    same(*results, core.records)


@on("model", "rtl", "netlist:ecp5")
def test_tables_of_another_configuration_are_loaded(core: Core) -> None:
    work = random_work(TINY, 7, 3)
    other = TINY.replace(
        error__rule="clipped",
        error__guard=0.01,
        schedule=[{"windows": 1, "sigma": 0.15, "rate": 0.6}, {"sigma": 0.3}],
    )
    core.load(work.weights)
    core.learn(work.events, work.targets)
    core.load_tables(other)
    assert core.config == other
    assert core.clocks() == 0
    core.load(work.weights)
    core.learn(work.events, work.targets)
    model = ModelCore(other)
    model.load(work.weights)
    model.learn(work.events, work.targets)
    same_state(model, core)
    assert core.phase() == 1
    # What is loaded is what a core of the other configuration has built in.
    with bitlif.sim.open(other, "rtl") as built:
        built.load(work.weights)
        built.learn(work.events, work.targets)
        same_state(built, core)
    core.load_tables(TINY)
    assert core.config == TINY


@on(*backend_names(), long=("netlist:ice40hx",))
def test_built_in_fields_cannot_be_loaded(core: Core) -> None:
    with pytest.raises(BitlifError, match=r"^window\.steps must be 16, as the core was built"):
        core.load_tables(TINY.replace(window__steps=17))
    assert core.config == TINY


@on(*backend_names(), long=("netlist:ice40hx",))
def test_all_backends_refuse_wrong_arguments_alike(core: Core) -> None:
    work = random_work(TINY, 8, 2)
    core.load(work.weights)
    for call, text in (
        (lambda: core.load(work.weights[:-1]), r"weights must be .*\(6, 4\).*not .*\(5, 4\)"),
        (lambda: core.load(work.weights + 1000), r"weights must be in -32 \.\.= 31, not 1"),
        (lambda: core.learn(work.events, None), "targets must be given"),
        (lambda: core.learn(work.events, work.targets[:1]), r"targets must be .*of shape \(2, 4\)"),
        (lambda: core.learn(work.events, work.targets + 99), "targets must be in 0"),
        (lambda: core.learn(work.events, work.targets / 2), "targets must be in 0"),
        (lambda: core.run(work.events.select([])), "events must hold at least one window, not 0"),
        (lambda: core.run(Events.from_times([], [], steps=16, units=7)), "events must have 6 un"),
        (lambda: core.run(work.weights), "events must be Events .*, not ndarray"),
        (lambda: core.run(work.events, record=("weights",)), "record must name some of"),
    ):
        with pytest.raises(BitlifError, match=f"^{text}"):
            call()
    assert core.clocks() == 0
    np.testing.assert_array_equal(core.weights(), work.weights)


@on(*backend_names(), long=("netlist:ice40hx",))
def test_errors_are_recorded_only_while_learning(core: Core) -> None:
    work = random_work(TINY, 8, 1)
    text = "with learn=True" if core.records else "shows its ports only"
    with pytest.raises(BitlifError, match=f"^record must .*'errors'.*{text}"):
        core.run(work.events, record=("errors",))


def test_unknown_backend_is_refused() -> None:
    for name, text in (
        ("rlt", "backend must be one of float, model, .*not 'rlt', did you mean 'rtl'"),
        ("netlist:nexus", "backend must be one of .*not 'netlist:nexus'"),
        (3, "backend must be one of .*not 3"),
    ):
        with pytest.raises(BitlifError, match=f"^{text}"):
            bitlif.sim.open(TINY, name)  # type: ignore[arg-type]
    with pytest.raises(
        BitlifError, match=r"^config must be a Config or a NetworkConfig, not 'tiny'"
    ):
        bitlif.sim.open("tiny")  # type: ignore[arg-type]
    with pytest.raises(BitlifError, match=r"^learning must be true or false"):
        bitlif.sim.open(TINY, learning=1)  # type: ignore[arg-type]


def test_missing_compiler_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = programs._programs
    monkeypatch.setattr(
        programs, "_programs", lambda name, *rest: iter([]) if name == "g++" else find(name, *rest)
    )
    with pytest.raises(BitlifError, match=r"g\+\+, which is not on the PATH: sudo apt-get install"):
        bitlif.sim.open(TINY, "rtl")


def test_missing_gates_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amaranth", None)
    monkeypatch.delitem(sys.modules, "bitlif.sim.backends.gates", raising=False)
    for name in list(sys.modules):
        if name.startswith(("bitlif.hdl", "amaranth.")):
            monkeypatch.delitem(sys.modules, name)
    with pytest.raises(BitlifError, match=r"backend 'rtl' needs Amaranth.*pip install"):
        bitlif.sim.open(TINY, "rtl")
    with bitlif.sim.open(TINY, "model") as core:
        assert core.signature() == 0
        core.load_tables(TINY)


@pytest.mark.parametrize("backend", ["float", "model", "rtl"])
def test_closed_core_raises(backend: str) -> None:
    work = random_work(TINY, 1, 1)
    with bitlif.sim.open(TINY, backend) as core:
        core.run(work.events)
    core.close()
    for call in (core.weights, core.state, core.counters, core.signature, core.reset, core.clocks):
        with pytest.raises(BitlifError, match=rf"^the core \({backend}\) is closed"):
            call()
    with pytest.raises(BitlifError, match="is closed"):
        core.run(work.events)


@pytest.mark.parametrize("backend", ["float", "model", "rtl"])
def test_inference_core_refuses_to_learn(backend: str) -> None:
    config = TINY.replace(membrane__reset="teacher")
    work = random_work(config, 2, 2)
    with bitlif.sim.open(config, backend, learning=False) as core:
        core.load(work.weights)
        with pytest.raises(BitlifError, match=r"^learn must be False: .*learning=False"):
            core.learn(work.events, work.targets)
        with pytest.raises(BitlifError, match=r"^targets must be given"):
            core.run(work.events)
        result = core.run(work.events, work.targets, record=("membrane",))
        if backend != "float":
            model = fresh_model(work, learning=False)
            same(model.run(work.events, work.targets, record=("membrane",)), result, ("membrane",))
            same_state(model, core)


def test_model_backend_equals_the_layer() -> None:
    work = random_work(TINY, 3, 6)
    layer = Layer(TINY)
    layer.load(work.weights)
    record = ("current", "membrane", "draws", "errors", "traces", "gradient")
    told = layer.learn(work.events, work.targets, record=record)
    core = fresh_model(work)
    result = core.learn(work.events, work.targets, record=record)
    for name in ("raster", *record):
        np.testing.assert_array_equal(getattr(result, name), getattr(told, name))
    assert result.counters == told.counters
    np.testing.assert_array_equal(core.weights(), layer.weights)


def test_interpreted_model_equals_the_compiled_one() -> None:
    work = random_work(TINY, 3, 2)
    cores = [fresh_model(work, interpreted=interpreted) for interpreted in (False, True)]
    same(*(core.learn(work.events, work.targets) for core in cores))
    same_state(*cores)


def test_float_backend_uses_raw_units() -> None:
    # With draws near zero the twin and the integers stay near each other.
    config = TINY.replace(schedule=[{"sigma": 0.02}])
    weights = np.full((6, 4), 20)
    spikes = Events.from_raster(np.ones((1, 16, 6), bool))
    with bitlif.sim.open(config, "float") as twin, bitlif.sim.open(config) as core:
        for each in (twin, core):
            each.load(weights)
        np.testing.assert_array_equal(twin.weights(), weights)
        record = ("current", "membrane")
        real, exact = (each.run(spikes, record=record) for each in (twin, core))
        # The first step: one rounding of half an LSB each.
        for name in record:
            first, other = getattr(real, name)[0, 0], getattr(exact, name)[0, 0]
            assert np.abs(first - other).max() <= 1.5, name
        assert twin.signature() is None
        assert real.step_signatures.shape == (0, 16)
        assert twin.state().membrane.shape == (4,)
        twin.load(twin.weights() + 0.25)
        # An LSB is a power of two: exact.
        np.testing.assert_array_equal(twin.weights(), weights + 0.25)


def test_configuration_seeds_the_float_backend() -> None:
    work = random_work(TINY, 3, 4)
    rasters = []
    for seed in (1, 1, 2):
        with bitlif.sim.open(TINY.replace(noise__lfsr__seed=seed), "float") as core:
            core.load(work.weights)
            rasters.append(core.learn(work.events, work.targets).raster)
    np.testing.assert_array_equal(rasters[0], rasters[1])
    assert (rasters[0] != rasters[2]).any()


def preset(core: ModelCore, **counts: int) -> None:
    """Let counters of a model stand at these values."""
    core._now = core._now._replace(counted={**core._now.counted, **counts})


def test_counters_of_gates_and_model_saturate_alike() -> None:
    # The upper parts of all counters are full from the reset on: 256 is their end.
    near = core_verilog(TINY).replace("24'h000000", "24'hffffff")
    work = random_work(TINY, 3, 40)
    begins = COUNTER_STOPPED - 255
    model = fresh_model(work)
    preset(model, **dict.fromkeys(STOPPING, begins))
    with GateCore(TINY, "rtl", verilog=near) as gates:
        gates.load(work.weights)
        assert {gates.counters()[name] for name in STOPPING} == {begins}
        stopped: list[tuple[str, ...]] = []
        for chosen in (slice(0, 2), slice(2, 20), slice(20, 40)):
            job: Any = (work.events.select(range(40)[chosen]), work.targets[chosen])
            results = []
            for core in (model, gates):
                with warnings.catch_warnings(record=True) as said:
                    warnings.simplefilter("always")
                    results.append(core.learn(*job))
                result = results[-1]
                words = [str(one.message) for one in said]
                if not result.stopped:
                    assert not words
                    continue
                assert len(words) == 1
                assert words[0].startswith(f"{result.stopped[0]} ")
                assert "stopped counting at 4294967295" in words[0]
                assert len(words[0]) < 200
            same(*results)
            assert results[0].stopped == results[1].stopped
            assert model.counters() == gates.counters()
            stopped.append(results[0].stopped)
            for name in stopped[-1]:
                assert gates.counters()[name] == COUNTER_STOPPED
    # Some are not at their end at first, then are, and count nothing more.
    assert "active_errors" not in stopped[0]
    assert "active_errors" in stopped[-1]
    assert results[1].counters["active_errors"] == 0 < results[1].counters["synaptic_events"]


def test_synaptic_events_do_not_saturate() -> None:
    work = random_work(TINY, 3, 1)
    core = fresh_model(work)
    preset(core, synaptic_events=COUNTER_STOPPED - 1)
    result = core.run(work.events)
    assert result.counters["synaptic_events"] == work.events.count * TINY.layer.neurons
    assert not result.stopped
    assert core.counters()["synaptic_events"] > COUNTER_STOPPED


def test_stalled_core_raises_until_it_is_reset() -> None:
    text = core_verilog(TINY)
    faulty = text.replace("assign started = ", "assign started = 1'h0 & ")
    assert faulty != text
    work = random_work(TINY, 3, 1)
    with GateCore(TINY, "rtl", verilog=faulty) as core:
        core.load(work.weights)
        with pytest.raises(BitlifError, match=r"stalled in window 0 of the run: reset it"):
            core.learn(work.events, work.targets)
        with pytest.raises(BitlifError, match="reset it"):
            core.weights()
        core.reset()
        # Without learning there are no passes over the inputs to wait for.
        model = fresh_model(work)
        core.load(work.weights)
        same(core.run(work.events), model.run(work.events))


def test_open_is_exported_by_the_package() -> None:
    with bitlif.open(TINY, "model") as core:
        assert core.config == TINY


def test_options_of_other_backends_are_refused() -> None:
    for backend, option, value in (
        ("float", "threads", 2),
        ("rtl", "threads", 2),
        ("float", "signature", False),
        ("model", "units", "real"),
        ("model", "seed", 3),
    ):
        with pytest.raises(BitlifError, match=f"^{option} must be .* with backend {backend}"):
            bitlif.open(TINY, backend, **{option: value})  # type: ignore[arg-type]
    for option, value in (("threads", 0), ("signature", 1), ("units", "volt"), ("seed", -1)):
        with pytest.raises(BitlifError, match=f"^{option} must be"):
            bitlif.open(TINY, "float", **{option: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("learn", [True, False])
def test_threads_and_batches_change_no_bit(learn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    work = random_work(TINY, 9, 7)
    first = fresh_model(work)
    same_as = first.run(work.events, work.targets, learn=learn)
    for threads, steps in ((2, 1 << 15), (3, 32), (1, 16)):
        monkeypatch.setattr("bitlif.sim.backends.modelled.CALL_STEPS", steps)
        core = bitlif.open(TINY, "model", threads=threads)
        core.load(work.weights)
        same(same_as, core.run(work.events, work.targets, learn=learn))
        same_state(first, core)


def test_model_without_signature_learns_the_same() -> None:
    work = random_work(TINY, 9, 4)
    core, model = bitlif.open(TINY, signature=False), fresh_model(work)
    core.load(work.weights)
    result, full = (each.learn(work.events, work.targets) for each in (core, model))
    np.testing.assert_array_equal(result.raster, full.raster)
    np.testing.assert_array_equal(core.weights(), model.weights())
    assert result.counters == full.counters
    assert result.step_clocks.shape == result.step_signatures.shape == (0, 16)
    for call in (core.clocks, core.signature):
        with pytest.raises(BitlifError, match=r"signature|clocks"):
            call()


def test_float_backend_has_real_units() -> None:
    work = random_work(TINY, 3, 4)
    raw, real = bitlif.open(TINY, "float"), bitlif.open(TINY, "float", units="real")
    raw.load(work.weights)
    real.load(work.weights / 16)
    record = ("current", "membrane", "errors", "traces", "gradient")
    one = raw.learn(work.events, work.targets, record=record)
    other = real.learn(work.events, work.targets / 16, record=record)
    np.testing.assert_array_equal(one.raster, other.raster)
    np.testing.assert_array_equal(raw.real_weights(), real.weights())
    np.testing.assert_array_equal(real.real_weights(), real.weights())
    lsb = float(TINY.membrane.format.lsb)
    np.testing.assert_array_equal(one.membrane * lsb, other.membrane)
    np.testing.assert_array_equal(raw.state().membrane * lsb, real.state().membrane)
    with pytest.raises(BitlifError, match=r"^targets must be in 0 \.\.= 1"):
        real.learn(work.events, work.targets)
    with pytest.raises(BitlifError, match=r"^targets must be numbers of shape \(4, 4\)"):
        real.learn(work.events, work.targets[0])


def test_real_targets_are_checked_before_any_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modelled, "CALL_STEPS", TINY.window.steps)
    work = random_work(TINY, 3, 4)
    core = bitlif.open(TINY, "float", units="real")
    targets = np.asarray(work.targets) / 16
    targets[-1] = 2.0
    with pytest.raises(BitlifError, match=r"^targets must be in 0 \.\.= 1"):
        core.learn(work.events, targets)
    assert core.windows_learned() == 0


def test_float_seed_selects_the_noise() -> None:
    work = random_work(TINY, 3, 4)
    rasters = {}
    for seed in (None, TINY.noise.lfsr.seed, 7, 8):
        core = bitlif.open(TINY, "float", seed=seed)
        core.load(work.weights)
        rasters[seed] = core.run(work.events).raster
    np.testing.assert_array_equal(rasters[None], rasters[TINY.noise.lfsr.seed])
    assert (rasters[7] != rasters[8]).any()
    fresh = bitlif.open(TINY, "float", seed=7).fresh()
    fresh.load(work.weights)
    np.testing.assert_array_equal(fresh.run(work.events).raster, rasters[8])


def test_output_spikes_are_input_of_the_next_layer() -> None:
    work = random_work(TINY, 3, 4)
    second = TINY.replace(layer__inputs=4, layer__neurons=2, layer__lanes=1)
    with bitlif.open(TINY) as hidden, bitlif.open(second) as output:
        hidden.load(work.weights)
        output.load(np.full((4, 2), 20))
        result = output.run(hidden.run(work.events).spikes)
    assert result.raster.shape == (4, 16, 2)


@pytest.mark.parametrize("backend", ["float", "model"])
def test_representation_is_one_line_and_html(backend: str) -> None:
    core = bitlif.open(TINY, backend)
    assert repr(core) == f"<bitlif core 'tiny' on {backend}: 6 inputs, 4 neurons, learning>"
    assert "<td>tiny</td>" in core._repr_html_()
    core.close()
    assert "closed" in repr(core)


def test_representation_of_a_long_name_fits_a_line() -> None:
    core = bitlif.open(TINY.replace(name="n" * 200))
    assert len(repr(core)) <= 100
    assert "nnn...nnn" in repr(core)
    core.close()


def test_reset_and_close_are_idempotent() -> None:
    work = random_work(TINY, 3, 1)
    core = fresh_model(work)
    core.learn(work.events, work.targets)
    core.reset()
    before = (core.signature(), core.clocks(), core.counters())
    core.reset()
    assert (core.signature(), core.clocks(), core.counters()) == before
    core.close()
    core.close()
