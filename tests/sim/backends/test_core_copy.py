"""Cores that can be set are saved, pickled and copied; the others say that they cannot."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bitlif.sim
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.sim.backends.models import ModelCore

from strategies import stimulus

TINY = Config.load("tiny").replace(window__state="carry", window__trace="carry")
EVENTS, WEIGHTS, TARGETS = stimulus(TINY, 8, windows=4)


def stand(core: Any) -> list[Any]:
    state = core.state()
    values = [getattr(state, name) for name in state.__slots__]
    plain = [own.tolist() if isinstance(own, np.ndarray) else own for own in values]
    return [core.weights().tolist(), plain, core.counters(), core.signature(), core.clocks(),
            core.windows_learned(), core.config]  # fmt: skip


def begun(backend: str, **options: Any) -> Any:
    core = bitlif.sim.open(TINY, backend, **options)
    core.load(WEIGHTS)
    core.run(EVENTS, TARGETS, learn=core.learning)
    return core


@pytest.mark.parametrize("learning", [True, False])
@pytest.mark.parametrize("backend", ["model", "float"])
@pytest.mark.parametrize("way", ["file", "pickle", "deepcopy"])
def test_copied_core_continues_bit_for_bit(
    way: str, backend: str, learning: bool, tmp_path: Path
) -> None:
    core = begun(backend, learning=learning)
    if way == "file":
        core.save(tmp_path / "state.npz")
        again = bitlif.sim.open(TINY, backend, learning=learning)
        again.resume(tmp_path / "state.npz")
    else:
        again = pickle.loads(pickle.dumps(core)) if way == "pickle" else copy.deepcopy(core)
    assert stand(again) == stand(core)
    before = stand(core)
    again.run(EVENTS, TARGETS, learn=learning)
    assert stand(core) == before
    core.run(EVENTS, TARGETS, learn=learning)
    assert stand(again) == stand(core) != before


@pytest.mark.parametrize("backend", ["model", "float"])
def test_copy_keeps_the_tables_that_were_loaded(backend: str) -> None:
    other = TINY.replace(schedule=[{"windows": 2, "sigma": 0.15}, {"sigma": 0.3}])
    core = begun(backend)
    core.load_tables(other)
    core.learn(EVENTS, TARGETS)
    again = copy.deepcopy(core)
    assert stand(again) == stand(core)
    for own in (core, again):
        own.load_tables(TINY)
        own.learn(EVENTS, TARGETS)
    assert stand(again) == stand(core)


def test_copy_of_an_interpreted_core_is_interpreted() -> None:
    core = ModelCore(TINY, interpreted=True)
    again = copy.deepcopy(core)
    again.load(WEIGHTS)
    again.learn(EVENTS, TARGETS)
    assert again._interpreted
    assert stand(again)[:4] == stand(begun("model"))[:4]


def test_core_refuses_states_of_other_cores(tmp_path: Path) -> None:
    begun("float").save(tmp_path / "float")
    core = begun("model")
    before = stand(core)
    with pytest.raises(
        BitlifError, match=r"^state '.*' must be of a layer of kind 'core of kind i"
    ):
        core.resume(tmp_path / "float")
    core.save(tmp_path / "model")
    with np.load(tmp_path / "model") as data:
        arrays = {name: data[name] for name in data}
    for name, array, said in (
        ("counters", np.full(8, -1), "must be"), ("signature", np.zeros(3, int), "must be"),
        ("clocks", None, "missing"),
    ):  # fmt: skip
        changed = {**arrays, name: array}
        np.savez(tmp_path / "c.npz", **{k: v for k, v in changed.items() if v is not None})
        with pytest.raises(BitlifError, match=f"{name}.* {said}"):
            core.resume(tmp_path / "c.npz")
    assert stand(core) == before


def test_gates_can_be_neither_saved_nor_copied(tmp_path: Path) -> None:
    with bitlif.sim.open(TINY, "rtl") as core:
        for call in (
            lambda: core.save(tmp_path / "s"),
            lambda: core.resume(tmp_path / "s"),
            lambda: pickle.dumps(core),
            lambda: copy.deepcopy(core),
        ):
            with pytest.raises(
                BitlifError, match=r"^the core \(rtl\) can be neither saved nor cop"
            ):
                call()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("backend", ["model", "float"])
def test_closed_core_cannot_be_copied(backend: str, tmp_path: Path) -> None:
    core = begun(backend)
    core.close()
    for call in (lambda: core.save(tmp_path / "s"), lambda: pickle.dumps(core)):
        with pytest.raises(BitlifError, match="is closed"):
            call()
