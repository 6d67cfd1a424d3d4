"""Each unit of the gates against its twin in the model, in every clock cycle."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Shape, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from bitlif.hdl.counter import SaturatingCounter
from bitlif.hdl.emitter import SpikeEmitter
from bitlif.hdl.fixed import round_shift, saturate
from bitlif.hdl.gradient import GradientPipe
from bitlif.hdl.lfsr import LeapLfsr
from bitlif.hdl.loadable import rate_shifts
from bitlif.hdl.neuron import NeuronPipe
from bitlif.hdl.noise import NoiseDraw
from bitlif.hdl.table import ErrorPipe
from bitlif.hdl.trace import TracePipe
from bitlif.hdl.update import UpdatePipe
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.fixed import Rounding
from bitlif.model.lfsr import LfsrConfig
from bitlif.model.neuron import fires, keep_membrane, leaky_sum, noise_level
from bitlif.model.noise import draw_noise, quantile_table
from bitlif.model.table import error_value, table_bin
from bitlif.model.update import updated_weight

VARIANTS = {
    "tiny": {},
    "noise kept": {"membrane__injection": "membrane"},
    "no noise": {"noise__kind": "none"},
    "no noise, kept": {"noise__kind": "none", "membrane__injection": "membrane"},
    "no synaptic filter": {"synapse__decay": "none"},
    "no synaptic filter, rounded": {"synapse__decay": "none", "synapse__current": "s8.1"},
    "no leak": {"membrane__decay": "integrate"},
    "no leak, finer current": {"membrane__decay": "integrate", "synapse__current": "s10.9"},
    "subtract": {"membrane__reset": "subtract"},
    "subtract, kept": {"membrane__reset": "subtract", "membrane__injection": "membrane"},
    "subtract, few bits": {
        "membrane__reset": "subtract",
        "membrane__format": "s6.4",
        "membrane__threshold": 1.9,
        "schedule": [{"sigma": 0.9}],
    },
    "teacher": {"membrane__reset": "teacher"},
    "floor": {"synapse__rounding": "floor", "membrane__rounding": "floor"},
    "few bits": {"synapse__current": "s6.4", "membrane__format": "s8.6", "error__format": "s4.1"},
    "digits": None,
}


def config_of(name: str) -> Config:
    changes = VARIANTS[name]
    return Config.load("digits") if changes is None else Config.load("tiny").replace(**changes)


def pick(rng: random.Random, shape: Shape) -> int:
    """Return a value of a shape, often its minimum or maximum, or near zero."""
    low = -(1 << (shape.width - 1)) if shape.signed else 0
    high = (1 << (shape.width - shape.signed)) - 1
    near = rng.randint(max(low, -40), min(high, 40))
    return rng.choice((low, high, near, rng.randint(low, high)))


def clocked(
    dut: Any, names: tuple[str, ...], rows: list[Any], hold: dict[str, int], **cycles: int
) -> list[Any]:
    """Feed one row per clock cycle; return the outputs of each, `dut.latency` clock cycles later.

    `cycles` gives other delays for single ports, counted from the first input of the row.
    """
    outputs = [name for name, member in dut.signature.members.items() if member.flow == Out]
    got: list[dict[str, int]] = [{} for _ in rows]

    async def bench(ctx: Any) -> None:
        for name, value in hold.items():
            ctx.set(getattr(dut, name), value)
        for t in range(len(rows) + dut.latency):
            for column, name in enumerate(names):
                row = t - cycles.get(name, 0)
                if 0 <= row < len(rows):
                    ctx.set(getattr(dut, name), rows[row][column])
            for name in outputs:
                row = t - cycles.get(name, dut.latency)
                if 0 <= row < len(rows):
                    got[row][name] = ctx.get(getattr(dut, name))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return got


class Expression(wiring.Component):
    """Ports around an expression of `bitlif.hdl.fixed`."""

    def __init__(self, given: Shape, target: Shape) -> None:
        self.target = target
        super().__init__({"x": In(given), "y": Out(target), "flag": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value, flag = saturate(self.x, self.target)
        m.d.comb += [self.y.eq(value), self.flag.eq(flag)]
        return m


@pytest.mark.parametrize("given", [signed(7), signed(3), unsigned(6), unsigned(2)])
@pytest.mark.parametrize("target", [signed(4), signed(2), unsigned(4), unsigned(1), signed(8)])
def test_saturation_matches_the_model_for_every_value(given: Shape, target: Shape) -> None:
    dut = Expression(given, target)
    low = -(1 << (target.width - 1)) if target.signed else 0
    high = (1 << (target.width - target.signed)) - 1
    values = range(-(1 << (given.width - 1)), 1 << (given.width - 1))
    if not given.signed:
        values = range(1 << given.width)

    async def bench(ctx: Any) -> None:
        for x in values:
            ctx.set(dut.x, x)
            held = min(max(x, low), high)
            assert (ctx.get(dut.y), ctx.get(dut.flag)) == (held, int(held != x))

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()


def test_rounding_matches_the_model_for_every_value() -> None:
    x, modes = Signal(signed(7)), [(mode, shift) for mode in Rounding for shift in range(6)]
    outs = [Signal(signed(9), name=f"out_{k}") for k in range(len(modes))]
    m = Module()
    for out, (mode, shift) in zip(outs, modes, strict=True):
        m.d.comb += out.eq(round_shift(x, mode.bias(shift), shift))

    async def bench(ctx: Any) -> None:
        for value in range(-64, 64):
            ctx.set(x, value)
            for out, (mode, shift) in zip(outs, modes, strict=True):
                assert ctx.get(out) == (value + mode.bias(shift)) >> shift

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("name", VARIANTS)
def test_neuron_pipe_matches_the_model(name: str) -> None:
    config, rng = config_of(name), random.Random(name)
    c, phase = derive(config).constants, derive(config).phases[0]
    dut = NeuronPipe(config)
    sums, levels = derive(config).ranges["weight sum"], config.noise.pmf.levels
    names = ("weight_sum", "current", "membrane", "draw", "reset")
    rows = [
        (
            rng.choice((sums.low, sums.high, rng.randint(sums.low, sums.high))),
            pick(rng, dut.current.shape()),
            pick(rng, dut.membrane.shape()),
            rng.choice(levels),
            rng.randint(0, 1),
        )
        for _ in range(500)
    ]
    hold = {"noise_scale": phase.noise_scale}
    if not config.noise.drawn:
        names, hold = ("weight_sum", "current", "membrane", "reset"), {}
    given = [tuple(row[k] for k in range(5) if config.noise.drawn or k != 3) for row in rows]
    got = clocked(
        dut, names, given, hold,
        membrane=dut.membrane_delay, draw=dut.draw_delay, current_soon=dut.current_latency,
    )  # fmt: skip
    for (total, current, membrane, draw, reset), out in zip(rows, got, strict=True):
        current_next, first = leaky_sum(current, total, c.current)
        before, second = leaky_sum(membrane, current_next, c.membrane)
        noise = noise_level(draw, phase, c)
        spike = fires(before, noise, c)
        kept, third = keep_membrane(before, noise, bool(reset if c.teacher_reset else spike), c)
        assert out == {
            "current_soon": current_next,
            "current_next": current_next,
            "membrane_next": kept,
            "before": before,
            "spike": int(spike),
            "saturated": first | second << 1 | third << 2,
        }


@pytest.mark.parametrize("name", VARIANTS)
def test_error_pipe_matches_the_model(name: str) -> None:
    config, rng = config_of(name), random.Random(name)
    derived = derive(config)
    c, phase = derived.constants, derived.phases[-1]
    dut = ErrorPipe(config)
    rows = [
        (
            pick(rng, dut.membrane.shape())
            if rng.random() < 0.4
            else min(c.threshold + rng.randint(-60, 60), c.membrane.high),
            rng.choice((0, c.target_one, rng.randint(0, c.target_one))),
        )
        for _ in range(800)
    ]
    hold = {"reciprocal": phase.reciprocal}
    got = clocked(dut, ("membrane", "target"), rows, hold, target=dut.target_delay)
    for (membrane, target), out in zip(rows, got, strict=True):
        index = table_bin(membrane, phase, c)
        error, flag = error_value(derived.table[0][index], derived.table[1][index], target, c)
        assert (out["error"], out["saturated"]) == (error, int(flag))


@pytest.mark.parametrize("name", VARIANTS)
def test_trace_pipe_matches_the_model(name: str) -> None:
    config, rng = config_of(name), random.Random(name)
    c = derive(config).constants
    dut = TracePipe(config)
    rows = [
        (rng.randint(0, 1), pick(rng, dut.current.shape()), pick(rng, dut.trace.shape()))
        for _ in range(400)
    ]
    got = clocked(dut, ("spiked", "current", "trace"), rows, {})
    for (spiked, current, trace), out in zip(rows, got, strict=True):
        current_next, first = leaky_sum(current, spiked, c.trace_current)
        trace_next, second = leaky_sum(trace, current_next, c.trace)
        assert out == {
            "current_next": current_next,
            "trace_next": trace_next,
            "saturated": first | second << 1,
        }


@pytest.mark.parametrize("name", ["tiny", "digits"])
@pytest.mark.parametrize("phase_number", [0, -1])
def test_update_pipe_matches_the_model(name: str, phase_number: int) -> None:
    config, rng = config_of(name), random.Random(name)
    derived = derive(config)
    c, phase = derived.constants, derived.phases[phase_number]
    shift = rate_shifts(config).index((phase.rate_left, phase.rate_bias, phase.rate_right))
    dut = UpdatePipe(config)
    reach = derived.ranges["gradient"]
    rows = [
        (
            pick(rng, dut.weight.shape()),
            rng.choice((reach.low, reach.high, rng.randint(-3000, 3000), 0)),
            rng.randrange(1 << config.learning.random_bits),
        )
        for _ in range(600)
    ]
    hold = {"rate": phase.rate, "shift": shift}
    got = clocked(dut, ("weight", "gradient", "random"), rows, hold)
    for (weight, gradient, word), out in zip(rows, got, strict=True):
        expected, flag = updated_weight(weight, gradient, word, phase, c)
        assert out == {"weight_next": expected, "saturated": int(flag)}


def test_gradient_pipe_adds_the_product_to_the_sum() -> None:
    config, rng = Config.load("tiny"), random.Random(1)
    dut = GradientPipe(config)
    rows = [(pick(rng, dut.error.shape()), pick(rng, dut.trace.shape())) for _ in range(200)]
    sums = [rng.randint(-5000, 5000) for _ in rows]
    due = [0] * dut.gradient_delay + sums
    feed = [(*row, due[number]) for number, row in enumerate(rows)]
    got = []

    async def bench(ctx: Any) -> None:
        for error, trace, before in [*feed, *((0, 0, before) for before in due[len(rows) :])]:
            ctx.set(dut.error, error)
            ctx.set(dut.trace, trace)
            ctx.set(dut.gradient, before)
            got.append(ctx.get(dut.gradient_next))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert got[dut.latency :] == [a * b + s for (a, b), s in zip(rows, sums, strict=True)]


@pytest.mark.parametrize(
    ("width", "leap", "reach"), [(8, 1, 1), (16, 16, 16), (31, 8, 8), (33, 100, 20)]
)
def test_leap_lfsr_follows_the_stream_of_the_model(width: int, leap: int, reach: int) -> None:
    source = LfsrConfig(width=width, seed=77).streams(2)[1]
    dut = LeapLfsr(source, leap, reach)

    async def bench(ctx: Any) -> None:
        expected = source
        for t in range(60):
            assert ctx.get(dut.state) == expected.state
            assert ctx.get(dut.word) == expected.state & ((1 << reach) - 1)
            advance, restart = t % 3 != 0, t == 40
            ctx.set(dut.advance, advance)
            ctx.set(dut.restart, restart)
            await ctx.tick()
            expected = source if restart else expected.leap(leap) if advance else expected

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(
    "changes",
    [
        {"noise__words": 2, "noise__word_bits": 8},
        {"noise__words": 5, "noise__word_bits": 3},
        {"noise__words": 1, "noise__word_bits": 1},
        {"noise__kind": "popcount", "noise__words": 3, "noise__word_bits": 5},
        {"noise__kind": "inverse_cdf", "noise__words": 1, "noise__word_bits": 7},
        {
            "noise__kind": "inverse_cdf", "noise__words": 1, "noise__word_bits": 13,
            "noise__level_bits": 16,
        },
    ],
)  # fmt: skip
def test_draws_match_the_model_for_random_words(changes: dict[str, Any]) -> None:
    noise = Config.load("tiny").replace(**changes).noise
    rng = random.Random(str(changes))
    dut = NoiseDraw(noise)
    words = [rng.randrange(1 << noise.draw_bits) for _ in range(300)]
    got = [out["draw"] for out in clocked(dut, ("word",), [(word,) for word in words], {})]
    popcount = noise.kind == "popcount"
    shape = (noise.draw_bits, 1) if popcount else (noise.words, noise.word_bits)
    table = noise.kind == "inverse_cdf"
    quantiles = np.array(quantile_table(noise.word_bits, noise.level_bits) if table else [], int)
    for word, draw in zip(words, got, strict=True):
        packed = np.array([word & 0xFFFFFFFF, word >> 32, 0, 0], np.uint32)
        expected = np.zeros(1, np.int64)
        draw_noise(packed, 0, noise.leap, shape, quantiles, expected)
        assert draw == expected[0]


@pytest.mark.parametrize("flags", [1, 5, 32])
def test_counter_counts_flags_and_saturates(flags: int) -> None:
    dut, rng, bits = SaturatingCounter(flags, 12), random.Random(flags), 12
    most = (1 << flags) - 1
    rows = [rng.choice((0, most, most, rng.randint(0, most))) for _ in range(600)]
    rows += [most] * (5000 // flags) + [0, most, 1, 0]
    expected, total = [], 0
    for row in rows:
        total = min(total + row.bit_count(), (1 << bits) - 1)
        expected.append(total)
    got = [out["value"] for out in clocked(dut, ("flags",), [(row,) for row in rows], {})]
    assert got == expected
    assert got[-1] == (1 << bits) - 1


def test_emitter_sends_lowest_addresses_first() -> None:
    sizes = Config.load("tiny").replace(layer__neurons=5, layer__lanes=2).layer
    dut = SpikeEmitter(sizes)
    got = []

    async def bench(ctx: Any) -> None:
        for slot, spikes in ((0, 0b11), (1, 0b00), (2, 0b11)):
            ctx.set(dut.push, 1)
            ctx.set(dut.slot, slot)
            ctx.set(dut.spikes, spikes)
            await ctx.tick()
        ctx.set(dut.push, 0)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.o.ready, 1)
        while True:
            (event,) = await ctx.tick().sample(dut.o.payload).until(dut.o.valid)
            if event.last:
                return
            got.append(event.address)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert got == [0, 1, 4]
    assert isinstance(dut.o.payload, data.View)
