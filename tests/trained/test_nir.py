"""Networks through NIR: others' networks spike by spike, our own to the bit, the rest refused."""

from __future__ import annotations

import io
import itertools
import json
import warnings
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

import bitlif
from bitlif.model.config.config import Config
from bitlif.model.config.network import load_any_config
from bitlif.model.errors import BitlifError, BitlifWarning
from bitlif.model.events import Events
from bitlif.model.network import Network
from bitlif.trained.nir_compare import compare, ranges_of, run_real
from bitlif.trained.nir_export import export_nir, load_pair, nir_content, sidecar_path
from bitlif.trained.nir_formats import quantised
from bitlif.trained.nir_graph import read_graph, read_layers
from bitlif.trained.real_values import real_values

STEPS, NEURONS = 2000, 64

ROUNDING = 2.0**-53
"""Largest relative error of an operation in float64."""


def spikes_in(seed: int, windows: int = 1, steps: int = STEPS, inputs: int = 40) -> Events:
    random = np.random.default_rng(seed)
    return Events.from_raster(random.random((windows, steps, inputs)) < 0.05)


def node(size: int, **changes: Any) -> nir.CubaLIF:
    """Return neurons as snnTorch writes them: a_s 0.8, a_m 0.9, with dt = 1e-4."""
    dt = 1e-4
    fields = {
        "tau_syn": dt / 0.2, "tau_mem": dt / 0.1, "r": 10.0, "v_leak": 0.0, "v_threshold": 1.0,
        "v_reset": 0.0, "w_in": 5.0, **changes,
    }  # fmt: skip
    return nir.CubaLIF(**{name: np.ones(size) * value for name, value in fields.items()})


def graph(*nodes: Any, edges: Any = None) -> nir.NIRGraph:
    names = {f"n{number}": own for number, own in enumerate(nodes)}
    chain = list(names)
    edges = edges or list(itertools.pairwise(chain))
    return nir.NIRGraph(nodes=names, edges=edges, type_check=False)


WEIGHTS = np.random.default_rng(5).normal(0.1, 0.2, (8, 40))


def single(neurons: Any, weights: np.ndarray = WEIGHTS) -> nir.NIRGraph:
    """Return a layer of 8 neurons with 40 inputs."""
    ends = nir.Input(np.array([40])), nir.Output(np.array([8]))
    return graph(ends[0], nir.Linear(weights), neurons, ends[1])


def simple(**changes: Any) -> nir.NIRGraph:
    return single(node(8, **changes))


def snntorch_network(
    exact: bool, kind: str = "Synaptic", reset: str = "zero", *, bias: bool = False
) -> tuple[Any, Any]:
    """Return two layers of snnTorch, and a function that runs them on a raster (T, N)."""
    import snntorch
    import torch

    torch.manual_seed(1)
    changes = {"reset_mechanism": reset, "reset_delay": False} if exact else {}
    if kind == "Synaptic":
        changes["alpha"] = 0.8
    kinds = {"beta": 0.9, "threshold": 1.5, **changes}
    neurons = getattr(snntorch, kind)
    layers = torch.nn.Sequential(
        torch.nn.Linear(40, NEURONS, bias=bias), neurons(**kinds, init_hidden=True),
        torch.nn.Linear(NEURONS, 10, bias=bias),
        neurons(**kinds, init_hidden=True, output=True),
    )  # fmt: skip
    with torch.no_grad():
        layers[0].weight.copy_(torch.randn(NEURONS, 40) * 0.2 + 0.05)
        layers[2].weight.copy_(torch.randn(10, NEURONS) * 0.2 + 0.02)
        if bias:
            layers[0].bias.copy_(torch.randn(NEURONS) * 0.02)
            layers[2].bias.copy_(torch.randn(10) * 0.02)
    return layers.double(), torch


