"""Hypothesis strategies: random legal configurations, and spikes, weights and targets for them."""

from __future__ import annotations

import functools
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import HypothesisProvider

from bitlif.model.config.config import Config
from bitlif.model.config.remarks import idle_rate
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events

LEAKS = st.one_of(
    st.fixed_dictionaries({"shift": st.integers(1, 6)}),
    st.fixed_dictionaries({"tau": st.floats(0.5, 60.0), "bits": st.integers(3, 12)}),
)


def formats(kind: str, low: int, high: int) -> st.SearchStrategy[str]:
    """Return formats of `low` to `high` bits with binary points inside and outside of them."""
    return st.integers(low, high).flatmap(
        lambda bits: st.integers(0, bits).map(lambda frac: f"{kind}{bits}.{frac}")
    )


@st.composite
def configs(draw: st.DrawFn, max_steps: int = 20) -> Config:
    """Draw a legal configuration of a small layer, with any combination of options."""
    neurons = draw(st.integers(1, 7))
    kind = draw(st.sampled_from(("sum", "sum", "popcount", "inverse_cdf")))
    words = 1 if kind == "inverse_cdf" else draw(st.integers(1, 6))
    word_bits = draw(st.integers(2, 8))
    width = draw(st.integers(max(8, words * word_bits), 64))
    leap = draw(st.sampled_from((0, 1, words * word_bits + 3, 64, 200)))
    random_bits = draw(st.integers(0, 9))
    update_width = draw(st.integers(max(8, random_bits), 64))
    sections: dict[str, Any] = {
        "layer": {
            "inputs": draw(st.integers(1, 9)),
            "neurons": neurons,
            "lanes": draw(st.integers(1, neurons)),
        },
        "window": {
            "steps": draw(st.integers(1, max_steps)),
            **{
                name: draw(st.sampled_from(("clear", "carry")))
                for name in ("state", "trace", "lfsr")
            },
        },
        "synapse": {
            "weight": draw(formats("s", 2, 20)),
            "current": draw(formats("s", 4, 24)),
            "decay": draw(LEAKS),
            "rounding": draw(st.sampled_from(("floor", "nearest"))),
        },
        "membrane": {
            "format": draw(formats("s", 6, 24)),
            "decay": draw(LEAKS),
            "gain": draw(st.floats(0.1, 2.0)),
            "gain_bits": draw(st.integers(3, 10)),
            "threshold": draw(st.floats(0.05, 2.0)),
            "reset": draw(st.sampled_from(("free", "teacher"))),
            "injection": draw(st.sampled_from(("threshold", "membrane"))),
            "rounding": draw(st.sampled_from(("floor", "nearest"))),
        },
        "trace": {
            "current": draw(formats("u", 4, 16)),
            "format": draw(formats("u", 4, 16)),
            "rounding": draw(st.sampled_from(("floor", "nearest"))),
        },
        "noise": {
            "kind": kind,
            "words": words,
            "word_bits": word_bits,
            "level_bits": draw(st.integers(4, 12)),
            "scale_bits": draw(st.integers(4, 14)),
            "overlap": True,
            "lfsr": {
                "width": width,
                "seed": draw(st.integers(1, (1 << width) - 1)),
                "leap": leap,
                "sharing": draw(st.sampled_from(("phase", "polynomial", "shared"))),
            },
        },
        "error": {
            "rule": draw(st.sampled_from(("likelihood", "clipped"))),
            "index_bits": draw(st.integers(3, 9)),
            "span": draw(st.integers(0, 4)),
            "entry": draw(st.sampled_from(("u4.2", "u8.5", "u10.7"))),
            "limit": draw(st.floats(1.0, 3.5)),
            "format": draw(st.sampled_from(("s4.1", "s8.4", "s12.7"))),
            "reciprocal_bits": draw(st.integers(6, 16)),
            "target_bits": draw(st.integers(2, 8)),
        },
        "learning": {
            "rate": draw(st.floats(0.01, 4.0)),
            "rate_bits": draw(st.integers(1, 8)),
            "random_bits": random_bits,
            "lfsr": {
                "width": update_width,
                "seed": draw(st.integers(1, (1 << update_width) - 1)),
                "sharing": draw(st.sampled_from(("phase", "polynomial", "shared"))),
            },
        },
        "schedule": [
            {"windows": draw(st.integers(1, 2)), "sigma": draw(st.floats(0.1, 0.5))},
            {"sigma": draw(st.floats(0.1, 0.5)), "rate": draw(st.floats(0.01, 4.0))},
        ],
    }
    try:
        from bitlif.model.config.config import config_from_dict

        config = config_from_dict(sections)
    except BitlifError:
        assume(False)
        raise
    # A warning is issued if no rate can change a weight.
    assume(idle_rate(config) is None)
    return config


