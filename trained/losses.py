"""Losses of output spikes: their counts, the first spike, the likelihood of a target train."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError, BitlifTypeError, require_real
from bitlif.model.text import quoted

from .base import BaseNetwork
from .float_network import FloatNetwork
from .noise_density import noise_table
from .state import NetworkState

LEAST = 1e-12
"""Least probability that a logarithm is taken of."""


def first_spike_times(spikes: Any) -> Any:
    """Return the step of the first spike of each neuron, T without any: (B, M), with a gradient.

    The time is the number of steps that end without a spike so far, a product of ``1 - z``.

    Parameters
    ----------
    spikes : (T, B, M) tensor of 0 and 1

    Examples
    --------
    >>> import torch
    >>> first_spike_times(torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]], [[1.0, 0.0]]]))
    tensor([[1., 3.]])
    """
    return torch.cumprod(1.0 - spikes, 0).sum(0)


class SpikeCountLoss(nn.Module):
    """Cross entropy of the numbers of spikes, over the classes.

    Parameters
    ----------
    scale : float
        Factor of the counts, above 0: the more, the fewer spikes decide.
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = require_real("scale", scale, 0.0, 1e6, open_low=True)

    def forward(self, spikes: Any, labels: Any) -> Any:
        """Return the mean over a batch.

        Parameters
        ----------
        spikes : (T, B, M) tensor
        labels : (B,) int64 tensor
        """
        return functional.cross_entropy(self.scale * spikes.sum(0), labels)


class FirstSpikeLoss(nn.Module):
    """Cross entropy of the times of the first spikes: the neuron of the label should be first.

    Parameters
    ----------
    tau : float
        Steps by which a spike must be earlier to be e times as likely, above 0.
    """

    def __init__(self, tau: float = 4.0) -> None:
        super().__init__()
        self.tau = require_real("tau", tau, 0.0, 1e6, open_low=True)

    def forward(self, spikes: Any, labels: Any) -> Any:
        """Return the mean over a batch; parameters are those of `SpikeCountLoss`."""
        return functional.cross_entropy(-first_spike_times(spikes) / self.tau, labels)


class LikelihoodLoss(nn.Module):
    """Negative log-likelihood of target trains, the mean over steps and the sum over neurons.

    With integers, the derivative is the error of the contract before its rounding: of the table's
    columns A and B, ``-(q A - (1 - q) B)`` per sigma. So a table of another rule takes its place.
    The value itself is computed from the noise's distribution, with no probability below 1e-12.

    Parameters
    ----------
    network : Network or FloatNetwork
        The network whose state is given.
    """

    def __init__(self, network: BaseNetwork) -> None:
        super().__init__()
        if not isinstance(network, BaseNetwork):
            raise BitlifTypeError(
                f"network must be a Network or FloatNetwork, not {quoted(network)}"
            )
        self._real = isinstance(network, FloatNetwork)
        self._gaussian = isinstance(network, FloatNetwork) and network.noise == "gaussian"
        config = network.last_config
        self._noise, self._limit = noise_table(config.noise), config.error.limit
        self._one = 1 << config.error.target_bits
        columns = (torch.tensor(raw, dtype=torch.float64) for raw in derive(config).table)
        first, second = (raw * float(config.error.entry.lsb) for raw in columns)
        self.register_buffer("a", first, persistent=False)
        self.register_buffer("b", second, persistent=False)

    def forward(self, state: NetworkState, targets: Any) -> Any:
        """Return the mean over a batch.

        Parameters
        ----------
        state : NetworkState
            What the network returned.
        targets : (B, M) or (T, B, M) real tensor
            In 0 ..= 1; with integers they are rounded as the core's.
        """
        x = state.distance
        if x is None:
            raise BitlifError("state must be what a network returned, not one without distances")
        if not self._real:
            targets = torch.floor(targets.to(torch.float64) * self._one + 0.5) / self._one
        goals = targets.to(x.dtype)
        goals = (goals if goals.ndim == 3 else goals[None]).expand_as(x)
        if self._gaussian:
            value = goals * torch.special.log_ndtr(x) + (1 - goals) * torch.special.log_ndtr(-x)
        else:
            value = self._of_distribution(x, goals, state.bins)
        return -value.sum(2).mean()

    def _of_distribution(self, x: Any, goals: Any, bins: Any) -> Any:
        """Return the log-likelihoods by the exact distribution of the noise."""
        at = x.detach()
        # The noise is symmetric: 1 - p rounded to zero would have an infinite logarithm.
        p, rest = (self._noise.probability(own).clamp(min=LEAST) for own in (at, -at))
        if self._real:
            density = self._noise.density(at)
            a, b = ((density / own).clamp(max=self._limit) for own in (p, rest))
        else:
            a, b = (column[bins].to(x.dtype) for column in (self.a, self.b))
        value = goals * p.log() + (1.0 - goals) * rest.log()
        return ValueWithSlope.apply(x, value, goals * a - (1.0 - goals) * b)


class ValueWithSlope(torch.autograd.Function):
    """Known values of a function of one variable, with its known derivative."""

    @staticmethod
    def forward(ctx, x, value, slope) -> Any:  # type: ignore[no-untyped-def]
        """Return `value`."""
        ctx.save_for_backward(slope)
        return value.clone()

    @staticmethod
    def backward(ctx, of_value) -> tuple[Any, None, None]:  # type: ignore[no-untyped-def]
        """Return the gradient of `x`."""
        (slope,) = ctx.saved_tensors
        return of_value * slope, None, None
