"""The float twin of a network: the equations of docs/networks.md, with the network's interface."""

from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import network_stimulus, random_networks
from scipy.special import ndtr

from bitlif.model.config.network import NetworkConfig, NetworkLayer, network_from_dict
from bitlif.model.errors import BitlifError, BitlifTypeError
from bitlif.model.events import Events
from bitlif.model.floating.constants import real_leak
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.floating.network import FloatNetwork
from bitlif.model.floating.network_result import FLOAT_NETWORK_RECORDS
from bitlif.model.surrogate import surrogate_table
from bitlif.model.sweep_sections import SurrogateConfig, SweepConfig

WINDOWS = 3
COUNT = 24

Arrays = dict[str, Any]

TREE: dict[str, Any] = {
    "name": "three",
    "window": {"steps": 12},
    "layer": [
        {
            "inputs": 5,
            "neurons": 7,
            "learning": {"rate": 0.02},
            "sweep": {"surrogate": {"width": 0.8, "bits": 4}},
        },
        {"neurons": 6, "learning": {"rate": 0.02}, "sweep": {"surrogate": {"width": 0.6}}},
        {"neurons": 3, "learning": {"rate": 0.02}, "sweep": {}},
    ],
}


def three(**sweep: Any) -> NetworkConfig:
    """Return a network of three layers with these fields of every sweep."""
    layers = [{**own, "sweep": {**own["sweep"], **sweep}} for own in TREE["layer"]]
    return network_from_dict({**TREE, "layer": layers})


def given(network: NetworkConfig, seed: int) -> tuple[Events, list[Any], Any, list[Any]]:
    """Return events, real weights, targets and draws of three windows."""
    random = np.random.default_rng(seed)
    steps = network.layers[0].config.window.steps
    sizes = [own.config.layer for own in network.layers]
    events = Events.from_raster(random.random((WINDOWS, steps, sizes[0].inputs)) < 0.4)
    weights = [random.normal(0.15, 0.5, (own.inputs, own.neurons)) for own in sizes]
    targets = random.integers(0, 4, (WINDOWS, steps, sizes[-1].neurons), endpoint=True) / 4
    draws = [random.standard_normal((WINDOWS, steps, own.neurons)) for own in sizes]
    return events, weights, targets, draws


def hazard_error(x: Any, target: Any, limit: float) -> Any:
    """Return the error of Gaussian noise by the likelihood rule."""
    density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    # Where a probability underflows, the limit is reached long before.
    a, b = (np.minimum(density / np.maximum(p, 1e-300), limit) for p in (ndtr(x), ndtr(-x)))
    a, b = np.where(x < -limit, limit, a), np.where(x > limit, limit, b)
    return target * a - (1 - target) * b