def run_snntorch(layers: Any, torch: Any, raster: np.ndarray) -> list[np.ndarray]:
    for layer in (layers[1], layers[3]):
        layer.reset_mem()
    found: list[list[Any]] = [[], []]
    with torch.no_grad():
        for row in torch.from_numpy(raster.astype(float)):
            first = layers[1](layers[0](row[None])).double()
            second = layers[3](layers[2](first))[0]
            found[0].append(first.numpy()[0])
            found[1].append(second.numpy()[0])
    return [np.array(own) > 0 for own in found]


def exported(layers: Any) -> nir.NIRGraph:
    """Return the graph that snnTorch's own rule makes of each module, as a chain."""
    from snntorch.export_nir import _extract_snntorch_module

    nodes = []
    for layer, size in zip(layers, (None, NEURONS, None, 10), strict=True):
        own = _extract_snntorch_module(layer)
        if size is not None:
            fields = ("tau", "tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in")
            wide = {
                key: np.ones(size) * np.asarray(getattr(own, key))
                for key in fields if hasattr(own, key)
            }  # fmt: skip
            own = type(own)(**wide)
        nodes.append(own)
    return graph(nir.Input(np.array([40])), *nodes, nir.Output(np.array([10])))


@pytest.mark.parametrize("bias", [False, True])
def test_exact_settings_of_snntorch_give_its_spikes(bias: bool) -> None:
    layers, torch = snntorch_network(exact=True, bias=bias)
    network = read_layers(exported(layers))
    assert network.gain == "nir"
    assert network.dt == pytest.approx(1e-4)
    events = spikes_in(0)
    runs = run_real(network, events)
    wanted = run_snntorch(layers, torch, events.raster()[0])
    assert wanted[0].sum() > 1000
    assert wanted[1].sum() > 100
    assert all((own.bias is not None) == bias for own in network.layers)
    for own, right in zip(runs, wanted, strict=True):
        np.testing.assert_array_equal(own.spikes[0], right)


def membrane_bound(config: Config, layer: Any, run: Any, events: Events) -> float:
    """Return how far a membrane is from that in real numbers, if it had the same spikes.

    A leaky sum has the error of what it adds and half an LSB in each step, and that of its leak
    (half of 2^-16) times its state; all decay with the leak. A subtraction is one LSB off.
    """
    weight, current, membrane = (
        float(fmt.lsb) for fmt in (config.synapse.weight, config.synapse.current,
                                   config.membrane.format)
    )  # fmt: skip
    spikes = events.raster().sum(2).max() + (layer.bias is not None)
    leak = 2.0**-17
    filtered = leak * np.abs(run.current).max() * (layer.leak_s > 0)
    sums = (spikes * weight / 2 + current / 2 + filtered) / (1.0 - layer.leak_s - leak)
    held = leak * np.abs(run.membrane).max() + 3 * membrane / 2
    return float((sums + held) / (1.0 - layer.leak_m - leak))


@pytest.mark.parametrize(
    ("kind", "reset", "scale", "bias"),
    [("Synaptic", "subtract", 0.3, False), ("Leaky", "zero", 1.0, False),
     ("Leaky", "subtract", 0.85, False), ("Synaptic", "zero", 1.0, True),
     ("Leaky", "subtract", 0.7, True)],
)  # fmt: skip
def test_other_neurons_of_snntorch_give_their_spikes(
    kind: str, reset: str, scale: float, bias: bool
) -> None:
    layers, torch = snntorch_network(exact=True, kind=kind, reset=reset, bias=bias)
    with torch.no_grad():
        for layer in (layers[0], layers[2]):
            layer.weight.mul_(scale)
    network = read_layers(exported(layers), reset="free" if reset == "zero" else reset)
    # Four roundings to float32: of beta, of a time constant, of r or w_in, and of dt.
    assert network.dt == pytest.approx(1e-4, rel=4 * 2.0**-24)
    events = spikes_in(0)
    runs = run_real(network, events)
    wanted = run_snntorch(layers, torch, events.raster()[0])
    for own, right in zip(runs, wanted, strict=True):
        assert right.sum() > 20
        # Above twice the threshold, snnTorch subtracts it again in the next step.
        assert reset == "zero" or own.membrane.max() < 2.0
        np.testing.assert_array_equal(own.spikes[0], right)
    config, weights = quantised(
        network, steps=events.steps, weight_bits=16, state_bits=24, ranges=ranges_of(runs)
    )
    for own in config.layers:
        assert own.config.synapse.decay.none == (kind == "Leaky")
        assert own.config.membrane.reset == network.layers[0].reset
    report = compare(config, weights, runs, events)
    first = report["first_difference"]
    assert (first is None) == (kind == "Leaky" and reset == "zero")
    inputs = [own.config.layer.inputs for own in config.layers]
    assert (inputs == [40, NEURONS]) == (not bias)
    if first is not None:
        assert first["layer"] == 0
        bound = membrane_bound(config.layers[0].config, network.layers[0], runs[0], events)
        # Only a membrane so near to the threshold is told otherwise.
        assert abs(first["membrane"] - first["membrane_in_integers"]) <= bound < 1e-2
        assert abs(first["membrane"] - 1.0) <= bound
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BitlifWarning)
        content = nir_content(config, weights)
    again = read_layers(nir.read(io.BytesIO(content)), reset=network.layers[0].reset)
    for own, right in zip(again.layers, config.layers, strict=True):
        assert (own.leak_s == 0) == right.config.synapse.decay.none
        # The leak has 16 bits, and beta was a float32.
        assert own.leak_m == pytest.approx(0.9, abs=2.0**-17 + 2.0**-24)


