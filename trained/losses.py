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


def _checked_labels(spikes: Any, labels: Any) -> Any:
    """Return labels as int64, after checks of both."""
    if not isinstance(spikes, torch.Tensor) or spikes.ndim != 3:
        raise BitlifTypeError(f"spikes must be a tensor of shape (T, B, M), not {_kind(spikes)}")
    _, windows, neurons = spikes.shape
    _require_windows("spikes", windows)
    if not isinstance(labels, torch.Tensor) or not _is_integer(labels):
        raise BitlifTypeError(f"labels must be a tensor of integers, not {_kind(labels)}")
    if labels.shape != (windows,):
        raise BitlifTypeError(
            f"labels must have shape (B,) = ({windows},), one for each window, "
            f"not {tuple(labels.shape)}"
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= neurons:
        raise BitlifError(
            f"labels must be in 0 ..= {neurons - 1}, the neurons of the last layer, "
            f"not {low if low < 0 else high}"
        )
    return labels.to(torch.int64)


def _check_targets(distance: Any, targets: Any) -> None:
    """Raise unless target trains are those of a network with these distances to the threshold."""
    steps, windows, neurons = distance.shape
    _require_windows("state", windows)
    if not isinstance(targets, torch.Tensor) or targets.is_complex():
        raise BitlifTypeError(f"targets must be a tensor of real numbers, not {_kind(targets)}")
    shape = (windows, neurons)
    if tuple(targets.shape) not in (shape, (steps, *shape)):
        raise BitlifTypeError(
            f"targets must have shape (B, M) = {shape} or (T, B, M) = {(steps, *shape)}, "
            f"not {tuple(targets.shape)}"
        )
    wrong = ~((targets >= 0) & (targets <= 1))  # also those that are not numbers
    if wrong.any():
        raise BitlifError(f"targets must be in 0 ..= 1, not {float(targets[wrong][0]):g}")


def _require_windows(name: str, windows: int) -> None:
    if not windows:
        raise BitlifError(f"{name} must be of at least one window, not of 0")


def _is_integer(tensor: Any) -> bool:
    real = tensor.is_floating_point() or tensor.is_complex()
    return not real and tensor.dtype != torch.bool


def _kind(value: Any) -> str:
    """Return the dtype and shape of a tensor, or another value in short, for errors."""
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} of shape {tuple(value.shape)}"
    return quoted(value)


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
        labels : (B,) tensor of integers
            In 0 ..= M - 1.

        Raises
        ------
        BitlifError
            If a shape, dtype or label is wrong, or there are no windows.
        """
        labels = _checked_labels(spikes, labels)
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
        labels = _checked_labels(spikes, labels)
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

        Raises
        ------
        BitlifError
            If the shape or a target is wrong, or there are no windows.
        """
        x = state.distance
        if x is None:
            raise BitlifError("state must be what a network returned, not one without distances")
        _check_targets(x, targets)
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
