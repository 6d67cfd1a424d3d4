"""The constants that gradients are computed with, and tables of a layer, at its integers."""

from __future__ import annotations

from typing import Any

import torch

from bitlif.model.config.network import NetworkConfig
from bitlif.model.constants import Constants, PhaseConstants
from bitlif.model.derive import effective_sigma

from .gradient import RealConstants
from .real_values import real_values


def phase_of(
    network: NetworkConfig, number: int, windows_learned: int
) -> tuple[Constants, PhaseConstants]:
    """Return the integers of a layer after a number of windows learned."""
    derived = network.derived(number)
    return derived.constants, derived.phases[derived.phase_at(windows_learned)]


def real_constants(network: NetworkConfig, number: int, windows_learned: int = 0) -> RealConstants:
    """Return leaks, gain, threshold and sigma as the integers of a layer have them.

    Without noise, sigma is that of the schedule, the unit of the error table.
    """
    own = network.layers[number].config
    c, phase = phase_of(network, number, windows_learned)
    lsb = float(own.membrane.format.lsb)
    leak_s, leak_m, gain, threshold = real_values(own)
    sigma = float(effective_sigma(own, phase.noise_scale, c.noise_shift)) * lsb
    if not own.noise.drawn:
        derived = network.derived(number)
        sigma = float(own.schedule[derived.phase_at(windows_learned)].sigma)
    return RealConstants(leak_s, leak_m, gain, threshold, sigma)


def table_bins(network: NetworkConfig, number: int, membrane: Any, windows_learned: int = 0) -> Any:
    """Return the bins of a layer's error table at raw membranes; see `bitlif.model.table`."""
    c, phase = phase_of(network, number, windows_learned)
    bins = ((membrane - c.threshold) * phase.reciprocal) >> c.bin_shift
    return bins.clamp(-c.half_bins, c.half_bins - 1) + c.half_bins


def sweep_slope(network: NetworkConfig, number: int, membrane: Any) -> Any:
    """Return the surrogate derivatives of a hidden layer at raw membranes, float64."""
    c = network.derived(number).constants
    surrogate = network.derived_sweep(number).constants.surrogate
    distance = (membrane - c.threshold).abs()
    inside = distance < surrogate.width
    if not surrogate.reciprocal:
        return inside.to(torch.float64)
    table = torch.from_numpy(surrogate.table).to(membrane.device)
    places = ((distance * surrogate.reciprocal) >> surrogate.shift).clamp(max=table.numel() - 1)
    one = 1 << network.layers[number].sweep.surrogate.bits
    return torch.where(inside, table[places] / one, 0.0)