@st.composite
def core_configs(draw: st.DrawFn, max_steps: int = 20) -> Config:
    """Draw a legal configuration with any widths and memories of the gates."""
    config = draw(configs(max_steps))
    return with_gates(config, draw(st.integers(0, 1 << 16)))


def with_gates(config: Config, number: int) -> Config:
    """Return a configuration with one of the widths and memories that its gates may have.

    All of them are reached by numbers from 0 on.
    """
    widths = [config.layer.lanes * (own + 1) for own in range(config.layer.slots)]
    number, port = divmod(number, 3)
    rest, synapses = divmod(number, len(widths))
    return config.replace(
        gates__synapses=widths[-1 - synapses],
        gates__products=widths[(rest + synapses) % len(widths)],
        gates__single_port=("none", "all", "weights")[port],
    )


def without_noise(config: Config) -> Config:
    """Return a configuration without noise, whose errors come from a table of its own."""
    error = config.error
    ramp = tuple(error.limit * (1.0 - bin / error.entries) for bin in range(error.entries))
    return config.replace(
        noise__kind="none", error__rule="table", error__a=ramp, error__b=ramp[::-1]
    )


def subtracting(config: Config) -> Config:
    """Return a configuration whose spikes subtract the threshold."""
    return config.replace(membrane__reset="subtract")


OPTIONS = {
    "no noise": without_noise,
    "subtract": subtracting,
    "no synaptic filter": lambda config: config.replace(synapse__decay="none"),
    "no leak": lambda config: config.replace(membrane__decay="integrate"),
    "subtract, no noise": lambda config: subtracting(without_noise(config)),
}
"""Options of a neuron that random configurations do not have, each as a function of one."""


def _no_constant(*args: object, **constraints: object) -> None:
    """Draw no constant."""


@functools.cache
def random_configs(count: int) -> tuple[Config, ...]:
    """Return the first `count` configurations of a fixed random sequence, all different.

    Hypothesis also draws constants that it finds in the modules imported so far. Without them the
    sequence is the same in every process, whatever tests ran before.
    """
    found: dict[Config, None] = {}

    @settings(
        max_examples=3 * count, database=None, deadline=None, derandomize=True,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    @given(config=configs(max_steps=12))
    def draw(config: Config) -> None:
        found[config] = None

    with mock.patch.object(HypothesisProvider, "_maybe_draw_constant", _no_constant):
        draw()
    assert len(found) >= count
    return tuple(found)[:count]


def stimulus(config: Config, seed: int, windows: int = 3) -> tuple[Events, np.ndarray, np.ndarray]:
    """Return events, raw weights over the whole format, and raw targets, drawn from `seed`."""
    random = np.random.default_rng(seed)
    sizes, steps, fmt = config.layer, config.window.steps, config.synapse.weight
    rate = random.choice((0.05, 0.3, 0.9))
    events = Events.from_raster(random.random((windows, steps, sizes.inputs)) < rate)
    shape = (sizes.inputs, sizes.neurons)
    weights = random.integers(fmt.raw_min, fmt.raw_max, shape, endpoint=True)
    one = 1 << config.error.target_bits
    shape = (windows, steps if random.random() < 0.5 else 1, sizes.neurons)
    targets = random.integers(0, one, shape, endpoint=True).astype(np.uint16)
    return events, weights, targets if shape[1] == steps else targets[:, 0]
