"""Networks of other frameworks, through the NIR files that these frameworks write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch

from bitlif import tasks
from bitlif.model.config.network import load_any_config
from bitlif.model.events import Events
from bitlif.model.files.event_file import save_events
from bitlif.scripts.main import main
from bitlif.trained.nir_compare import run_real
from bitlif.trained.nir_graph import RealNetwork, read_graph, read_layers

STEPS, INPUTS, SIZES = 2000, 40, (64, 10)


def spikes_in() -> Events:
    return Events.from_raster(np.random.default_rng(7).random((1, STEPS, INPUTS)) < 0.05)


def draw_weights(layers: Any, deviation: float, mean: float) -> None:
    """Fill two matrices, and their biases if there are any, so that both layers spike."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for layer, centre in zip(layers, (mean, mean / 2), strict=True):
            drawn = torch.randn(layer.weight.shape, generator=generator)
            layer.weight.copy_(deviation * drawn + centre)
            if layer.bias is not None:
                drawn = torch.randn(layer.bias.shape, generator=generator)
                layer.bias.copy_(deviation * (drawn / 20 - 0.3))


def require_same_spikes(network: RealNetwork, wanted: list[np.ndarray], events: Events) -> None:
    for run, right, size in zip(run_real(network, events), wanted, SIZES, strict=True):
        assert right.shape == (STEPS, size)
        assert 0.02 < right.mean() < 0.7
        np.testing.assert_array_equal(run.spikes[0], right)


def two_layers(kind: Any, *, bias: bool = False) -> list[Any]:
    """Return the weights of two layers."""
    return [kind(*size, bias=bias) for size in ((INPUTS, 64), (64, 10))]


def step_by_step(weights: list[Any], cells: list[Any]) -> list[np.ndarray]:
    """Run a network of two layers on `spikes_in`; return the spikes of each layer."""
    found: list[list[Any]] = [[], []]
    with torch.no_grad():
        for row in torch.from_numpy(spikes_in().raster()[0].astype(float)):
            spikes = row[None]
            for own, layer, cell in zip(found, weights, cells, strict=True):
                spikes = cell(layer(spikes.double()))
                own.append(spikes[0].numpy() > 0)
    return [np.array(own) for own in found]


def with_state(cell: Any) -> Any:
    """Return a cell of Norse that keeps its state, as those of SpikingJelly do."""
    state = None

    def step(given: Any) -> Any:
        nonlocal state
        spikes, state = cell(given, state)
        return spikes

    return step


def norse_network(cells: list[Any], weights: list[Any], path: Path) -> list[np.ndarray]:
    """Run a network of Norse and write it; return the spikes of its layers."""
    import norse.torch as norse

    module = norse.SequentialState(weights[0], cells[0], weights[1], cells[1]).double()
    found = step_by_step(weights, [with_state(cell) for cell in cells])
    nir.write(path, norse.to_nir(module, torch.zeros(1, INPUTS).double(), dt=1.0))
    return found


def every(size: int, value: float) -> Any:
    return torch.full((size,), value).double()


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_norse(bias: bool, tmp_path: Path) -> None:
    """Its exporter divides dt by the inverse time constants: with 1, they are in seconds."""
    import norse.torch as norse

    def neurons(size: int) -> Any:
        values = {"tau_syn_inv": 200.0, "tau_mem_inv": 100.0, "v_th": 1.0}
        values |= {"v_leak": 0.0, "v_reset": 0.0}
        fields = {name: every(size, own) for name, own in values.items()}
        return norse.LIFCell(norse.LIFParameters(**fields), dt=1e-3)

    weights = two_layers(torch.nn.Linear, bias=bias)
    draw_weights(weights, 1.5, 0.5)
    wanted = norse_network([neurons(size) for size in SIZES], weights, tmp_path / "norse.nir")
    network = read_layers(read_graph(tmp_path / "norse.nir"), dt=1e-3)
    assert network.gain == "jump"
    assert all((own.bias is not None) == bias for own in network.layers)
    require_same_spikes(network, wanted, spikes_in())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_norse_without_a_leak(tmp_path: Path) -> None:
    """Its `IAFCell` adds the sum itself, which its exporter writes with an r of 1."""
    import norse.torch as norse

    cells = [
        norse.IAFCell(norse.IAFParameters(v_th=every(size, 1.5), v_reset=every(size, 0.0)))
        for size in SIZES
    ]
    weights = two_layers(torch.nn.Linear)
    draw_weights(weights, 0.5, 0.1)
    wanted = norse_network(cells, weights, tmp_path / "norse.nir")
    network = read_layers(read_graph(tmp_path / "norse.nir"))
    assert (network.gain, network.dt) == ("jump", 1.0)
    require_same_spikes(network, wanted, spikes_in())


