"""Random configurations, driven by random calls, on the specification and on gates at once.

What fails shrinks, and the smallest failing case is left in `regressions` as ``found.toml``: give
it a name, and it is run for good.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from networks import network_stimulus, random_networks, sweepable

import bitlif
from bitlif import Config, NetworkConfig
from bitlif.model.config.network import load_any_config
from bitlif.model.config.network_tree import dump_network
from bitlif.model.config.toml import dump_config
from bitlif.model.errors import BitlifError
from bitlif.sim.backends.models import ModelCore
from bitlif.sim.backends.network_core import NetworkCore
from bitlif.sim.backends.network_models import NetworkModelCore

from strategies import core_configs, stimulus

TINY = Config.load("tiny")
FOLDER = Path(__file__).parents[1] / "regressions"
FOUND = FOLDER / "found.toml"
MARK = "# regression: "

ACTIONS = st.one_of(
    st.tuples(st.sampled_from(("learn", "run", "load")), st.integers(0, 1000)),
    st.tuples(st.sampled_from(("reset", "tables")), st.just(0)),
)


@dataclass(frozen=True, slots=True)
class Case:
    """A configuration, a backend, and calls with the seeds of their arguments."""

    config: Config | NetworkConfig
    backend: str
    actions: list[tuple[str, int]]

    def save(self, path: Path) -> None:
        header = json.dumps({"backend": self.backend, "actions": self.actions})
        network = isinstance(self.config, NetworkConfig)
        text = dump_network(self.config.to_dict()) if network else dump_config(self.config)
        path.write_text(f"{MARK}{header}\n{text}", "utf-8")

    @classmethod
    def read(cls, path: Path) -> Case:
        first = path.read_text("utf-8").splitlines()[0]
        header = json.loads(first.removeprefix(MARK))
        return cls(
            load_any_config(path), header["backend"], [tuple(own) for own in header["actions"]]
        )


def act(core: Any, action: str, seed: int) -> dict[str, Any]:
    """Perform one action on a core; return its result and everything readable afterwards."""
    config, network = core.config, isinstance(core, NetworkCore)
    shown: dict[str, Any] = {}
    if action == "reset":
        core.reset()
    elif action == "tables":
        last = f"layer__{len(config.layers) - 1}__" if network else ""
        rule = (config.layers[-1].config if network else config).error.rule
        other = "clipped" if rule == "likelihood" else "likelihood"
        try:
            core.load_tables(config.replace(**{f"{last}error__rule": other}))
        except BitlifError as error:
            shown["refusal"] = str(error)
    else:
        events, weights, targets = given_to(config, seed)
        if action == "load":
            core.load(weights)
        else:
            shown = windows_run(core, events, targets, learn=action == "learn")
    return shown | (readable(core) if network else readable_layer(core))


def given_to(config: Any, seed: int) -> tuple[Any, Any, Any]:
    """Return events, weights and targets for one to three windows."""
    if isinstance(config, Config):
        return stimulus(config, seed, windows=1 + seed % 3)
    return network_stimulus(config, seed)


def windows_run(core: Any, events: Any, targets: Any, *, learn: bool) -> dict[str, Any]:
    """Run windows and return their results."""
    record = [n for n in core.records if learn or n in ("current", "membrane", "draws")]
    out = core.run(events, targets, learn=learn, record=record)
    names = ("raster", "step_clocks", "window_clocks", "step_signatures", *record)
    shown = {name: getattr(out, name) for name in names if getattr(out, name).size}
    shown["counted"] = list(out.counters.values())
    if isinstance(core, NetworkCore):
        # Only gates count them; RTL compares them with the formula by itself.
        shown.pop("window_clocks", None)
    for number, own in enumerate(getattr(out, "layers", ())):
        found = {name: getattr(own, name) for name in ("raster", *record)}
        shown |= {f"{name} {number}": own for name, own in found.items() if own is not None}
    return shown


def readable_layer(core: Any) -> dict[str, Any]:
    """Return everything that can be read from a layer's core."""
    state = core.state()
    shown = {f"{name} of the state": getattr(state, name) for name in state.__slots__}
    return shown | {
        "weights": core.weights(), "counters": list(core.counters().values()),
        "clocks": core.clocks(), "signature": core.signature(),
    }  # fmt: skip


