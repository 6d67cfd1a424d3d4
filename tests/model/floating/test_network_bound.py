"""Networks in integers stay within the derived bound of their matched float twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from networks import network_stimulus, random_networks
from reference_network import run_reference_network

from bitlif.model.adjoint import SweepShift, shift_sweep
from bitlif.model.config.network import NetworkConfig, network_from_dict
from bitlif.model.events import Events
from bitlif.model.fixed import Format
from bitlif.model.floating.constants import real_leak
from bitlif.model.floating.following import following
from bitlif.model.floating.network import FloatNetwork
from bitlif.model.floating.network_bound import LayerBound, network_bound, sweep_rounding
from bitlif.model.floating.network_result import FLOAT_NETWORK_RECORDS, FloatNetworkResult
from bitlif.model.network import Network
from bitlif.model.network_result import NETWORK_RECORDS, NetworkResult

COUNT = 96

Ratios = dict[str, float]
Forced = dict[str, Any]


def lsb_of(fmt: Format) -> float:
    return float(fmt.lsb)


def sample(**fields: Any) -> NetworkConfig:
    """Return a network of three layers whose signals seldom saturate."""
    sweep = {
        "membrane": "s16.7", "current": "s16.6", "credit": "s16.7",
        "surrogate": {"width": 0.6}, **fields,
    }  # fmt: skip
    layer = {
        "synapse": {"weight": "s12.9", "current": "s20.14", "decay": {"tau": 3.0, "bits": 12}},
        "membrane": {
            "decay": {"tau": 7.0, "bits": 12},
            "format": "s20.14",
            "gain": 0.5,
            "gain_bits": 4,
        },
        "learning": {"rate": 0.02},
        "sweep": sweep,
    }
    return network_from_dict({
        "name": "bounded",
        "window": {"steps": 12},
        "layer": [{"inputs": 6, "neurons": 8, **layer}, {"neurons": 7, **layer},
                  {"neurons": 4, **layer}],
    })  # fmt: skip


def sample_stimulus(network: NetworkConfig, seed: int) -> tuple[Events, list[Any], Any]:
    """Return events of one window, raw weights, and raw targets."""
    random = np.random.default_rng(seed)
    steps = network.layers[0].config.window.steps
    weights = [
        random.integers(-120, 260, (own.config.layer.inputs, own.config.layer.neurons))
        for own in network.layers
    ]
    last = network.layers[-1].config
    one = 1 << last.error.target_bits
    events = Events.from_raster(random.random((1, steps, weights[0].shape[0])) < 0.3)
    targets = random.integers(0, one, (1, steps, last.layer.neurons), endpoint=True)
    return events, weights, targets.astype(np.uint16)


def both(
    network: NetworkConfig, events: Events, raw: list[Any], targets: Any, real: Any = None
) -> tuple[Network, NetworkResult, FloatNetwork, FloatNetworkResult, tuple[LayerBound, ...]]:
    """Run one window in integers, let the twin follow, and return both with the bounds."""
    exact = Network(network)
    exact.load(raw)
    record = tuple(name for name in NETWORK_RECORDS if name != "digests")
    integers = exact.learn(events, targets, record=record)
    weights = [
        own * lsb_of(layer.config.synapse.weight)
        for own, layer in zip(raw, network.layers, strict=True)
    ]
    twin = FloatNetwork(network, matched=True)
    twin.load(weights if real is None else real)
    led = following(network, integers)
    goals = targets / (1 << network.layers[-1].config.error.target_bits)
    result = twin.learn(events, goals, record=FLOAT_NETWORK_RECORDS, **led)
    bounds = network_bound(
        network, result, events, np.atleast_2d(goals[0]), spikes=led["spikes"],
        derivatives=led["derivatives"], weights=weights if real is None else real, raw=raw,
    )  # fmt: skip
    return exact, integers, twin, result, bounds


def ratio(name: str, distance: Any, allowed: Any, ratios: Ratios) -> None:
    """Check that no distance exceeds what is allowed; keep the largest ratio under a name."""
    distance, allowed = np.abs(distance), np.broadcast_to(allowed, np.shape(distance))
    assert (distance <= allowed).all(), f"{name}: {(distance - allowed).max()} too far"
    near = distance[allowed > 0] / allowed[allowed > 0]
    ratios[name] = max(ratios.get(name, 0.0), float(near.max(initial=0.0)))


def check(
    network: NetworkConfig, events: Events, raw: list[Any], targets: Any, ratios: Ratios,
    real: Any = None,
) -> None:  # fmt: skip
    """Check every signal of a window against the bounds."""
    exact, integers, twin, result, bounds = both(network, events, raw, targets, real)
    swept = run_reference_network(network, raw, events, targets)["swept"]
    for n, (layer, bound) in enumerate(zip(network.layers, bounds, strict=True)):
        config, sweep = layer.config, layer.sweep
        last = n == len(bounds) - 1
        own, other = integers.layers[n], result.layers[n]
        assert own.current is not None
        assert own.membrane is not None
        assert other.current is not None
        assert other.membrane is not None
        current = own.current[0] * lsb_of(config.synapse.current) - other.current[0]
        ratio("current", current, bound.current, ratios)
        membrane = own.membrane[0] * lsb_of(config.membrane.format) - other.membrane[0]
        ratio("membrane", membrane, bound.membrane, ratios)
        kap = integers.adjoints[n][0] * lsb_of(sweep.current) - result.adjoints[n][0]
        ratio("adjoint current", kap, bound.adjoint_current, ratios)
        gradient = integers.gradients[n][0] * lsb_of(sweep.current) - result.gradients[n][0]
        ratio("gradient", gradient, bound.gradient, ratios)
        moved = exact.weights()[n] * lsb_of(config.synapse.weight) - twin.weights()[n]
        ratio("weights", moved, bound.weights, ratios)
        if n < network.learned_from:
            continue
        drives, lams = np.zeros_like(kap), np.zeros_like(kap)
        for (t, i), (drive, lam) in swept[n].items():
            drives[t, i], lams[t, i] = drive, lam
        fmt = config.error.format if last else sweep.credit
        real_drive = other.errors if last else result.credits[n]
        assert real_drive is not None
        name = "error" if last else "credit"
        ratio(name, drives * lsb_of(fmt) - real_drive[0], bound.drive, ratios)
        lams = lams * lsb_of(sweep.membrane) - result.adjoint_membranes[n][0]
        ratio("adjoint membrane", lams, bound.adjoint_membrane, ratios)


@pytest.mark.parametrize("part", range(4))
def test_random_networks_stay_within_the_bound(part: int) -> None:
    ratios: Ratios = {}
    for number in range(part, COUNT, 4):
        network = random_networks(COUNT)[number]
        events, raw, targets = network_stimulus(network, number)
        check(network, events.select([0]), raw, targets[:1], ratios)
    # A bound that is never approached would prove little.
    assert min(ratios.values()) > 0.05, ratios


@pytest.mark.parametrize("rounding", ["toward_zero", "stochastic", "nearest"])
@pytest.mark.parametrize("update", ["window", "spike"])
@pytest.mark.parametrize("feedback", ["transpose", "sign"])
def test_networks_that_do_not_saturate_stay_within_the_bound(
    rounding: str, update: str, feedback: str
) -> None:
    network = sample(rounding=rounding, update=update, feedback=feedback)
    ratios: Ratios = {}
    integers = both(network, *sample_stimulus(network, 0))[1]
    counted = [dict(own) for own in integers.sweep_counters]
    assert not any(own["adjoint_membrane_saturations"] for own in counted), counted
    assert not any(own["credit_saturations"] for own in counted), counted
    for seed in range(6):
        check(network, *sample_stimulus(network, seed), ratios)
    assert ratios["adjoint membrane"] > 0.1, ratios
    assert ratios["adjoint current"] > 0.1, ratios


def test_integers_with_rounded_weights_stay_within_the_bound() -> None:
    ratios: Ratios = {}
    for update in ("window", "spike"):
        network = sample(update=update)
        for seed in range(6):
            events, raw, targets = sample_stimulus(network, seed)
            random = np.random.default_rng(seed)
            lsb = lsb_of(network.layers[0].config.synapse.weight)
            real = [(own + random.uniform(-0.5, 0.5, own.shape)) * lsb for own in raw]
            check(network, events, raw, targets, ratios, real)
    assert min(ratios.values()) > 0.02, ratios


@pytest.mark.parametrize(
    "shift",
    [
        SweepShift(1, 0, 0, 5, 0), SweepShift(1, 0, 0, 1, 0), SweepShift(0, 0, 4, 3, 0),
        SweepShift(0, 0, 8, 4, 3), SweepShift(0, 2, 0, 0, 5), SweepShift(0, 0, 1, 1, 3),
        SweepShift(0, 0, 0, 0, 0), SweepShift(0, 3, 0, 0, 3),
    ],
)  # fmt: skip
def test_rounding_of_a_shift_is_reached_and_never_exceeded(shift: SweepShift) -> None:
    fmt = Format(16, 3)
    total = shift.right + shift.random_bits - shift.left
    worst = max(
        abs(shift_sweep(x, random, shift) - x / 2**total) * lsb_of(fmt)
        for x in range(-300, 300)
        for random in range(1 << shift.random_bits)
    )
    assert worst == sweep_rounding(fmt, shift)


MISTAKES = {
    "missing reset gate": "adjoint membrane",
    "credit from the wrong weights": "credit",
    "leak of the synapse in the adjoint membrane": "adjoint membrane",
    "gradient one step late": "gradient",
}


def wrong_sweep(mistake: str, network: NetworkConfig, n: int, given: Forced) -> Forced:
    """Return the sweep of hidden layer `n` in real numbers, with one mistake or none."""
    config = network.layers[n].config
    leak_m, leak_s = real_leak(config.membrane.decay), real_leak(config.synapse.decay)
    weights = given["weights"]
    if mistake == "credit from the wrong weights":
        weights = weights[::-1]
    if mistake == "leak of the synapse in the adjoint membrane":
        leak_m = leak_s
    drive = given["derivative"] * (given["adjoints"] @ weights.T)
    lam = kap = np.zeros(drive.shape[1])
    lams, kaps = np.zeros_like(drive), np.zeros_like(drive)
    for t in reversed(range(len(drive))):
        gate = 1.0 - given["spikes"][t]
        if mistake == "missing reset gate":
            gate = np.ones_like(gate)
        lam = drive[t] + leak_m * gate * lam
        kap = leak_s * kap + config.membrane.gain * lam
        lams[t], kaps[t] = lam, kap
    inputs = given["inputs"]
    if mistake == "gradient one step late":
        inputs = np.roll(inputs, 1, axis=0)
    return {"credit": drive, "adjoint membrane": lams, "gradient": inputs.T @ kaps}


@pytest.mark.parametrize("rounding", ["toward_zero", "stochastic", "nearest"])
@pytest.mark.parametrize("mistake", [None, *MISTAKES])
def test_the_bound_excludes_planted_mistakes(mistake: str | None, rounding: str) -> None:
    network = sample(rounding=rounding)
    outside: dict[str, int] = {}
    for seed in range(4):
        events, raw, targets = sample_stimulus(network, seed)
        _, integers, _, result, bounds = both(network, events, raw, targets)
        swept = run_reference_network(network, raw, events, targets)["swept"]
        led = following(network, integers)
        for n in (0, 1):
            given = {
                "weights": raw[n + 1] * lsb_of(network.layers[n + 1].config.synapse.weight),
                "derivative": led["derivatives"][n][0],
                "adjoints": result.adjoints[n + 1][0],
                "spikes": led["spikes"][n][0],
                "inputs": led["spikes"][0][0] if n else events.raster()[0].astype(float),
            }
            sweep = network.layers[n].sweep
            found = wrong_sweep(mistake or "", network, n, given)
            exact = {"gradient": integers.gradients[n][0] * lsb_of(sweep.current)}
            for name, place, fmt in (
                ("credit", 0, sweep.credit), ("adjoint membrane", 1, sweep.membrane)
            ):  # fmt: skip
                exact[name] = np.zeros_like(found["credit"])
                for (t, i), values in swept[n].items():
                    exact[name][t, i] = values[place] * lsb_of(fmt)
            for name, allowed in (
                ("credit", bounds[n].drive), ("adjoint membrane", bounds[n].adjoint_membrane),
                ("gradient", bounds[n].gradient),
            ):  # fmt: skip
                far = np.abs(found[name] - exact[name]) > allowed
                outside[name] = outside.get(name, 0) + int(far.sum())
    if mistake is None:
        assert not any(outside.values()), outside
    else:
        assert outside[MISTAKES[mistake]] > 0, outside


def test_signals_of_the_twin_must_be_recorded() -> None:
    network = sample()
    events, raw, targets = sample_stimulus(network, 0)
    exact = Network(network)
    bare = exact.run(events)
    with pytest.raises(ValueError, match="must have recorded"):
        following(network, bare)
    twin = FloatNetwork(network, matched=True)
    result = twin.learn(events, targets / (1 << 10))
    with pytest.raises(ValueError, match="must have recorded"):
        network_bound(
            network, result, events, targets[0] / 1024, spikes=[], derivatives=[], weights=raw
        )
