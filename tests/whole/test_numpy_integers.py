"""NumPy integers are accepted wherever an int is, and are converted to Python integers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.config.toml import config_hash, config_to_dict, dump_config
from bitlif.model.errors import BitlifError, plain, require_int, require_real
from bitlif.model.events import Events
from bitlif.model.fixed import Format
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.lfsr import Lfsr, LfsrConfig
from bitlif.model.noise_report.draws import measure_draws
from bitlif.model.polynomials import DEFAULT_TAPS
from bitlif.sim.backends.models import ModelCore
from bitlif.tasks.digits import load_digits_task
from bitlif.tasks.encoders import encode_latency, encode_rate
from bitlif.tasks.stimulus import random_work
from bitlif.tasks.teacher import learn_from_teacher, make_teacher_task

TINY = Config.load("tiny")
KINDS = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)


def narrowest(value: int) -> list[Any]:
    """Return a value in every NumPy type that can hold it."""
    infos = [(kind, np.iinfo(kind)) for kind in KINDS]
    return [kind(value) for kind, info in infos if info.min <= value <= info.max]


def require_plain(node: Any) -> None:
    """Raise unless a tree contains built-in types only."""
    if isinstance(node, dict):
        for own in node.values():
            require_plain(own)
    elif isinstance(node, list):
        for own in node:
            require_plain(own)
    else:
        assert type(node) in (int, float, str, bool), type(node)


@pytest.mark.parametrize("value", [0, 1, 100, -3, (1 << 63) - 1, (1 << 64) - 1])
def test_integers_of_every_width_are_converted(value: int) -> None:
    for own in narrowest(value):
        made = require_int("x", own, -10, 1 << 64)
        assert (made, type(made)) == (value, int)
        real = require_real("x", own, -10.0, 2.0**64)
        assert (real, type(real)) == (float(value), float)


def test_float64_is_converted_and_narrower_floats_are_not() -> None:
    made = require_real("x", np.float64(0.5), 0.0, 1.0)
    assert (made, type(made)) == (0.5, float)
    # 0.1 with 24 bits is a different number.
    with pytest.raises(TypeError, match=r"^x must be a number in 0 \.\.= 1, not"):
        require_real("x", np.float32(0.1), 0.0, 1.0)


def test_booleans_are_not_integers() -> None:
    for own in (True, np.True_, np.False_):
        with pytest.raises(TypeError, match=r"^x must be an integer"):
            require_int("x", own, 0, 9)
        with pytest.raises(TypeError, match=r"^x must be a number"):
            require_real("x", own, 0, 9)


@pytest.mark.parametrize(
    "value", [1.0, np.float64(1.0), "1", None, np.array([1]), np.array("1"), np.datetime64(1, "s")]
)
def test_values_that_are_not_integers_are_rejected(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^x must be an integer in 0 \.\.= 9, not"):
        require_int("x", value, 0, 9)


def test_plain_leaves_other_values_unchanged() -> None:
    for own in (3, "s", None, (1, 2), np.arange(3), np.str_("s")):
        assert plain(own) is own


def test_configuration_accepts_numpy_integers() -> None:
    config = TINY.replace(
        noise__lfsr__taps=list(DEFAULT_TAPS[16]), error__rule="table", error__index_bits=3,
        error__a=[1.0] * 8, error__b=[0.5] * 8,
    )  # fmt: skip
    seen = 0

    def walk(section: Any) -> Any:
        nonlocal seen
        changes = {}
        for name in section.__dataclass_fields__:
            value = getattr(section, name)
            if type(value) is int:
                changes[name] = narrowest(value)[seen % len(narrowest(value))]
                seen += 1
            elif type(value) is float:
                changes[name] = np.float64(value)
            elif type(value) is tuple and name != "schedule":
                changes[name] = tuple(np.float64(own) if type(own) is float else np.uint8(own)
                                      for own in value)  # fmt: skip
            elif name == "schedule":
                changes[name] = tuple(walk(own) for own in value)
            elif hasattr(value, "__dataclass_fields__"):
                changes[name] = walk(value)
        values = {name: getattr(section, name) for name in section.__dataclass_fields__} | changes
        return type(section)(**values)

    again = walk(config)
    assert seen > 40
    assert again == config
    assert hash(again) == hash(config)
    require_plain(config_to_dict(again))
    assert config_hash(again) == config_hash(config)
    assert dump_config(again) == dump_config(config)


def test_replace_accepts_numpy_integers() -> None:
    lanes = np.unique([2, 2])[0]
    config = TINY.replace(layer__lanes=lanes, schedule=[{"sigma": np.float64(0.2)}])
    assert config == TINY.replace(layer__lanes=2, schedule=[{"sigma": 0.2}])
    json.dumps(config_to_dict(config))
    with pytest.raises(BitlifError, match=r"lanes must be in 1 \.\.= 256, not"):
        TINY.replace(layer__lanes=np.int8(-1))


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint8])
def test_every_call_accepts_numpy_integers(kind: Any) -> None:
    # 100 * 16 steps would overflow eight bits.
    many = Events.from_times([3], [2], steps=kind(16), units=kind(6), windows=kind(100))
    assert [type(own) for own in (many.steps, many.units, many.windows)] == [int] * 3
    assert many.windows == 100
    ink = np.array([[1.0, 0.25], [0.5, 0.0]])
    for made, expected in (
        (encode_rate(ink, kind(100), seed=kind(3)), encode_rate(ink, 100, seed=3)),
        (encode_latency(ink, kind(100)), encode_latency(ink, 100)),
        (random_work(TINY, kind(3), kind(4)).events, random_work(TINY, 3, 4).events),
        (make_teacher_task(TINY, kind(1)).events, make_teacher_task(TINY, 1).events),
    ):
        np.testing.assert_array_equal(made.addresses, expected.addresses)
        assert (made.steps, made.units) == (expected.steps, expected.units)
    assert type(random_work(TINY, kind(3), kind(4)).seed) is int
    assert Layer(TINY, threads=kind(2))._threads == 2
    twins = [FloatLayer(TINY, seed=seed) for seed in (kind(3), 3)]
    rasters = [twin.run(many).raster for twin in twins]
    np.testing.assert_array_equal(*rasters)
    assert twins[0].kind == twins[1].kind
    assert Format(kind(8), kind(4)).raw_max == 127
    assert str(Format(kind(8), kind(4))) == "s8.4"
    wide = LfsrConfig(width=kind(64), seed=kind(7))
    assert wide.streams(kind(3)) == LfsrConfig(width=64, seed=7).streams(3)
    lfsr = Lfsr((64, 63, 61, 60), 1)
    assert lfsr.jump(kind(100)) == lfsr.leap(kind(100)) == lfsr.jump(100)


def test_long_calls_accept_numpy_integers() -> None:
    assert measure_draws(TINY, np.int64(1000)).draws == 1000
    assert load_digits_task(np.int8(4), np.uint8(0)).train.steps == 4
    task = make_teacher_task(TINY, 0)
    layers = [Layer(TINY), Layer(TINY)]
    for layer, windows in zip(layers, (np.int8(25), 25), strict=True):
        learn_from_teacher(layer, task, windows)
    np.testing.assert_array_equal(layers[0].weights, layers[1].weights)


def test_results_are_built_in_types() -> None:
    work = random_work(TINY, 1, 3)
    core, layer = ModelCore(TINY), Layer(TINY)
    for each in (core, layer):
        result = each.learn(work.events, work.targets)
        assert {type(own) for own in result.counters.values()} == {int}
    own = [core.windows_learned(), core.phase(), core.clocks(), core.signature()]
    own += [layer.windows_learned, layer.phase, *layer.lfsr_states[0], *core.counters().values()]
    assert {type(value) for value in own} == {int}