def test_defaults_of_snntorch_differ() -> None:
    layers, torch = snntorch_network(exact=False)
    events = spikes_in(0)
    runs = run_real(read_layers(exported(layers)), events)
    wanted = run_snntorch(layers, torch, events.raster()[0])
    # Their reset subtracts the threshold, one step later.
    assert (runs[0].spikes[0] != wanted[0]).sum() > 1000


def test_spikingjelly_writes_the_same_fields() -> None:
    # CUBALIFNode(c_decay=0.8, v_decay=0.9): tau = dt / (1 - decay), r and w_in are tau / dt.
    assert read_layers(simple()).layers[0].leak_s == pytest.approx(0.8)
    assert read_layers(simple()).layers[0].leak_m == pytest.approx(0.9)
    assert read_layers(simple()).layers[0].folded == ()


def test_norse_is_found_and_needs_dt() -> None:
    weights = np.random.default_rng(5).normal(0.5, 1.0, (8, 40))
    ends = nir.Input(np.array([40])), nir.Output(np.array([8]))
    neurons = node(8, tau_syn=5e-3, tau_mem=1e-2, r=1.0, w_in=1.0)
    chain = graph(ends[0], nir.Linear(weights), neurons, ends[1])
    with pytest.raises(BitlifError, match=r"^dt must be given: the file does not tell it"):
        read_layers(chain)
    network = read_layers(chain, dt=1e-3)
    assert network.gain == "jump"
    # Norse: v += dt / tau_mem (i - v), i jumps by w, i -= dt / tau_syn i.
    events = spikes_in(1)
    own = run_real(network, events)[0].spikes[0]
    current, voltage = np.zeros(8), np.zeros(8)
    for t, row in enumerate(events.raster()[0]):
        jumped = current + weights @ row
        voltage = voltage + 0.1 * (jumped - voltage)
        current = jumped - 0.2 * jumped
        spikes = voltage > 1.0
        np.testing.assert_array_equal(own[t], spikes)
        voltage = np.where(spikes, 0.0, voltage)
    assert own.sum() > 100


def integrators(r: float, threshold: float = 1.5) -> nir.IF:
    return nir.IF(r=np.full(8, r), v_threshold=np.full(8, threshold), v_reset=np.zeros(8))