@pytest.mark.parametrize(
    ("kind", "bias"), [("CUBALIFNode", False), ("CUBALIFNode", True), ("IFNode", False)]
)
def test_spikingjelly(kind: str, bias: bool, tmp_path: Path) -> None:
    from spikingjelly.activation_based import functional, layer, neuron, nir_exchange

    leaks = {} if kind == "IFNode" else {"c_decay": 0.8, "v_decay": 0.9}
    weights = two_layers(layer.Linear, bias=bias)
    cells = [getattr(neuron, kind)(v_threshold=1.5, v_reset=0.0, **leaks) for _ in SIZES]
    module = torch.nn.Sequential(weights[0], cells[0], weights[1], cells[1]).double()
    draw_weights(weights, 0.2, 0.05)
    functional.reset_net(module)
    wanted = step_by_step(weights, cells)
    functional.reset_net(module)
    graph = nir_exchange.export_to_nir(module, torch.zeros(1, INPUTS).double())
    nir.write(tmp_path / "jelly.nir", graph)
    network = read_layers(read_graph(tmp_path / "jelly.nir"))
    assert network.gain == "nir"
    assert all((own.leak_m == 1.0) == (not leaks) for own in network.layers)
    assert all((own.bias is not None) == bias for own in network.layers)
    require_same_spikes(network, wanted, spikes_in())


def trained_in_snntorch(task: tasks.Examples, epochs: int) -> Any:
    """Return a network that has learned the digits, in settings that compute our equations."""
    import snntorch
    from snntorch import surrogate

    torch.manual_seed(0)
    kinds = {
        "alpha": 0.75, "beta": 0.875, "threshold": 2.0, "reset_mechanism": "zero",
        "reset_delay": False, "spike_grad": surrogate.fast_sigmoid(slope=5),
    }  # fmt: skip
    first, second = torch.nn.Linear(65, 48, bias=False), torch.nn.Linear(48, 10, bias=False)
    cells = [snntorch.Synaptic(**kinds), snntorch.Synaptic(**kinds)]
    given = torch.from_numpy(task.train.raster().swapaxes(0, 1).astype(np.float32))
    labels = torch.from_numpy(task.train_labels.astype(np.int64))
    optimizer = torch.optim.Adam([first.weight, second.weight], lr=0.01)
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels)).split(64):
            states = [cell.init_synaptic() for cell in cells]
            counts = torch.zeros(len(chosen), 10)
            for row in given[:, chosen]:
                hidden, *states[0] = cells[0](first(row), *states[0])
                spikes, *states[1] = cells[1](second(hidden), *states[1])
                counts = counts + spikes
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(counts / 4, labels[chosen]).backward()
            optimizer.step()
    return torch.nn.Sequential(first, cells[0], second, cells[1])


@pytest.mark.long
def test_eight_bits_of_weight_keep_the_accuracy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Digits, trained in snnTorch; then 8-bit weights and 16-bit states: one point at most."""
    from snntorch.export_nir import _extract_snntorch_module

    digits = tasks.get("digits").load(load_any_config("digits-96").outer, 0)
    module = trained_in_snntorch(digits, epochs=4)
    nodes: dict[str, Any] = {"in": nir.Input(np.array([65]))}
    nodes |= {f"n{k}": _extract_snntorch_module(own) for k, own in enumerate(module)}
    nodes["out"] = nir.Output(np.array([10]))
    edges = list(zip(list(nodes)[:-1], list(nodes)[1:], strict=True))
    graph = nir.NIRGraph(nodes=nodes, edges=edges, type_check=False)
    for size, name in ((48, "n1"), (10, "n3")):
        own = nodes[name]
        fields = ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in")
        wide = {key: np.ones(size) * np.asarray(getattr(own, key)) for key in fields}
        graph.nodes[name] = nir.CubaLIF(**wide)
    nir.write(tmp_path / "net.nir", graph)
    save_events(tmp_path / "spikes.npz", digits.test)
    np.savez(tmp_path / "labels.npz", labels=digits.test_labels)
    command = (
        f"import {tmp_path}/net.nir --data {tmp_path}/spikes.npz --labels {tmp_path}/labels.npz "
        f"--out {tmp_path}/net --json"
    )
    assert main(command.split()) == 0
    report = json.loads(capsys.readouterr().out)
    accuracy, first = report["accuracy"], report["first_difference"]
    assert accuracy["before"] > 0.9
    assert accuracy["after"] >= accuracy["before"] - 0.01
    # Rounded weights change some spikes, and the report says where first.
    assert first is not None
    assert {"layer", "window", "step", "neuron", "membrane", "membrane_in_integers"} <= set(first)
    network = load_any_config(str(tmp_path / "net" / "config.toml"))
    assert [own.config.synapse.weight.bits for own in network.layers] == [8, 8]
    assert [own.config.membrane.format.bits for own in network.layers] == [16, 16]