def readable(core: Any) -> dict[str, Any]:
    """Return everything that can be read from a network's core."""
    shown = {
        "counters": core.layer_counters(), "signature": core.signature(),
        "layer signatures": core.layer_signatures(), "sweep LFSRs": core.sweep_lfsr(),
    }  # fmt: skip
    for number, (weights, state) in enumerate(zip(core.weights(), core.state(), strict=True)):
        names = ("membrane", "current", "noise_lfsr", "update_lfsr", "phase")
        shown |= {f"{name} {number}": getattr(state, name) for name in names}
        shown[f"weights {number}"] = weights
    return shown


def check(case: Case) -> None:
    """Perform the same actions on the interpreted model and on gates, and compare everything."""
    config = case.config
    specification: Any = NetworkModelCore if isinstance(config, NetworkConfig) else ModelCore
    with (
        specification(config, interpreted=True) as model,
        bitlif.open(config, case.backend) as core,
    ):
        for action, seed in (("load", 0), *case.actions):
            due, shown = (act(each, action, seed) for each in (model, core))
            assert set(shown) <= set(due)
            for name, values in shown.items():
                np.testing.assert_equal(values, due[name], err_msg=f"{name} after {action}")


NETWORKS = 60


def networks() -> st.SearchStrategy[NetworkConfig]:
    """Return networks of short windows that gates can learn."""
    return st.integers(0, NETWORKS - 1).map(lambda n: sweepable(random_networks(NETWORKS)[n], n))


def fuzz(backend: str, examples: int, configs: Any = None) -> Callable[[], None]:
    """Return a test of a number of random cases, always the same ones."""
    drawn = core_configs(max_steps=10) if configs is None else configs

    @settings(
        max_examples=examples, database=None, deadline=None, derandomize=True,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(config=drawn, actions=st.lists(ACTIONS, min_size=1, max_size=6))
    def run(config: Config | NetworkConfig, actions: list[tuple[str, int]]) -> None:
        case = Case(config, backend, actions)
        try:
            check(case)
        except BaseException:
            # Hypothesis tries the smallest failing case last, so that is the one kept.
            case.save(FOUND)
            raise

    return run


def test_random_cases_match_in_compiled_rtl() -> None:
    fuzz("rtl", 4)()


@pytest.mark.long
@pytest.mark.parametrize(
    ("backend", "examples"), [("rtl", 100), ("netlist:ice40", 6), ("netlist:ecp5", 6)]
)
def test_many_random_cases_match(backend: str, examples: int) -> None:
    fuzz(backend, examples)()


@pytest.mark.usefixtures("quick")
def test_random_cases_of_networks_match_in_compiled_rtl() -> None:
    fuzz("rtl", 1, networks())()


@pytest.mark.long
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("backend", "examples"), [("rtl", 30), ("netlist:ecp5", 3)])
def test_many_random_cases_of_networks_match(backend: str, examples: int) -> None:
    fuzz(backend, examples, networks())()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_earlier_failures_match(path: Path) -> None:
    check(Case.read(path))


def test_failing_case_is_saved_and_reproduced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tmp_path / "found.toml"
    here = sys.modules[__name__]
    monkeypatch.setattr(here, "FOUND", found)

    def fails(case: Case) -> None:
        assert case.config.layer.neurons < 3, "planted"

    sizes = st.integers(1, 9).map(lambda n: TINY.replace(layer__neurons=n, layer__lanes=1))
    monkeypatch.setattr(here, "check", fails)
    monkeypatch.setattr(here, "core_configs", lambda max_steps: sizes)
    with pytest.raises(AssertionError, match="planted"):
        fuzz("rtl", 50)()
    case = Case.read(found)
    # The smallest possible failing case.
    assert isinstance(case.config, Config)
    assert case.config.layer.neurons == 3
    assert len(case.actions) == 1
    assert case.backend == "rtl"