@pytest.mark.parametrize(
    ("r", "options", "step", "gain", "factor"),
    [
        (1000.0, {}, 1e-3, "nir", 1.0),
        (1000.0, {"dt": 2e-3}, 2e-3, "nir", 2.0),
        (1.0, {}, 1.0, "jump", 1.0),
        (1.0, {"gain": "nir", "dt": 0.5}, 0.5, "nir", 0.5),
        (3.0, {"gain": "jump"}, 1.0, "jump", 3.0),
    ],
)
def test_neurons_without_a_leak(
    r: float, options: dict[str, Any], step: float, gain: str, factor: float
) -> None:
    network = read_layers(single(integrators(r)), **options)
    [layer] = network.layers
    assert (network.dt, network.gain) == (step, gain)
    assert (layer.leak_s, layer.leak_m) == (0.0, 1.0)
    # Each side divides and multiplies once.
    np.testing.assert_allclose(layer.weights.T, WEIGHTS * factor / 1.5, rtol=4 * ROUNDING)
    events, voltage = spikes_in(1), np.zeros(8)
    found = run_real(network, events)[0].spikes[0]
    for t, row in enumerate(events.raster()[0]):
        voltage = voltage + factor * WEIGHTS @ row
        np.testing.assert_array_equal(found[t], voltage > 1.5)
        voltage = np.where(found[t], 0.0, voltage)
    assert found.sum() > 100


@pytest.mark.parametrize("chosen", [{"ranges": None}, {}])
def test_integers_without_a_leak_follow(chosen: dict[str, Any]) -> None:
    # On the grid of the formats nothing is rounded, and no spike may differ.
    network = read_layers(single(integrators(1000.0, 2.0), np.round(WEIGHTS * 64) / 64))
    events = spikes_in(3, windows=4, steps=500)
    runs = run_real(network, events)
    options = {"weight_bits": 16, "state_bits": 24, "ranges": ranges_of(runs), **chosen}
    config, weights = quantised(network, steps=500, **options)
    own = config.layers[0].config
    assert own.membrane.decay.integrates
    assert own.synapse.decay.none
    [report] = compare(config, weights, runs, events)["layers"]
    assert report["spikes"] > 1000
    assert report["spikes_that_differ"] == 0
    assert report["membrane"]["saturations"] == 0


def test_a_layer_without_a_leak_is_exported(tmp_path: Path) -> None:
    plain = bitlif.Config.load("tiny").replace(synapse__decay="none")
    config = plain.replace(membrane__decay="integrate")
    raw = np.random.default_rng(1).integers(-32, 32, (6, 4))
    export_nir(tmp_path / "net.nir", config, raw)
    again, found = load_pair(tmp_path / "net.nir")
    assert again == config
    np.testing.assert_array_equal(found, raw)
    # Without the sidecar, the file tells dt although the gain is not 1, with a leak or without.
    assert config.membrane.gain != 1.0
    for own in (config, plain):
        export_nir(tmp_path / "net.nir", own, raw)
        real = read_layers(read_graph(tmp_path / "net.nir"))
        # tau and r are rounded once each, dt and the leak twice more, the weights six times in all.
        assert real.dt == pytest.approx(1e-3, rel=4 * ROUNDING, abs=0.0)
        assert real.layers[0].leak_m == pytest.approx(real_values(own)[1], abs=4 * ROUNDING)
        factor = float(own.synapse.weight.lsb) * own.membrane.gain / own.membrane.threshold
        np.testing.assert_allclose(real.layers[0].weights, raw * factor, rtol=8 * ROUNDING)
    filtered = bitlif.Config.load("tiny").replace(membrane__decay="integrate")
    with pytest.raises(BitlifError, match=r"^layer\.0\.membrane\.decay must not be 'integrate'"):
        nir_content(filtered, raw)


def test_every_neuron_may_have_a_threshold_and_gains() -> None:
    random = np.random.default_rng(2)
    plain = read_layers(simple()).layers[0]
    values = {"v_threshold": random.uniform(0.5, 2, 8), "w_in": random.uniform(1, 9, 8)}
    own = read_layers(simple(**values), dt=1e-4).layers[0]
    wanted = plain.weights * values["w_in"] / 5.0 / values["v_threshold"]
    np.testing.assert_allclose(own.weights, wanted)
    assert own.folded == ("the input's gain", "1 / threshold")


