"""The specification runs on unbounded integers, however it is started, with the engine's bits."""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.engine.compile import NO_JIT
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.noise_report.draws import describe_draws, measure_draws
from bitlif.model.result import RECORDS
from bitlif.sim.backends.models import ModelCore

from strategies import random_configs, stimulus

HERE = Path(__file__)
SUPPORT = HERE.parents[2] / "support"
CONFIGS = 40


def digest(*values: Any) -> str:
    """Return a hash of arrays and plain values."""
    made = hashlib.sha256()
    for value in values:
        array = isinstance(value, np.ndarray)
        made.update(repr(value.tolist() if array else value).encode())
    return made.hexdigest()[:16]


def layer_digests() -> list[str]:
    """Return what layers of random configurations give."""
    found = []
    for number, config in enumerate(random_configs(CONFIGS)):
        events, weights, targets = stimulus(config, number)
        layer = Layer(config)
        layer.load(weights)
        results = [
            layer.learn(events, targets, record=RECORDS),
            layer.run(events, targets, record=RECORDS),
        ]
        records = [getattr(own, name) for own in results for name in ("raster", *RECORDS)]
        own = [*records, *(own.counters for own in results), layer.weights, layer.lfsr_states]
        found.append(digest(*own, layer.phase, *layer.to_arrays().values()))
    return found


def other_digests() -> dict[str, str]:
    """Return what else is compiled gives: twins, signatures, reports."""
    config = Config.load("tiny")
    events, weights, targets = stimulus(config, 1)
    core = ModelCore(config)
    core.load(weights)
    signatures = core.learn(events, targets).step_signatures
    found = {"core": digest(signatures, core.signature(), core.clocks(), core.counters())}
    for matched in (False, True):
        twin = FloatLayer(config, matched=matched)
        twin.load(weights / 16)
        raster = twin.learn(events, targets / 16).raster
        found[f"twin {matched}"] = digest(raster, twin.weights)
    found["draws"] = digest(describe_draws(measure_draws(config, 1000)))
    return found


def extreme(fmt: str) -> int:
    """Return the spikes of a layer whose inputs all spike at a large weight."""
    config = Config().replace(synapse__weight=fmt)
    layer = Layer(config)
    layer.load(np.full((64, 10), 100))
    return int(layer.run(Events.from_raster(np.ones((2, 64, 64), bool))).raster.sum())


EXTREMES = ("s8.6", "s16.6", "s20.6")


def with_and_without_jit(expression: str) -> Any:
    """Return the value of an expression of this file, which must not depend on the JIT."""
    values, notices = [], []
    for disabled in ("0", "1"):
        # Numba reads the variable when it is imported: each setting needs a process of its own.
        code = (
            "import test_interpreted as t; from bitlif.model.engine.compile import jit_disabled; "
            f"print(repr(({expression}, jit_disabled())))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=HERE.parent, capture_output=True, text=True,
            check=True,
            env={**os.environ, "NUMBA_DISABLE_JIT": disabled, "PYTHONPATH": str(SUPPORT)},
        )  # fmt: skip
        value, off = ast.literal_eval(done.stdout)
        assert off == (disabled == "1")
        values.append(value)
        notices.append(done.stderr)
    assert NO_JIT not in notices[0]
    assert notices[1] == f"bitlif: {NO_JIT}\n"
    assert values[0] == values[1]
    return values[0]


def test_layers_without_jit_equal_the_engine() -> None:
    assert len(set(with_and_without_jit("t.layer_digests()"))) == CONFIGS


def test_everything_else_without_jit_equals_the_engine() -> None:
    assert len(with_and_without_jit("t.other_digests()")) == 4


def test_narrow_weights_do_not_wrap_without_jit() -> None:
    assert with_and_without_jit("[t.extreme(fmt) for fmt in t.EXTREMES]") == [1280] * 3


@pytest.mark.parametrize("fmt", EXTREMES)
def test_interpreted_layer_does_not_wrap(fmt: str) -> None:
    config = Config().replace(synapse__weight=fmt)
    events = Events.from_raster(np.ones((1, 64, 64), bool))
    layers = [Layer(config), Layer(config, interpreted=True)]
    for layer in layers:
        layer.load(np.full((64, 10), 100))
    first, second = (layer.run(events, record=("current", "membrane")) for layer in layers)
    np.testing.assert_array_equal(first.current, second.current)
    np.testing.assert_array_equal(first.membrane, second.membrane)
    assert second.raster.all()


@pytest.mark.parametrize(
    "arguments",
    [
        ["noise", "tiny", "--json"],
        ["learn", "tiny", "--epochs", "3", "--out", "OUT", "--json"],
        ["learn", "tiny", "--epochs", "3", "--out", "OUT", "--float", "--json"],
    ],
)
def test_commands_without_jit_print_the_same(arguments: list[str], tmp_path: Path) -> None:
    said = []
    for number, disabled in enumerate(("0", "1")):
        out = str(tmp_path / f"run{number}")
        done = subprocess.run(
            [sys.executable, "-m", "bitlif", *(out if own == "OUT" else own for own in arguments)],
            cwd=tmp_path, capture_output=True, text=True, check=True,
            env={**os.environ, "NUMBA_DISABLE_JIT": disabled},
        )  # fmt: skip
        said.append([line for line in done.stdout.splitlines() if "second" not in line])
    assert said[0] == said[1]
    assert said[0]
