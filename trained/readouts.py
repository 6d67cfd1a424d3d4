"""What stands behind a network in `torch.nn.Sequential`."""

from __future__ import annotations

from typing import Any

from torch import nn


class Spikes(nn.Module):
    """Keep the spikes of what a network returned, and drop its state.

    Examples
    --------
    >>> import bitlif, torch
    >>> config = bitlif.Config.load("tiny")
    >>> model = torch.nn.Sequential(bitlif.torch.Network(config), bitlif.torch.Spikes())
    >>> model(torch.zeros(16, 3, 6)).shape
    torch.Size([16, 3, 4])
    """

    def forward(self, found: Any) -> Any:
        """Return the spikes, (T, B, M), of a pair of spikes and state."""
        return found[0]