def test_sixteen_bits_of_state_hardly_change_a_spike() -> None:
    network = read_layers(simple())
    events = spikes_in(3, windows=4, steps=500)
    runs = run_real(network, events)
    differing = []
    for bits in (4, 8, 16):
        config, weights = quantised(
            network, steps=500, weight_bits=bits, ranges=ranges_of(runs), name="n"
        )
        report = compare(config, weights, runs, events)
        layer = report["layers"][0]
        assert layer["current"]["saturations"] == layer["membrane"]["saturations"] == 0
        differing.append(layer["spikes_that_differ"])
        first = report["first_difference"]
        assert (first is None) == (differing[-1] == 0)
        if first is not None:
            place = first["window"], first["step"], first["neuron"]
            assert runs[0].spikes[place] == first["spike"]
            before = runs[0].spikes[: first["window"] + 1]
            core = Network(config)
            core.load(weights)
            raster = core.run(events).output.raster.astype(bool)
            assert raster[place] != first["spike"]
            np.testing.assert_array_equal(raster[: first["window"]], before[:-1])
    total = runs[0].spikes.sum()
    assert differing[0] > differing[1] > differing[2]
    assert differing[2] < total / 50


def test_an_imported_network_has_noise_only_on_request() -> None:
    network, events = read_layers(simple()), spikes_in(4, steps=100)
    for bits in (6, 16, 24):
        config, weights = quantised(network, steps=100, state_bits=bits)
        assert not config.layers[0].config.noise.drawn
        core = Network(config)
        core.load(weights)
        first = core.run(events, record=("membrane",)).output
        assert first.raster.any()
        np.testing.assert_array_equal(core.run(events).output.raster, first.raster)
        with pytest.raises(BitlifError, match=r"error\.rule must be 'table' for learning"):
            core.learn(events, np.zeros((1, 8), np.int64))
    noisy, same = quantised(network, steps=100, sigma=0.1)
    assert noisy.layers[0].config.schedule[0].sigma == 0.1
    core = Network(noisy)
    core.load(same)
    core.learn(events, np.zeros((1, 8), np.int64))


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        (simple(v_leak=0.1), "^node 'n2': v_leak must be 0, not 0.1$"),
        (simple(v_reset=-1.0), "^node 'n2': v_reset must be 0, not -1$"),
        (simple(v_threshold=0.0), "^node 'n2': v_threshold must be above 0, not 0$"),
        (simple(tau_syn=np.linspace(1, 2, 8)), "^node 'n2': tau_syn must be above 0 and the same"),
        (simple(tau_syn=1e-4), "^node 'n2': tau_syn must be longer than dt = 0.0001, not 0.0001$"),
        (
            graph(nir.Input(np.array([3])), nir.Affine(np.ones((2, 3)), np.array([0.0, np.nan])),
                  node(2), nir.Output(np.array([2]))),
            "^node 'n1': bias must be 2 finite numbers, not of shape \\(2,\\)$",
        ),
        (
            graph(nir.Input(np.array([3])), nir.Affine(np.ones((2, 3)), np.ones(3)),
                  node(2), nir.Output(np.array([2]))),
            "^node 'n1': bias must be 2 finite numbers, not of shape \\(3,\\)$",
        ),
        (
            graph(nir.Input(np.array([3])), nir.Linear(np.ones((2, 3))),
                  nir.LI(*np.ones((3, 2))), nir.Output(np.array([2]))),
            "^node 'n2' must be CubaLIF, LIF or IF, not LI$",
        ),
        (
            graph(nir.Input(np.array([3])), nir.Linear(np.ones((2, 3))),
                  nir.IF(np.ones(2), np.ones(2), np.ones(2)), nir.Output(np.array([2]))),
            "^node 'n2': v_reset must be 0, not 1$",
        ),
        (
            graph(nir.Input(np.array([2])), node(2), nir.Output(np.array([2]))),
            "^node 'n1' must be Linear or Affine, not CubaLIF$",
        ),
        (
            graph(nir.Input(np.array([3])), nir.Linear(np.ones((2, 3))), nir.Output(np.array([2]))),
            "^node 'n1' must be followed by CubaLIF, not Output$",
        ),
        (
            graph(nir.Input(np.array([3])), nir.Linear(np.ones((2, 3))), node(2),
                  nir.Linear(np.ones((4, 3))), node(4), nir.Output(np.array([4]))),
            "^node 'n3': weight must have 2 columns, one for each neuron before it, not 3$",
        ),
        (
            graph(nir.Input(np.array([3])), nir.Linear(np.ones((2, 3))), node(4),
                  nir.Output(np.array([2]))),
            "^node 'n2': tau_syn must have 1 or 2 values, not 4$",
        ),
        (
            graph(nir.Input(np.array([3])), nir.Linear(np.ones((2, 3))),
                  node(2, v_threshold=np.nan), nir.Output(np.array([2]))),
            "^node 'n2': v_threshold must be finite$",
        ),
        (
            graph(nir.Input(np.array([2])), nir.Linear(np.ones((2, 2))), node(2),
                  nir.Output(np.array([2])),
                  edges=[("n0", "n1"), ("n1", "n2"), ("n2", "n1"), ("n2", "n3")]),
            "must have one edge on each side: only chains",
        ),
    ],
)  # fmt: skip
def test_what_our_neurons_cannot_compute_is_refused(chain: Any, message: str) -> None:
    with pytest.raises(BitlifError, match=message):
        read_layers(chain, dt=1e-4)


