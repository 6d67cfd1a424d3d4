"""The integer model stays within the derived bound of its matched float twin."""

from __future__ import annotations

import numpy as np
import pytest

from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.floating.bound import bin_extremes, window_bound
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.table import error_table

VARIANTS = {
    "tiny": {},
    "floor everywhere": {
        "synapse__rounding": "floor",
        "membrane__rounding": "floor",
        "trace__rounding": "floor",
    },
    "noise kept in the membrane": {"membrane__injection": "membrane"},
    "no leak": {"membrane__decay": "integrate"},
    "reset by the teacher": {"membrane__reset": "teacher"},
    "clipped rule": {"error__rule": "clipped"},
    "nearest update": {"learning__random_bits": 0},
    "popcount noise": {"noise__kind": "popcount"},
    "inverse CDF noise": {"noise__kind": "inverse_cdf", "noise__words": 1},
    "few weight bits": {"synapse__weight": "s4.2"},
    "wide formats": {
        "synapse__current": "s20.12",
        "membrane__format": "s20.12",
        "trace__current": "u16.12",
        "trace__format": "u16.12",
        "synapse__decay": {"tau": 3.0, "bits": 14},
        "membrane__decay": {"tau": 9.0, "bits": 14},
        "error__entry": "u12.10",
        "error__format": "s14.10",
        "error__reciprocal_bits": 16,
        "error__index_bits": 9,
        "error__target_bits": 8,
        "noise__scale_bits": 16,
    },
}


def compare(config: Config, seed: int) -> tuple[float, int]:
    """Check every signal of a learning window; return the tightest ratio met, values compared."""
    random = np.random.default_rng(seed)
    sizes, steps = config.layer, config.window.steps
    events = Events.from_raster(random.random((1, steps, sizes.inputs)) < 0.3)
    fmt = config.synapse.weight
    weights = random.integers(
        fmt.raw_min, fmt.raw_max, (sizes.inputs, sizes.neurons), endpoint=True
    )
    one = 1 << config.error.target_bits
    targets = random.integers(0, one, (1, steps, sizes.neurons), endpoint=True)
    record = ("current", "membrane", "draws", "errors", "traces", "gradient")
    integers = Layer(config)
    integers.load(weights)
    exact = integers.learn(events, targets, record=record)
    teacher = 2 * targets >= one
    resets = (teacher if config.membrane.reset == "teacher" else exact.raster).astype(np.uint8)

    twin = FloatLayer(config, matched=True)
    twin.load(weights * float(fmt.lsb))
    draws = exact.draws / float(config.noise.pmf.sigma)
    real = twin.learn(events, targets / one, record=record, draws=draws, resets=resets)
    bound = window_bound(config, real, resets[0], targets[0] / one)

    tightest, compared = 0.0, 0
    lsbs = {
        "current": (config.synapse.current, bound.current[:, None]),
        "membrane": (config.membrane.format, bound.membrane),
        "errors": (config.error.format, bound.errors),
        "traces": (config.trace.format, bound.traces[:, None]),
    }
    for name, (form, allowed) in lsbs.items():
        distance = np.abs(getattr(exact, name)[0] * float(form.lsb) - getattr(real, name)[0])
        assert (distance <= allowed).all(), name
        tightest = max(tightest, float((distance / allowed).max()))
        compared += distance.size
    unit = float(config.error.format.lsb * config.trace.format.lsb)
    assert (np.abs(exact.gradient[0] * unit - real.gradient[0]) <= bound.gradient).all()
    moved = np.abs(integers.weights * float(fmt.lsb) - twin.weights).T
    assert (moved <= bound.weights).all()

    # Where the two disagree on a spike, the float potential is within the bound of the threshold.
    noisy = real.membrane[0] + config.schedule[0].sigma * draws[0]
    differs = exact.raster[0] != real.raster[0]
    lsb = float(config.membrane.format.lsb)
    allowed = bound.membrane + bound.noise + lsb / 2
    assert (np.abs(noisy - config.membrane.threshold) <= allowed)[differs].all()
    return tightest, compared + moved.size * 2


@pytest.mark.parametrize("name", VARIANTS)
def test_integer_model_stays_within_the_derived_bound(name: str) -> None:
    config = Config.load("tiny").replace(**VARIANTS[name])
    tightest = max(compare(config, seed)[0] for seed in range(20))
    # A bound that is never approached would prove little: some value comes within a factor of 20.
    assert tightest > 0.05


@pytest.mark.parametrize("name", ["digits", "teacher"])
def test_ready_made_configurations_stay_within_the_derived_bound(name: str) -> None:
    for seed in range(2):
        compare(Config.load(name), seed)


@pytest.mark.parametrize("fault", ["membrane", "traces", "errors"])
def test_a_shift_by_the_bound_itself_is_noticed(fault: str) -> None:
    config = Config.load("tiny")
    changed = {
        "membrane": {"membrane__decay": {"tau": 4.0, "bits": 6}},
        "traces": {"synapse__decay": {"shift": 1}},
        "errors": {"error__limit": 1.0},
    }[fault]
    random = np.random.default_rng(3)
    events = Events.from_raster(random.random((1, 16, 6)) < 0.5)
    weights = random.integers(-32, 32, (6, 4))
    targets = np.full((1, 4), 8)
    record = ("membrane", "draws", "errors", "traces", "gradient")
    layer = Layer(config.replace(**changed))
    layer.load(weights)
    exact = layer.learn(events, targets, record=record)
    twin = FloatLayer(config, matched=True)
    twin.load(weights / 16)
    real = twin.learn(
        events,
        targets / 16,
        record=record,
        draws=exact.draws / float(config.noise.pmf.sigma),
        resets=exact.raster,
    )
    bound = window_bound(config, real, exact.raster[0], targets / 16)
    formats = {
        "membrane": config.membrane.format,
        "traces": config.trace.format,
        "errors": config.error.format,
    }
    allowed = {"membrane": bound.membrane, "traces": bound.traces[:, None], "errors": bound.errors}[
        fault
    ]
    distance = np.abs(
        getattr(exact, fault)[0] * float(formats[fault].lsb) - getattr(real, fault)[0]
    )
    assert (distance > allowed).any()


@pytest.mark.parametrize("rule", ["likelihood", "clipped"])
@pytest.mark.parametrize(
    "noise", [{}, {"noise__kind": "popcount"}, {"noise__kind": "inverse_cdf", "noise__words": 1}]
)
def test_table_entries_lie_between_the_extremes_of_their_bin(
    rule: str, noise: dict[str, object]
) -> None:
    config = Config.load("tiny").replace(error__rule=rule, **noise)
    lsb = float(config.error.entry.lsb)
    for column, (low, high) in zip(
        error_table(config.error, config.noise), bin_extremes(config), strict=True
    ):
        entries = np.array(column) * lsb
        assert (entries >= low - lsb / 2).all()
        assert (entries <= high + lsb / 2).all()
