"""The gradient of a layer is the contract's up to its roundings, and exact in real numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from networks import network_stimulus, random_networks

import bitlif
from bitlif.model.config.network import NetworkConfig, NetworkLayer
from bitlif.model.derive import derive
from bitlif.model.fixed import Rounding
from bitlif.model.layer import Layer
from bitlif.model.network import Network as IntegerNetwork
from bitlif.trained.float_network import FloatNetwork
from bitlif.trained.losses import LikelihoodLoss
from bitlif.trained.network import Network
from bitlif.trained.real_constants import real_constants

from strategies import random_configs, stimulus

LAYERS = 80


def contract_gradient(config: bitlif.Config, number: int) -> tuple[Any, ...] | None:
    """Return gradients of both, the bound, and the one a step late; None if anything saturated."""
    events, weights, targets = stimulus(config, number)
    layer = Layer(config)
    layer.load(weights)
    # Traces start from zero in every window that is not learned.
    out = layer.run(events, targets, record=("errors", "traces", "gradient"))
    saturations = ("error", "synaptic_trace", "trace")
    if any(out.counters[f"{name}_saturations"] for name in saturations):
        return None
    network = Network(config).double().eval()
    network.load_core_weights(weights)
    one = 1 << config.error.target_bits
    goals = torch.from_numpy(np.asarray(targets, np.float64) / one)
    goals = goals.transpose(0, 1) if goals.ndim == 3 else goals
    given = torch.from_numpy(events.raster().swapaxes(0, 1).astype(np.float64))
    _, state = network(given, targets=goals)
    LikelihoodLoss(network)(state, goals).backward()
    c = real_constants(network._network, 0)
    size = given.shape[0] * given.shape[1] * c.sigma
    found = -network.weights[0].grad.numpy() * size
    unit = float(config.error.format.lsb * config.trace.format.lsb)
    exact = out.gradient.sum(0).T * unit
    late = np.einsum("wtm,wtn->nm", out.errors[:, :-1], out.traces[:, 1:]) * unit
    return found, exact, late, rounding_bound(config, given.numpy(), state.bins.numpy(), goals, c)


def rounding_bound(config: bitlif.Config, given: Any, bins: Any, goals: Any, c: Any) -> Any:
    """Return how far the roundings of errors and traces can move the gradient: (N, M).

    Both traces are leaky sums with one rounding each: the error of a sum is the leak times the
    one before, plus the gain times that of its input, plus one rounding. The tables, the leaks and
    the gain are the same integers on both sides.
    """
    a, b = (np.array(raw) * float(config.error.entry.lsb) for raw in derive(config).table)
    q = np.broadcast_to(goals.numpy() if goals.ndim == 3 else goals.numpy()[None], bins.shape)
    error = q * a[bins] - (1 - q) * b[bins]

    def step(rounding: Rounding, lsb: Any) -> float:
        return float(lsb) * (0.5 if rounding is Rounding.NEAREST else 1.0)

    r_error = step(config.error.rounding, config.error.format.lsb)
    r_current = step(config.trace.rounding, config.trace.current.lsb)
    r_trace = step(config.trace.rounding, config.trace.format.lsb)
    current, trace = np.zeros(given.shape[1:]), np.zeros(given.shape[1:])
    of_current = of_trace = 0.0
    bound = np.zeros((given.shape[2], error.shape[2]))
    for t in range(given.shape[0]):
        current = c.leak_s * current + given[t]
        trace = c.leak_m * trace + c.gain * current
        of_current = c.leak_s * of_current + r_current
        of_trace = c.leak_m * of_trace + c.gain * of_current + r_trace
        bound += (np.abs(error[t]).sum(0) * of_trace)[None]
        bound += r_error * (trace + of_trace).sum(0)[:, None]
    return bound


def test_gradient_of_a_layer_is_the_contracts_up_to_its_roundings() -> None:
    compared = tight = caught = 0
    for number, config in enumerate(random_configs(LAYERS)):
        both = contract_gradient(config, number)
        if both is None:
            continue
        found, exact, late, bound = both
        slack = 1e-9 * (1.0 + np.abs(exact))
        assert (np.abs(found - exact) <= bound + slack).all(), number
        compared += 1
        tight += bool((np.abs(found - exact) > bound / 8).any())
        caught += bool((np.abs(found - late) > bound + slack).any())
    # The bound is reached in part, and a gradient one step late leaves it.
    assert compared >= LAYERS // 4
    assert tight >= compared // 8
    assert caught >= compared // 4


def plain_gradient(network: Network, given: Any, credit: Any) -> list[Any]:
    """Return the gradients of all layers by loops in NumPy, as the contract of networks states."""
    signals = network.signals(given)
    config = network._network
    count = len(signals)
    inputs = [given.numpy(), *(own.spikes.numpy().astype(float) for own in signals[:-1])]
    found: list[Any] = [None] * count
    for number in reversed(range(count)):
        own, c = config.layers[number].config, real_constants(config, number)
        lsb = float(own.membrane.format.lsb)
        x = signals[number].membrane.numpy() - config.derived(number).constants.threshold
        # The density jumps at its knots, which x can meet: it must be rounded as in the network.
        x = x * (lsb / c.sigma)
        knots, below = own.noise.pmf.knots_in_sigma(), own.noise.pmf.cumulative()
        place = np.searchsorted(knots, x, side="right")
        density = np.concatenate(([0.0], np.diff(below) / np.diff(knots), [0.0]))[place]
        lam = kap = np.zeros(x.shape[1:])
        kaps = np.zeros(x.shape)
        for t in reversed(range(len(x))):
            keep = 1.0 if number == count - 1 else 1.0 - signals[number].spikes[t].numpy()
            lam = credit[t] * density[t] / c.sigma + c.leak_m * keep * lam
            kap = c.leak_s * kap + c.gain * lam
            kaps[t] = kap
        found[number] = np.einsum("tbn,tbm->nm", inputs[number], kaps)
        weights = network.raw_weights()[number].numpy() * float(own.synapse.weight.lsb)
        credit = kaps @ weights.T
    return found


@pytest.mark.parametrize("number", range(0, 60, 2))
def test_gradient_of_a_network_is_the_sweep_in_real_numbers(number: int) -> None:
    config = random_networks(200)[number]
    if config.layers[-1].config.membrane.reset == "teacher":
        config = config.replace(**{
            f"layer__{len(config.layers) - 1}__membrane__reset": "free",
        })  # fmt: skip
    events, weights, _ = network_stimulus(config, number)
    network = Network(config).double().eval()
    network.load_core_weights(weights)
    given = torch.from_numpy(events.raster().swapaxes(0, 1).astype(np.float64))
    random = np.random.default_rng(number)
    spikes, _ = network(given)
    credit = random.standard_normal(tuple(spikes.shape))
    (spikes * torch.from_numpy(credit)).sum().backward()
    wanted = plain_gradient(network, given, credit)
    for own, right in zip(network.weights, wanted, strict=True):
        np.testing.assert_allclose(own.grad.numpy(), right, rtol=1e-9, atol=1e-9)


def two_layers(**changes: Any) -> NetworkConfig:
    first = bitlif.Config.load("tiny")
    second = first.replace(layer__inputs=4, layer__neurons=3, layer__lanes=1, **changes)
    return NetworkConfig.of(NetworkLayer(config=first), NetworkLayer(config=second))


@pytest.mark.parametrize("noise", ["gaussian", "pmf"])
@pytest.mark.parametrize("injection", ["threshold", "membrane"])
def test_float_network_passes_gradcheck(noise: str, injection: str) -> None:
    config = two_layers(membrane__reset="teacher", membrane__injection=injection)
    network = FloatNetwork(config, noise=noise, outputs="probabilities", cut="all").double().eval()
    torch.manual_seed(2)
    given = torch.rand(16, 2, 6, dtype=torch.float64, requires_grad=True)
    goals = (torch.rand(16, 2, 3) < 0.3).double()
    loss = LikelihoodLoss(network)
    shapes = [own.shape for own in network.weights]
    start = [torch.rand(shape, dtype=torch.float64) * 0.4 for shape in shapes]

    def value(given: Any, *weights: Any) -> Any:
        torch.manual_seed(5)
        changed = {f"weights.{k}": own for k, own in enumerate(weights)}
        spikes, state = torch.func.functional_call(network, changed, (given, None, goals))
        # The slope of the other noise's logarithm is limited where there is hardly any mass.
        scores = (loss(state, goals),) if noise == "gaussian" else ()
        return spikes, state.distance, *scores

    arguments = (given, *(own.requires_grad_() for own in start))
    assert torch.autograd.gradcheck(value, arguments, eps=1e-7, atol=1e-5, rtol=1e-4)


def test_sweep_derivative_is_that_of_the_core() -> None:
    config = bitlif.NetworkConfig.load("digits-96")
    network = Network(config, derivative="sweep").eval()
    random = np.random.default_rng(4)
    raster = random.random((1, 64, 65)) < 0.3
    given = torch.from_numpy(raster.swapaxes(0, 1).astype(np.float32))
    goals = torch.eye(10)[:1]
    _, state = network(given)
    LikelihoodLoss(network)(state, goals).backward()
    core = IntegerNetwork(config)
    levels = (goals.numpy() * (1 << config.outer.error.target_bits)).astype(np.uint16)
    out = core.learn(bitlif.Events.from_raster(raster), levels, record=("gradients",))
    for own, exact in zip(network.weights, out.gradients, strict=True):
        pair = np.corrcoef(-own.grad.numpy().ravel(), exact[0].ravel())
        assert pair[0, 1] > 0.9