@pytest.mark.parametrize("name", ["digits-96", "tiny", "yin-yang", "digits"])
def test_a_pair_is_read_back_to_the_bit(name: str, tmp_path: Path) -> None:
    config = load_any_config(name)
    network = bitlif.NetworkConfig.load(name)
    random = np.random.default_rng(3)
    weights = [
        random.integers(own.config.synapse.weight.raw_min, own.config.synapse.weight.raw_max,
                        (own.config.layer.inputs, own.config.layer.neurons), endpoint=True)
        for own in network.layers
    ]  # fmt: skip
    given = weights if isinstance(config, bitlif.NetworkConfig) else weights[0]
    path = tmp_path / "net.nir"
    export_nir(path, config, given)
    again, raw = load_pair(path)
    assert again == config
    for own, right in zip(raw if isinstance(raw, list) else [raw], weights, strict=True):
        np.testing.assert_array_equal(own, right)
    # Without the sidecar, the same equations come back, but for formats and noise.
    real = read_layers(read_graph(path))
    for own, layer, right in zip(real.layers, network.layers, weights, strict=True):
        leak_s, leak_m, gain, threshold = real_values(layer.config)
        factor = float(layer.config.synapse.weight.lsb) * gain / threshold
        np.testing.assert_allclose(own.weights, right * factor, rtol=1e-12)
        assert (own.leak_s, own.leak_m) == pytest.approx((leak_s, leak_m), rel=1e-12)


def test_a_changed_pair_is_refused(tmp_path: Path) -> None:
    config = bitlif.Config.load("tiny")
    path = tmp_path / "net.nir"
    export_nir(path, config, np.ones((6, 4), np.int64))
    found = read_graph(path)
    found.nodes["weights_0"].weight = found.nodes["weights_0"].weight + 0.001
    nir.write(path, found)
    with pytest.raises(BitlifError, match=r"must be multiples of the LSB of 's6\.4': the NIR file"):
        load_pair(path)
    sidecar = sidecar_path(path)
    tree = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps({**tree, "hash": "0"}))
    with pytest.raises(BitlifError, match="hash must be"):
        load_pair(path)
    sidecar.write_text(json.dumps({**tree, "kind": "x"}))
    with pytest.raises(BitlifError, match="must be of kind 'bitlif network', version 1"):
        load_pair(path)
    sidecar.write_text("{")
    with pytest.raises(BitlifError, match="must be JSON"):
        load_pair(path)


def test_files_that_are_no_nir_are_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "a.nir"
    with pytest.raises(BitlifError, match=r"^NIR file '.*a\.nir' does not exist$"):
        read_graph(wrong)
    wrong.write_text("no")
    with pytest.raises(BitlifError, match=r"^NIR file '.*a\.nir' cannot be read: "):
        read_graph(wrong)
