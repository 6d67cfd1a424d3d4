"""Distribution and density of the noise as tensors, from its exact probability mass function."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

from bitlif.model.errors import BitlifError
from bitlif.model.fixed import Format
from bitlif.model.noise import NoiseConfig


class NoiseTable:
    """The noise of the contract in units of sigma: its mass is spread evenly over each cell.

    Parameters
    ----------
    noise : NoiseConfig

    Raises
    ------
    BitlifError
        If there is no noise.
    """

    def __init__(self, noise: NoiseConfig) -> None:
        if not noise.drawn:
            raise BitlifError(
                "noise.kind must not be 'none': spikes without noise have no derivative; run "
                "them under torch.no_grad()"
            )
        knots, below = noise.pmf.knots_in_sigma(), noise.pmf.cumulative()
        density = np.diff(below) / np.diff(knots)
        # Beyond the outermost knots the density is 0.
        self._knots = torch.from_numpy(knots)
        self._below = torch.from_numpy(below)
        self._density = torch.from_numpy(np.concatenate(([0.0], density, [0.0])))

    def density(self, x: Any) -> Any:
        """Return dp/dx at distances in sigma, of any shape, in their dtype."""
        places = torch.bucketize(x, self._on(self._knots, x), right=True)
        return self._on(self._density, x)[places]

    def probability(self, x: Any) -> Any:
        """Return the probability of a spike at distances in sigma, in their dtype."""
        knots, below, density = (
            self._on(own, x) for own in (self._knots, self._below, self._density)
        )
        places = torch.bucketize(x, knots, right=True)
        # By symmetry, the mass above -x is that below x.
        left = (places - 1).clamp(min=0)
        return torch.where(places > 0, below[left] + (x - knots[left]) * density[places], 0.0)

    def quantile(self, mass: Any) -> Any:
        """Return the distances in sigma below which so much of the mass is, in its dtype."""
        knots, below, density = (
            self._on(own, mass) for own in (self._knots, self._below, self._density)
        )
        last = knots.numel() - 2
        left = (torch.bucketize(mass, below, right=True) - 1).clamp(0, last)
        return knots[left] + (mass - below[left]) / density[left + 1]

    @staticmethod
    def _on(table: Any, x: Any) -> Any:
        return table.to(device=x.device, dtype=x.dtype)


@functools.lru_cache(maxsize=64)
def noise_table(noise: NoiseConfig) -> NoiseTable:
    """Return the table of a noise source."""
    return NoiseTable(noise)


MOST_MEMBRANES = 1 << 16
"""Most raw membrane potentials that a density is tabulated for."""


@functools.lru_cache(maxsize=64)
def density_by_membrane(
    noise: NoiseConfig, fmt: Format, threshold: int, scale: float, dtype: Any
) -> Any:
    """Return the density at each raw membrane of a format, lowest first, or None for a wide one.

    Parameters
    ----------
    noise : NoiseConfig
    fmt : Format
    threshold : int
        Raw.
    scale : float
        Sigma per LSB of the membrane.
    dtype : torch.dtype
    """
    if fmt.raw_max - fmt.raw_min >= MOST_MEMBRANES:
        return None
    raw = torch.arange(fmt.raw_min, fmt.raw_max + 1, dtype=torch.float64)
    return noise_table(noise).density((raw - threshold) * scale).to(dtype)
