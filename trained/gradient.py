"""The backward pass of a layer: through the noise's own derivative and both filters.

In real numbers, for the gradients ``g_z`` of the spikes and ``g_x`` of the distances
``x = (Vb - u) / sigma``, with p the probability of a spike::

    d[t]   = (g_z[t] dp/dx[t] + g_x[t]) / sigma
    lam[t] = d[t] + a_m k[t] lam[t+1]
    kap[t] = a_s kap[t+1] + b lam[t]
    weights: sum of kap[t] over the input spikes;  inputs: kap[t] times the weights

k is 0 after a spike that cuts the way back, else 1: the contract of networks cuts it in hidden
layers only. The derivative of the reset itself is left out, as in the contract.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable


class RealConstants(NamedTuple):
    """The real numbers that the backward pass of a layer needs."""

    leak_s: float
    leak_m: float
    gain: float
    threshold: float
    sigma: float
    """Standard deviation of the noise, in the unit of the membrane"""


class LayerFunction(torch.autograd.Function):
    """Spikes and distances of a layer that are known already, with the gradient of the module."""

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, given, weights, spikes, distance, slope, keep, constants
    ) -> tuple[Any, Any]:
        """Return the spikes and the distances.

        Parameters
        ----------
        given : (T, B, N) real tensor
            Input spikes.
        weights : (N, M) real tensor
            As the integers have them.
        spikes, distance : (T, B, M) real tensors
        slope : (T, B, M) real tensor
            dp/dx, or another surrogate derivative of a spike.
        keep : (T, B, M) real tensor or None
            k above; None for 1.
        constants : RealConstants
        """
        ctx.save_for_backward(given, weights, slope, keep)
        ctx.constants = constants
        return spikes.clone(), distance.clone()

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx, of_spikes, of_distance) -> tuple[Any, ...]:  # type: ignore[no-untyped-def]
        """Return the gradients of the inputs and of the weights."""
        given, weights, slope, keep = ctx.saved_tensors
        c = ctx.constants
        drive = torch.addcmul(of_distance, of_spikes, slope) / c.sigma
        leaks = None if keep is None else keep * c.leak_m
        adjoint = torch.zeros_like(drive[0])
        current = torch.zeros_like(adjoint)
        currents = torch.empty_like(drive)
        for t in range(drive.shape[0] - 1, -1, -1):
            adjoint.mul_(c.leak_m if leaks is None else leaks[t]).add_(drive[t])
            current.mul_(c.leak_s).add_(adjoint, alpha=c.gain)
            currents[t] = current
        flat = currents.flatten(0, 1)
        of_weights = of_given = None
        if ctx.needs_input_grad[1]:
            of_weights = given.flatten(0, 1).T @ flat
        if ctx.needs_input_grad[0]:
            of_given = (flat @ weights.T).view_as(given)
        return of_given, of_weights, None, None, None, None, None


class Rounded(torch.autograd.Function):
    """Values that stand for others; the gradient passes straight through."""

    @staticmethod
    def forward(ctx, master, rounded) -> Any:  # type: ignore[no-untyped-def]
        """Return `rounded`."""
        return rounded.clone()

    @staticmethod
    def backward(ctx, of_rounded) -> tuple[Any, None]:  # type: ignore[no-untyped-def]
        """Return the gradient of the rounded values as that of the master copy."""
        return of_rounded, None
