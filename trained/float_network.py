"""The float mode: the network in real numbers, with no rounding, for pre-training."""

from __future__ import annotations

from typing import Any

import torch

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import require_choice
from bitlif.model.floating.constants import real_leak

from .base import BaseNetwork
from .gradient import LayerFunction, RealConstants
from .noise_density import noise_table
from .state import NetworkState

NOISES = ("gaussian", "pmf")
OUTPUTS = ("spikes", "probabilities")


class FloatNetwork(BaseNetwork):
    """A network in real numbers, whose `state_dict` a `Network` of the same layers takes.

    Leaks, gain, threshold and sigma are those of the configuration, unrounded. Nothing saturates.
    The noise comes from PyTorch's generator of random numbers; see `torch.manual_seed`. Each
    window starts from zeros, whatever ``window.state`` says.

    Parameters
    ----------
    config : Config or NetworkConfig
    noise : str
        ``"gaussian"``, or ``"pmf"``: the distribution that the core's noise has.
    outputs : str
        What each layer gives to the next: ``"spikes"``, or ``"probabilities"``, the probability of
        a spike given the past. The gradient is exact then, but for the resets' own derivative.
    derivative, cut : str
        See `bitlif.torch.Network`. In ``"sweep"``, the surrogate is the window of that width.

    Raises
    ------
    BitlifError
        If an argument is of the wrong type or unknown.
    """

    def __init__(
        self,
        config: Config | NetworkConfig,
        *,
        noise: str = "gaussian",
        outputs: str = "spikes",
        derivative: str = "noise",
        cut: str = "hidden",
    ) -> None:
        super().__init__(config, derivative=derivative, cut=cut)
        self.noise = require_choice("noise", noise, NOISES)
        self.outputs = require_choice("outputs", outputs, OUTPUTS)

    def forward(
        self, given: Any, state: NetworkState | None = None, targets: Any = None
    ) -> tuple[Any, NetworkState]:
        """Run a batch of windows; see `bitlif.torch.Network.forward`.

        Parameters
        ----------
        given : (T, B, N) real tensor
            Of any values.
        state : NetworkState or None
            Only its counts of windows are used: they choose the phase of the schedule.
        targets : (B, M) or (T, B, M) real tensor or None
        """
        given = self._checked_input(given)
        levels = self._levels(targets, given.shape[1])
        start = self._start(state, given.shape[1], training=self.training)
        distance = None
        for number in range(len(self.weights)):
            given, distance = self._layer(number, given, levels, start)
        return given, NetworkState(
            start.windows + given.shape[1], start.windows_learned, distance=distance
        )

    def _constants(self, number: int, state: NetworkState) -> RealConstants:
        own = self._network.layers[number].config
        phase = own.schedule[self._network.derived(number).phase_at(state.windows_learned)]
        return RealConstants(
            real_leak(own.synapse.decay), real_leak(own.membrane.decay), own.membrane.gain,
            own.membrane.threshold, phase.sigma,
        )  # fmt: skip

    def _layer(self, number: int, given: Any, levels: Any, state: NetworkState) -> tuple[Any, Any]:
        config, weights = self._network.layers[number].config, self.weights[number]
        constants = self._constants(number, state)
        hidden = number < len(self.weights) - 1
        with torch.no_grad():
            shape = (*given.shape[:2], weights.shape[1])
            noise = self._draws(number, shape, given) * constants.sigma
            resets = None
            if config.membrane.reset == "teacher":
                levels = levels.to(given.device)
                resets = (2 * levels >= 1 << config.error.target_bits).expand(shape)
            keeps_noise = config.membrane.injection == "membrane"
            subtracts = config.membrane.reset == "subtract"
            membrane, spikes = _window(
                given @ weights, noise, resets, constants, keeps_noise=keeps_noise,
                subtracts=subtracts,
            )  # fmt: skip
            distance = (membrane - constants.threshold) / constants.sigma
            out, slope = self._outputs(number, distance, spikes)
            keep = None
            if (hidden or self.cut == "all") and not subtracts:
                keep = (1.0 - spikes) if resets is None else 1.0 - resets.to(spikes.dtype)
            if hidden and self.derivative == "sweep":
                width = self._network.layers[number].sweep.surrogate.width
                near = (membrane - constants.threshold).abs() < width
                slope = near.to(membrane.dtype) * constants.sigma
        found = LayerFunction.apply(given, weights, out, distance, slope, keep, constants)
        return found[0], found[1]

    def _draws(self, number: int, shape: tuple[int, ...], like: Any) -> Any:
        """Return noise in sigma, zeros without noise."""
        if not self._network.layers[number].config.noise.drawn:
            return torch.zeros(shape, dtype=like.dtype, device=like.device)
        kinds = {"dtype": like.dtype, "device": like.device}
        if self.noise == "gaussian":
            return torch.randn(shape, **kinds)
        table = noise_table(self._network.layers[number].config.noise)
        return table.quantile(torch.rand(shape, **kinds))

    def _outputs(self, number: int, distance: Any, spikes: Any) -> tuple[Any, Any]:
        """Return what a layer gives to the next, and its derivative by the distance."""
        if self.noise == "gaussian":
            slope = torch.exp(-0.5 * distance**2) * (2.0 * torch.pi) ** -0.5
            return spikes if self.outputs == "spikes" else torch.special.ndtr(distance), slope
        table = noise_table(self._network.layers[number].config.noise)
        mass = spikes if self.outputs == "spikes" else table.probability(distance)
        return mass, table.density(distance)


def _window(
    sums: Any, noise: Any, resets: Any, c: RealConstants, *, keeps_noise: bool, subtracts: bool
) -> tuple[Any, Any]:
    """Return membranes before the noise, and spikes, of sums of weights: (T, B, M) each."""
    membranes, spikes = torch.empty_like(sums), torch.empty_like(sums)
    current = torch.zeros_like(sums[0])
    kept = torch.zeros_like(current)
    for t in range(sums.shape[0]):
        current = current * c.leak_s + sums[t]
        membrane = kept * c.leak_m + c.gain * current
        noisy = membrane + noise[t]
        spike = noisy >= c.threshold
        kept = noisy if keeps_noise else membrane
        if subtracts:
            kept = kept - c.threshold * spike
        else:
            kept = kept.masked_fill(spike if resets is None else resets[t], 0.0)
        membranes[t], spikes[t] = membrane, spike
    return membranes, spikes