def naive(network: NetworkConfig, events: Events, start: Any, targets: Any, draws: Any) -> Arrays:
    """Learn all windows by the equations in docs/networks.md, in NumPy, without any limit."""
    w = [own.copy() for own in start]
    out: Arrays = {name: [] for name in ("rasters", "adjoints", "gradients", "credits")}
    configs = [own.config for own in network.layers]
    leaks = [(real_leak(own.synapse.decay), real_leak(own.membrane.decay)) for own in configs]
    current = [np.zeros(own.layer.neurons) for own in configs]
    potential = [np.zeros(own.layer.neurons) for own in configs]
    for window, raster in enumerate(events.raster()):
        inputs, before = [raster.astype(float)], []
        for n, own in enumerate(configs):
            if own.window.state == "clear":
                current[n], potential[n] = current[n] * 0, potential[n] * 0
            phase = own.schedule[sum(window >= end for end in network.derived(n).phase_ends)]
            spikes, shown = [], []
            for t, row in enumerate(inputs[n]):
                current[n] = leaks[n][0] * current[n] + row @ w[n]
                value = leaks[n][1] * potential[n] + own.membrane.gain * current[n]
                noise = phase.sigma * draws[n][window, t]
                spike = value + noise >= own.membrane.threshold
                reset = targets[window, t] >= 0.5 if own.membrane.reset == "teacher" else spike
                kept = value + noise if own.membrane.injection == "membrane" else value
                potential[n] = np.where(reset, 0.0, kept)
                spikes.append(spike.astype(float))
                shown.append(value)
            inputs.append(np.array(spikes))
            before.append(np.array(shown))
        last = configs[-1]
        phase = last.schedule[sum(window >= end for end in network.derived(-1).phase_ends)]
        x = (before[-1] - last.membrane.threshold) / phase.sigma
        drive = hazard_error(x, targets[window], last.error.limit)
        found: Arrays = {name: [np.zeros(0)] * len(w) for name in out}
        found["rasters"] = inputs[1:]
        changes = []
        for n in reversed(range(len(w))):
            own, sweep = configs[n], network.layers[n].sweep
            phase = own.schedule[sum(window >= end for end in network.derived(n).phase_ends)]
            rate = (phase.rate or own.learning.rate) / own.window.steps
            lam = kap = np.zeros(own.layer.neurons)
            adjoints, gradient = np.zeros_like(drive), np.zeros_like(w[n])
            handed = np.zeros(inputs[n].shape)
            if n < network.learned_from:
                found["gradients"][n] = gradient
                found["adjoints"][n] = found["credits"][n] = np.zeros_like(inputs[n + 1])
                continue
            for t in reversed(range(len(drive))):
                gate = 1.0 - inputs[n + 1][t] if n < len(w) - 1 else 1.0
                lam = drive[t] + leaks[n][1] * gate * lam
                kap = leaks[n][0] * kap + own.membrane.gain * lam
                adjoints[t] = kap
                if n:
                    sign = network.layers[n - 1].sweep.feedback == "sign"
                    handed[t] = (np.sign(w[n]) / 8 if sign else w[n]) @ kap
                share = np.outer(inputs[n][t], kap)
                if sweep.update == "spike":
                    w[n] = w[n] + rate * share
                else:
                    gradient += share
            changes.append((n, rate * gradient))
            found["adjoints"][n], found["gradients"][n] = adjoints, gradient
            found["credits"][n] = drive if n < len(w) - 1 else np.zeros(0)
            if n:
                surrogate = network.layers[n - 1].sweep.surrogate
                distance = before[n - 1] - configs[n - 1].membrane.threshold
                g = np.exp(-0.5 * (distance / surrogate.width) ** 2)
                g = g if surrogate.bits > 1 else abs(distance) < surrogate.width
                drive = g * handed
        for n, change in changes:
            w[n] = w[n] + change
        for name in out:
            out[name].append(found[name])
    return {**out, "weights": w}


