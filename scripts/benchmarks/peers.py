"""The networks that `bitlif bench network` compares with: NumPy, and snnTorch on PyTorch.

They have the sizes, steps, leaks, noise and surrogate width of the network of the benchmark, in
floating point, and learn from the same windows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.derive import leak_factor

Floats = NDArray[np.float64]


class NumpyNetwork:
    """A network of two layers in NumPy, learned by its backward sweep, one window at a time.

    Parameters
    ----------
    config : NetworkConfig
        Of two layers.
    at_once : bool
        Sum the gradients by one matrix product per window and layer, instead of by an outer
        product per step.
    """

    def __init__(self, config: NetworkConfig, *, at_once: bool) -> None:
        hidden, last = (layer.config for layer in config.layers)
        self._at_once = at_once
        self._leaks = [[_leak(c.synapse.decay), _leak(c.membrane.decay)] for c in (hidden, last)]
        self._gains = [c.membrane.gain for c in (hidden, last)]
        self._thresholds = [c.membrane.threshold for c in (hidden, last)]
        self._sigmas = [c.schedule[0].sigma for c in (hidden, last)]
        self._width = config.layers[0].sweep.surrogate.width
        self._rates = [c.schedule[0].rate for c in (hidden, last)]
        self._random = np.random.default_rng(0)
        self.weights = [
            raw * float(layer.config.synapse.weight.lsb)
            for raw, layer in zip(config.initial_weights(), config.layers, strict=True)
        ]

    def learn(self, window: Floats, target: Floats) -> None:
        """Learn from one window of spikes, (T, N), and a target per output, (M,)."""
        potentials, spikes = self._forward(window)
        x = (potentials[1] - self._thresholds[1]) / self._sigmas[1]
        error = target - 1.0 / (1.0 + np.exp(-1.7 * x))
        surrogate = np.abs(potentials[0] - self._thresholds[0]) < self._width
        gradients = self._backward(window, spikes, error, surrogate)
        for weights, gradient, rate in zip(self.weights, gradients, self._rates, strict=True):
            weights += rate / len(window) * gradient

    def _forward(self, window: Floats) -> tuple[list[Floats], list[Floats]]:
        """Return the membrane potentials and spikes of both layers: (T, M) each."""
        steps, sizes = len(window), [w.shape[1] for w in self.weights]
        current, membrane = ([np.zeros(size) for size in sizes] for _ in range(2))
        potentials, spikes = ([np.zeros((steps, size)) for size in sizes] for _ in range(2))
        noise = [
            self._random.normal(0.0, sigma, (steps, size))
            for sigma, size in zip(self._sigmas, sizes, strict=True)
        ]
        for t in range(steps):
            given = window[t]
            for k, (a_s, a_m) in enumerate(self._leaks):
                current[k] = a_s * current[k] + given @ self.weights[k]
                membrane[k] = a_m * membrane[k] + self._gains[k] * current[k]
                potentials[k][t] = membrane[k]
                fired = membrane[k] + noise[k][t] >= self._thresholds[k]
                spikes[k][t] = fired
                membrane[k] = np.where(fired, 0.0, membrane[k])
                given = spikes[k][t]
        return potentials, spikes

    def _backward(
        self, window: Floats, spikes: list[Floats], error: Floats, surrogate: NDArray[np.bool_]
    ) -> list[Floats]:
        """Return the gradients of both layers."""
        gradients = [np.zeros_like(weights) for weights in self.weights]
        adjoints = [np.zeros_like(own) for own in spikes]
        lam, kap = ([np.zeros(own.shape[1]) for own in spikes] for _ in range(2))
        for t in range(len(window) - 1, -1, -1):
            a_s, a_m = self._leaks[1]
            lam[1] = error[t] + a_m * lam[1]
            kap[1] = a_s * kap[1] + self._gains[1] * lam[1]
            credit = surrogate[t] * (self.weights[1] @ kap[1])
            a_s, a_m = self._leaks[0]
            lam[0] = credit + a_m * (1.0 - spikes[0][t]) * lam[0]
            kap[0] = a_s * kap[0] + self._gains[0] * lam[0]
            if self._at_once:
                adjoints[0][t], adjoints[1][t] = kap
            else:
                gradients[0] += np.outer(window[t], kap[0])
                gradients[1] += np.outer(spikes[0][t], kap[1])
        if self._at_once:
            return [window.T @ adjoints[0], spikes[0].T @ adjoints[1]]
        return gradients


def _leak(decay: Any) -> float:
    raw, bits = leak_factor("decay", decay)
    return float(raw / (1 << bits))


def snntorch_learner(
    config: NetworkConfig, windows: NDArray[np.bool_], labels: NDArray[np.integer]
) -> Callable[[], None]:
    """Return a function that learns the next batch of windows with snnTorch on one thread.

    Synaptic neurons with reset to zero, the surrogate gradient of snnTorch's examples, the cross
    entropy of the spike counts, and Adam.

    Parameters
    ----------
    config : NetworkConfig
        Of two layers.
    windows : (batches, T, size, N) bool
    labels : (batches, size) int
    """
    import snntorch
    import torch

    torch.manual_seed(0)
    layers = []
    for layer in config.layers:
        own = layer.config
        layers.append(torch.nn.Linear(own.layer.inputs, own.layer.neurons, bias=False))
        layers.append(
            snntorch.Synaptic(
                alpha=_leak(own.synapse.decay), beta=_leak(own.membrane.decay),
                spike_grad=snntorch.surrogate.fast_sigmoid(slope=25), reset_mechanism="zero",
            )
        )  # fmt: skip
    network = torch.nn.ModuleList(layers)

    def counts_of(batch: Any) -> Any:
        states = [layer.init_synaptic() for layer in network[1::2]]
        counts = 0
        for step in batch:
            spikes = step
            for k, (synapses, neurons) in enumerate(zip(network[::2], network[1::2], strict=True)):
                spikes, *states[k] = neurons(synapses(spikes), *states[k])
            counts = counts + spikes
        return counts

    return _learner(network, counts_of, windows, labels)


def torch_learner(
    config: NetworkConfig, windows: NDArray[np.bool_], labels: NDArray[np.integer]
) -> Callable[[], None]:
    """Return the same of `bitlif.torch`: the network on its integers, with that loss and Adam."""
    from bitlif.trained.network import Network

    network = Network(config)
    return _learner(network, lambda batch: network(batch)[0].sum(0), windows, labels)


def _learner(
    network: Any,
    counts_of: Callable[[Any], Any],
    windows: NDArray[np.bool_],
    labels: NDArray[np.integer],
) -> Callable[[], None]:
    """Return a function that learns the next batch; `counts_of` returns its spike counts."""
    import torch

    torch.set_num_threads(1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    given = torch.from_numpy(windows.astype(np.float32))
    goals = torch.from_numpy(labels.astype(np.int64))
    place = 0

    def learn() -> None:
        nonlocal place
        batch, goal, place = given[place], goals[place], (place + 1) % len(given)
        loss = torch.nn.functional.cross_entropy(counts_of(batch), goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return learn
