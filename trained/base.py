"""What networks in integers and in real numbers have in common as modules of PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from bitlif.model.checks import check_weights
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, single
from bitlif.model.errors import BitlifError, BitlifTypeError, located_in_layer, require_choice
from bitlif.model.targets import round_targets
from bitlif.model.text import quoted

from .gradient import Rounded
from .state import NetworkState

DERIVATIVES = ("noise", "sweep")
"""Derivatives of a hidden neuron's spike: of the noise, or the surrogate of section ``sweep``."""

RESETS = ("hidden", "all")
"""Layers in which a reset cuts the way back of the gradient."""


class BaseNetwork(nn.Module):
    """Layers in a row with real master copies of their weights.

    Parameters
    ----------
    config : Config or NetworkConfig
    derivative : str
        ``"noise"``: the derivative of a spike is the density of the layer's noise. ``"sweep"``: in
        hidden layers it is the surrogate derivative of section ``sweep``, as on the core.
    cut : str
        Resets that cut the way back of the gradient: ``"hidden"``, those of hidden layers, as in
        the contract; or ``"all"``, which is the exact derivative for given resets.
    """

    def __init__(
        self, config: Config | NetworkConfig, *, derivative: str = "noise", cut: str = "hidden"
    ) -> None:
        super().__init__()
        if not isinstance(config, (Config, NetworkConfig)):
            raise BitlifTypeError(f"config must be a Config or NetworkConfig, not {quoted(config)}")
        self.derivative = require_choice("derivative", derivative, DERIVATIVES)
        self.cut = require_choice("cut", cut, RESETS)
        self._config = config
        self._network = config if isinstance(config, NetworkConfig) else single(config)
        start = [torch.from_numpy(raw) for raw in self._network.initial_weights()]
        reals = zip(start, self._lsbs(), strict=True)
        self.weights = nn.ParameterList(
            nn.Parameter((raw.to(torch.float64) * lsb).to(torch.get_default_dtype()))
            for raw, lsb in reals
        )
        self.register_buffer("windows_run", torch.zeros((), dtype=torch.int64))

    @property
    def config(self) -> Config | NetworkConfig:
        """The configuration, which `bitlif.open` takes too."""
        return self._config

    @property
    def last_config(self) -> Config:
        """The configuration of the last layer."""
        return self._network.layers[-1].config

    def _lsbs(self) -> list[float]:
        return [float(own.config.synapse.weight.lsb) for own in self._network.layers]

    def raw_weights(self) -> list[Any]:
        """Return the weights in the format of each layer: (N, M) int64 tensors.

        The master copies are rounded to nearest, halves up, and limited to the format.
        """
        found = []
        for own, layer in zip(self.weights, self._network.layers, strict=True):
            fmt = layer.config.synapse.weight
            scaled = own.detach().to(torch.float64) / float(fmt.lsb)
            if not bool(torch.isfinite(scaled).all()):
                raise BitlifError("weights must be finite numbers: the training has diverged")
            found.append((scaled + 0.5).floor_().clamp_(fmt.raw_min, fmt.raw_max).to(torch.int64))
        return found

    def to_core_weights(self) -> Any:
        """Return the raw weights as a core loads them: (N, M) int64, of a network a list of them.

        Examples
        --------
        >>> import bitlif
        >>> network = bitlif.torch.Network(bitlif.Config.load("tiny"))
        >>> with bitlif.open(network.config, "model") as core:
        ...     core.load(network.to_core_weights())
        """
        found = [own.cpu().numpy() for own in self.raw_weights()]
        return found if isinstance(self._config, NetworkConfig) else found[0]

    def load_core_weights(self, weights: Any) -> None:
        """Set the master copies to raw weights, as `to_core_weights` returns them.

        Raises
        ------
        BitlifError
            If a shape, dtype or value is wrong. The weights are then unchanged.
        """
        own = list(weights) if isinstance(self._config, NetworkConfig) else [weights]
        if len(own) != len(self.weights):
            raise BitlifError(
                f"weights must be a list of {len(self.weights)} arrays, one per layer, "
                f"not of {len(own)}"
            )
        checked = []
        for number, (raw, layer) in enumerate(zip(own, self._network.layers, strict=True)):
            with located_in_layer(number):
                checked.append(check_weights(layer.config, np.asarray(raw)))
        with torch.no_grad():
            for master, raw, lsb in zip(self.weights, checked, self._lsbs(), strict=True):
                master.copy_(torch.from_numpy(raw.astype(np.float64) * lsb))

    def _rounded(self) -> list[tuple[Any, Any]]:
        """Return the raw weights, and the same as real numbers with the master's gradient."""
        pairs = zip(self.weights, self.raw_weights(), self._lsbs(), strict=True)
        return [
            (raw, Rounded.apply(own, (raw.to(torch.float64) * lsb).to(own.dtype)))
            for own, raw, lsb in pairs
        ]

    def _checked_input(self, given: Any) -> Any:
        first = self._network.layers[0].config
        steps, inputs = first.window.steps, first.layer.inputs
        if not isinstance(given, torch.Tensor):
            raise BitlifTypeError(f"input must be a tensor, not {quoted(given)}")
        if given.ndim != 3 or given.shape[::2] != (steps, inputs):
            raise BitlifTypeError(
                f"input must have shape (T, B, N) = ({steps}, batch, {inputs}), "
                f"not {tuple(given.shape)}"
            )
        if given.shape[1] < 1:
            raise BitlifTypeError("input must be of at least one window, not of 0")
        return given.to(self.weights[0].dtype)

    def _require_spikes(self, given: Any) -> None:
        """Raise unless a tensor holds nothing but 0 and 1."""
        wrong = (given != 0) & (given != 1)
        if bool(wrong.any()):
            raise BitlifError(f"input must be spikes, 0 or 1, not {float(given[wrong][0]):g}")

    def _levels(self, targets: Any, batch: int) -> Any:
        """Return raw targets, (1 or T, B, M) int64, of real ones, (B, M) or (T, B, M)."""
        last = self.last_config
        shape = (batch, last.layer.neurons)
        if targets is None:
            if last.membrane.reset == "teacher":
                raise BitlifError("targets are needed: membrane.reset is 'teacher'")
            return None
        if not isinstance(targets, torch.Tensor):
            raise BitlifTypeError(f"targets must be a tensor, not {quoted(targets)}")
        if targets.shape not in (shape, (last.window.steps, *shape)):
            raise BitlifTypeError(
                f"targets must have shape (B, M) = {shape} or (T, B, M) = "
                f"{(last.window.steps, *shape)}, not {tuple(targets.shape)}"
            )
        raw = round_targets(last, targets.detach().to("cpu", torch.float64).numpy())
        levels = torch.from_numpy(raw.astype(np.int64)).to(targets.device)
        return levels if levels.ndim == 3 else levels[None]

    def _start(self, state: NetworkState | None, batch: int, *, training: bool) -> NetworkState:
        """Return the state to start from, and count the windows of a training."""
        if state is not None and not isinstance(state, NetworkState):
            raise BitlifTypeError(f"state must be a NetworkState, not {quoted(state)}")
        if state is None:
            state = NetworkState(int(self.windows_run) if training else 0)
        if training:
            self.windows_run.fill_(state.windows + batch)
        return state

    def extra_repr(self) -> str:
        """Return the facts that the representation shows."""
        facts = self._network.facts()
        return ", ".join(f"{name}={value!r}" for name, value in facts.items())