def assert_close(left: Any, right: Any, tolerance: float = 1e-9) -> None:
    scale = max(float(np.abs(right).max(initial=0.0)), 1e-300)
    np.testing.assert_allclose(left, right, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("update", ["window", "spike"])
@pytest.mark.parametrize("feedback", ["transpose", "sign", "none"])
def test_ideal_twin_computes_the_equations(feedback: str, update: str) -> None:
    network = three(feedback=feedback, update=update)
    events, weights, targets, draws = given(network, 5)
    expected = naive(network, events, weights, targets, draws)
    twin = FloatNetwork(network)
    twin.load(weights)
    result = twin.learn(events, targets, draws=draws, record=("adjoints", "gradients", "credits"))
    for n, own in enumerate(result.layers):
        np.testing.assert_array_equal(own.raster, [w[n] for w in expected["rasters"]])
        assert_close(result.adjoints[n], [w[n] for w in expected["adjoints"]])
        assert_close(result.gradients[n], [w[n] for w in expected["gradients"]])
        if n < 2:
            assert_close(result.credits[n], [w[n] for w in expected["credits"]])
        assert_close(twin.weights()[n], expected["weights"][n])
    learned = [
        not np.array_equal(own, old) for own, old in zip(twin.weights(), weights, strict=True)
    ]
    assert learned == ([False, False, True] if feedback == "none" else [True] * 3)
    active = [own["active_adjoints"] > 0 for own in result.sweep_counters]
    assert active == learned


@pytest.mark.parametrize(
    "fields",
    [
        {"membrane": {"injection": "membrane"}},
        {"membrane": {"reset": "teacher"}},
        {"synapse": {"decay": {"tau": 3.0, "bits": 4}}, "schedule": [
            {"windows": 1, "rate": 2.0}, {"sigma": 0.4, "rate": 0.25}]},
    ],
    ids=("noise kept", "teacher", "phases"),
)  # fmt: skip
@pytest.mark.parametrize("state", ["clear", "carry"])
def test_options_of_the_layers_hold_in_the_twin(fields: Arrays, state: str) -> None:
    layers = [{**own, **fields} for own in TREE["layer"]]
    if fields.get("membrane", {}).get("reset") == "teacher":
        layers[:2] = TREE["layer"][:2]
    network = network_from_dict({**TREE, "window": {"steps": 12, "state": state}, "layer": layers})
    events, weights, targets, draws = given(network, 6)
    expected = naive(network, events, weights, targets, draws)
    twin = FloatNetwork(network)
    twin.load(weights)
    result = twin.learn(events, targets, draws=draws)
    for n, own in enumerate(result.layers):
        np.testing.assert_array_equal(own.raster, [w[n] for w in expected["rasters"]])
        assert_close(twin.weights()[n], expected["weights"][n])
    assert twin.windows_learned == WINDOWS


def test_updates_by_window_and_by_spike_differ_only_in_the_credit_of_deeper_layers() -> None:
    found = []
    for update in ("window", "spike"):
        network = three(update=update)
        events, weights, targets, draws = given(network, 7)
        twin = FloatNetwork(network)
        twin.load(weights)
        one = [own[:1] for own in draws]
        twin.learn(events.select([0]), targets[:1], draws=one)
        found.append([new - old for new, old in zip(twin.weights(), weights, strict=True)])
    by_window, by_spike = found
    assert_close(by_spike[2], by_window[2])
    assert np.abs(by_spike[1] - by_window[1]).max() > 1e-6
    # A small rate changes the weights little during a sweep: then they agree everywhere.
    found = []
    for update in ("window", "spike"):
        layers = [
            NetworkLayer(config=own.config.replace(learning__rate=1e-5), sweep=own.sweep)
            for own in three(update=update).layers
        ]
        twin = FloatNetwork(NetworkConfig(layers=tuple(layers)))
        twin.load(weights)
        twin.learn(events.select([0]), targets[:1], draws=one)
        found.append([(new - old) * 1e5 for new, old in zip(twin.weights(), weights, strict=True)])
    for window, spike in zip(*found, strict=True):
        assert_close(spike, window, 1e-2)


@pytest.mark.parametrize("matched", [False, True])
def test_network_of_one_layer_runs_as_the_twin_of_a_layer(matched: bool) -> None:
    network = NetworkConfig.load("tiny")
    config = network.layers[0].config
    events, weights, targets, _ = given(network, 8)
    layer, twin = (kind(own, seed=9, matched=matched)
                   for kind, own in ((FloatLayer, config), (FloatNetwork, network)))  # fmt: skip
    layer.load(weights[0])
    twin.load(weights)
    wanted = ("current", "membrane", "draws", "errors")
    own, other = twin.run(events, targets, record=wanted), layer.run(events, targets, record=wanted)
    np.testing.assert_array_equal(own.output.raster, other.raster)
    for name in wanted:
        np.testing.assert_array_equal(getattr(own.output, name), getattr(other, name))
    assert own.output.counters == other.counters
    assert own.sweep_counters[0]["active_errors"] == np.count_nonzero(other.errors)


@pytest.mark.parametrize("matched", [False, True])
def test_following_itself_changes_nothing(matched: bool) -> None:
    for number in range(COUNT):
        network = random_networks(COUNT)[number]
        events, raw, targets = network_stimulus(network, number)
        goals = targets / (1 << network.layers[-1].config.error.target_bits)
        weights = [
            own * float(layer.config.synapse.weight.lsb)
            for own, layer in zip(raw, network.layers, strict=True)
        ]
        free, led = (FloatNetwork(network, seed=number, matched=matched) for _ in range(2))
        for twin in (free, led):
            twin.load(weights)
        first = free.learn(events, goals, record=FLOAT_NETWORK_RECORDS)
        draws = [own.draws for own in first.layers]
        spikes = [own.raster for own in first.layers]
        second = led.learn(events, goals, record=FLOAT_NETWORK_RECORDS, draws=draws, spikes=spikes)
        for n, (own, other) in enumerate(zip(first.layers, second.layers, strict=True)):
            np.testing.assert_array_equal(own.raster, other.raster)
            np.testing.assert_array_equal(own.membrane, other.membrane)
            np.testing.assert_array_equal(first.gradients[n], second.gradients[n])
            np.testing.assert_array_equal(free.weights()[n], led.weights()[n])
            for signal in (first.adjoints, first.adjoint_membranes, first.gradients):
                assert np.isfinite(signal[n]).all()


def test_forced_derivatives_replace_the_surrogate() -> None:
    network = three()
    events, weights, targets, draws = given(network, 10)
    twin = FloatNetwork(network)
    twin.load(weights)
    closed = [np.zeros_like(own) for own in draws]
    result = twin.run(
        events, targets, draws=draws, derivatives=[closed[0], None, None],
        record=("credits", "gradients"),
    )  # fmt: skip
    assert not result.credits[0].any()
    assert not result.gradients[0].any()
    assert result.gradients[1].any()
    assert result.credits[2].shape[0] == 0


def test_running_with_a_sweep_changes_no_weight() -> None:
    for update in ("window", "spike"):
        network = three(update=update)
        events, weights, targets, _ = given(network, 11)
        twin = FloatNetwork(network, seed=3)
        twin.load(weights)
        result = twin.run(events, targets, record=("gradients",))
        assert all(own.any() for own in result.gradients)
        for own, old in zip(twin.weights(), weights, strict=True):
            np.testing.assert_array_equal(own, old)
        assert twin.windows_learned == 0
        assert twin.run(events).sweep_counters == ()


def test_surrogate_of_the_matched_twin_is_the_unrounded_table() -> None:
    bits, width = 6, 0.7
    base = three().layers
    sweep = SweepConfig(surrogate=SurrogateConfig(width=width, bits=bits))
    hidden = base[0].config.replace(noise__words=4, membrane__threshold=2.0)
    network = NetworkConfig.of(
        NetworkLayer(config=hidden, sweep=sweep), NetworkLayer(config=base[1].config),
    )  # fmt: skip
    events, weights, targets, draws = given(network, 12)
    weights[1] = np.ones_like(weights[1])
    twin = FloatNetwork(network, matched=True)
    twin.load(weights)
    out = twin.run(events, targets, draws=draws, record=("membrane", "credits", "adjoints"))
    total = out.adjoints[1].sum(axis=2)[..., None]
    fmt = sweep.credit
    inside = (np.abs(out.credits[0]) < float(fmt.real(fmt.raw_max))) & (np.abs(total) > 1e-9)
    g = (out.credits[0] / np.where(total == 0, 1.0, total))[inside]
    assert out.layers[0].membrane is not None
    distance = np.abs(out.layers[0].membrane - 2.0)[inside]
    table = np.array([*surrogate_table(hidden.noise.pmf, bits), 0]) / 2**bits
    place = np.minimum((distance / width * 16).astype(int), 64)
    around = np.stack([table[np.clip(place + step, 0, 64)] for step in (-1, 0, 1)])
    assert inside.sum() > 100
    assert (g <= around.max(axis=0) + 2**-bits).all()
    assert (g >= around.min(axis=0) - 2**-bits).all()
    assert np.ptp(g) > 0.5


def test_resets_cut_the_way_back_only_if_gated() -> None:
    network = three()
    events, weights, targets, draws = given(network, 12)
    for gated in (True, False):
        twin = FloatNetwork(network, gated=gated)
        twin.load(weights)
        record = ("adjoint_membranes", "credits")
        result = twin.learn(events, targets, draws=draws, record=record)
        for n in (0, 1):
            leak = real_leak(network.layers[n].config.membrane.decay)
            found, raster = result.adjoint_membranes[n], result.layers[n].raster
            assert raster.any()
            passed = np.where(raster[:, :-1], 0.0, 1.0) if gated else 1.0
            expected = result.credits[n].copy()
            expected[:, :-1] += leak * passed * found[:, 1:]
            assert_close(found, expected)


def test_pieces_of_a_run_give_the_bits_of_the_whole() -> None:
    network = three()
    events, weights, targets, _ = given(network, 13)
    whole, parts = (FloatNetwork(network, seed=4) for _ in range(2))
    for twin in (whole, parts):
        twin.load(weights)
    first = whole.learn(events, targets, record=("draws",))
    for window in range(WINDOWS):
        one = parts.learn(events.select([window]), targets[window : window + 1], record=("draws",))
        for own, all_ in zip(one.layers, first.layers, strict=True):
            assert own.draws is not None
            assert all_.draws is not None
            np.testing.assert_array_equal(own.draws[0], all_.draws[window])
        parts = pickle.loads(pickle.dumps(copy.deepcopy(parts)))
    for own, other in zip(whole.weights(), parts.weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    # Every layer has noise of its own.
    noises = [own.draws for own in first.layers]
    assert all(own is not None for own in noises)
    assert not np.array_equal(noises[0][..., :3], noises[2])  # type: ignore[index]
    assert whole.windows_learned == parts.windows_learned == WINDOWS


def test_reset_keeps_the_weights_and_restarts_everything_else() -> None:
    network = three()
    events, weights, targets, _ = given(network, 14)
    twin = FloatNetwork(network)
    twin.load(weights)
    first = twin.learn(events, targets, record=("adjoints",))
    start, learned = twin.snapshot(), twin.weights()
    twin.reset()
    assert twin.windows_learned == 0
    for own, other in zip(twin.weights(), learned, strict=True):
        np.testing.assert_array_equal(own, other)
    twin.load(weights)
    again = twin.learn(events, targets, record=("adjoints",))
    for own, other in zip(again.adjoints, first.adjoints, strict=True):
        np.testing.assert_array_equal(own, other)
    twin.reset()
    twin.restore(start)
    assert twin.windows_learned == WINDOWS
    arrays = twin.to_arrays()
    other = FloatNetwork(network)
    other.restore(other.from_arrays(arrays))
    assert {name: own.tolist() for name, own in other.to_arrays().items()} == {
        name: own.tolist() for name, own in arrays.items()
    }


def test_states_are_saved_and_resumed(tmp_path: Path) -> None:
    network = three()
    events, weights, targets, _ = given(network, 18)
    twin, other = FloatNetwork(network, seed=2), FloatNetwork(network, seed=2)
    for own, raw, layer in zip(
        twin.weights(), network.initial_weights(), network.layers, strict=True
    ):
        np.testing.assert_array_equal(own, raw * float(layer.config.synapse.weight.lsb))
    twin.load(weights)
    twin.learn(events, targets)
    path = tmp_path / "twin.npz"
    twin.save(path)
    other.resume(path)
    assert repr(other) == repr(twin)
    assert "windows_learned=3" in repr(twin) or "windows learned=3" in repr(twin)
    for own, layer in zip(twin.states(), other.states(), strict=True):
        np.testing.assert_array_equal(own.membrane, layer.membrane)
        assert own.membrane.any()
    twin.learn(events, targets)
    other.learn(events, targets)
    for own, weight in zip(twin.weights(), other.weights(), strict=True):
        np.testing.assert_array_equal(own, weight)
    with pytest.raises(BitlifError, match="seed 3"):
        FloatNetwork(network, seed=3).resume(path)


def test_learning_raises_the_likelihood() -> None:
    layers = [
        NetworkLayer(config=own.config.replace(learning__rate=2e-3), sweep=own.sweep)
        for own in three().layers
    ]
    network = NetworkConfig(layers=tuple(layers))
    random = np.random.default_rng(15)
    raster = random.random((3, 12, 5)) < 0.4
    events = Events.from_raster(raster[np.arange(60) % 3])
    labels = np.arange(60) % 3
    twin = FloatNetwork(network)
    twin.load(given(network, 15)[1])
    errors, scores = [], []
    for _ in range(15):
        result = twin.learn(events, labels, record=("errors",))
        assert result.output.errors is not None
        errors.append(float(np.abs(result.output.errors).mean()))
        scores.append((result.output.raster.sum(axis=1).argmax(axis=1) == labels).mean())
    assert errors[-1] < 0.9 * errors[0]
    assert scores[-1] > 0.9 > 0.6 > scores[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda n, e, w, t, d: n.load(w[:1]), "list of 3 arrays"),
        (lambda n, e, w, t, d: n.load([w[0].T, *w[1:]]), "weights must be numbers of shape"),
        (lambda n, e, w, t, d: n.load([w[0] * np.nan, *w[1:]]), "weights must be finite"),
        (lambda n, e, w, t, d: n.learn(e, t, record=("traces",)), "record must name some of"),
        (lambda n, e, w, t, d: n.learn(e, None), "targets must be given"),
        (lambda n, e, w, t, d: n.run(e, record=("credits",)), "targets must be given"),
        (lambda n, e, w, t, d: n.learn(e, t, draws=d[:2]), "draws must be a list of 3"),
        (lambda n, e, w, t, d: n.learn(e, t, draws=[d[1], None, None]), r"draws\[0\] must be of"),
        (lambda n, e, w, t, d: n.run(e, spikes=[None, d[0], None]), r"spikes\[1\] must be of"),
        (lambda n, e, w, t, d: n.restore(3), "snapshot must be"),
        (lambda n, e, w, t, d: FloatNetwork(3), "config must be a NetworkConfig"),  # type: ignore[arg-type]
        (lambda n, e, w, t, d: FloatNetwork(n.config, seed=-1), "seed must be"),
        (lambda n, e, w, t, d: FloatNetwork(n.config, matched=1), "matched must be"),  # type: ignore[arg-type]
        (lambda n, e, w, t, d: FloatNetwork(n.config, gated=1), "gated must be"),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_are_refused(call: Any, message: str) -> None:
    network = three()
    twin = FloatNetwork(network)
    with pytest.raises(BitlifError, match=message):
        call(twin, *given(network, 16))


def test_wrong_states_are_refused() -> None:
    twin = FloatNetwork(three())
    arrays = twin.to_arrays()
    wrong: list[tuple[Arrays, str]] = [
        (
            {**arrays, "layer.3.weights": arrays["layer.0.weights"]},
            "not contain an array 'layer.3.weights'",
        ),
        (
            {n: a for n, a in arrays.items() if n != "layer.1.trace"},
            "contain the array 'layer.1.trace'",
        ),
        ({**arrays, "layer.1.weights": arrays["layer.0.weights"]}, r"layer\.1: weights must be"),
        ({**arrays, "layer.1.windows_learned": np.array(3)}, "windows_learned must be the same"),
    ]
    for state, message in wrong:
        with pytest.raises((BitlifError, BitlifTypeError), match=message):
            twin.from_arrays(state)
