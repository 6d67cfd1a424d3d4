"""The forward pass of the contract in plain tensor operations, on any device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from bitlif.model.config.network import NetworkConfig
from bitlif.model.constants import Filter

from .draws import noise_draws
from .real_constants import phase_of
from .state import LayerSignals, NetworkState


def run_tensors(
    config: NetworkConfig, weights: Sequence[Any], given: Any, levels: Any, state: NetworkState
) -> list[LayerSignals]:
    """Run windows through all layers, in 64-bit integers.

    Parameters
    ----------
    config : NetworkConfig
    weights : sequence of (N, M) int64 tensors
        Raw.
    given : (T, B, N) tensor of 0 and 1
    levels : (1 or T, B, M) int64 tensor or None
        Raw targets of the last layer.
    state : NetworkState
    """
    found = []
    for number, own in enumerate(weights):
        last = number == len(weights) - 1
        signals = _layer(config, number, own, given, levels if last else None, state)
        found.append(signals)
        given = signals.spikes
    return found


def _leaky_sum(kept: Any, taken: Any, f: Filter) -> Any:
    return ((f.keep * kept + f.take * taken + f.bias) >> f.shift).clamp_(f.low, f.high)


def _layer(
    config: NetworkConfig, number: int, weights: Any, given: Any, levels: Any, state: NetworkState
) -> LayerSignals:
    own, device = config.layers[number].config, given.device
    c, phase = phase_of(config, number, state.windows_learned)
    steps, batch = given.shape[:2]
    draws = noise_draws(own, state.windows, batch, device)
    noise = (phase.noise_scale * draws + c.noise_bias) >> c.noise_shift
    # Exact: no sum of weights needs more than 53 bits. GPUs multiply no matrices of integers.
    sums = (given.to(torch.float64) @ weights.to(torch.float64)).to(torch.int64)
    resets = None if levels is None or not c.teacher_reset else 2 * levels >= c.target_one
    shape = (steps, batch, own.layer.neurons)
    spikes, currents, membranes = (
        torch.empty(shape, dtype=torch.int64, device=device) for _ in range(3)
    )
    clear = own.window.state == "clear"
    # Windows that carry their state run one after another, others side by side.
    blocks = [slice(0, batch)] if clear else [slice(k, k + 1) for k in range(batch)]
    kept = torch.zeros(shape[2], dtype=torch.int64, device=device)
    current = kept if clear or not state.currents else state.currents[number].to(device)
    membrane = kept if clear or not state.membranes else state.membranes[number].to(device)
    for block in blocks:
        for t in range(steps):
            current = _leaky_sum(current, sums[t, block], c.current)
            membrane = _leaky_sum(membrane, current, c.membrane)
            noisy = membrane + noise[t, block]
            spike = noisy >= c.threshold
            spikes[t, block], currents[t, block], membranes[t, block] = spike, current, membrane
            kept = noisy if c.keep_noise else membrane
            kept = (kept - c.subtracted * spike).clamp(c.membrane.low, c.membrane.high)
            reset = spike
            if c.teacher_reset:
                assert resets is not None
                reset = resets[t if resets.shape[0] > 1 else 0, block]
            membrane = kept if c.subtracted else kept.masked_fill(reset, 0)
        current, membrane = current[-1], membrane[-1]
    return LayerSignals(spikes, currents, membranes, draws, current, membrane)
