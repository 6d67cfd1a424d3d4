"""A network as a module of PyTorch whose forward pass computes the integers of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import require_choice

from .base import BaseNetwork
from .compiled_window import CompiledWindow
from .gradient import LayerFunction
from .noise_density import density_by_membrane, noise_table
from .real_constants import phase_of, real_constants, sweep_slope, table_bins
from .state import LayerSignals, NetworkState
from .tensor_window import run_tensors

ENGINES = ("auto", "compiled", "tensors")


class Network(BaseNetwork):
    """A network whose forward pass is the integer model to the bit, with a gradient.

    Spikes, membranes and draws are those of ``bitlif.open(config, "model")`` with the same
    weights: the B windows of a batch are those that the core runs one after another. The weights
    are real master copies, in the unit of the threshold, rounded to the weight format in each
    forward pass; the gradient passes straight through the rounding.

    In training mode, a forward pass without a state draws the noise of the next windows, counted
    in the buffer `windows_run`. In evaluation mode it starts as a core does after a reset.

    Parameters
    ----------
    config : Config or NetworkConfig
    derivative : str
        Derivative of a spike: ``"noise"``, the density of the layer's noise, or ``"sweep"``, in
        hidden layers the surrogate derivative of section ``sweep``.
    cut : str
        Resets that cut the way back of the gradient: ``"hidden"``, as in the contract, or
        ``"all"``.
    engine : str
        ``"compiled"``: the engine of the integer model, on the CPU. ``"tensors"``: tensor
        operations, on any device. ``"auto"``: the first for tensors on the CPU, else the second.
        No bit depends on it.

    Raises
    ------
    BitlifError
        If an argument is of the wrong type or unknown.

    Examples
    --------
    >>> import bitlif, torch
    >>> network = bitlif.torch.Network(bitlif.NetworkConfig.load("digits-96"))
    >>> spikes, state = network(torch.zeros(64, 5, 65))
    >>> spikes.shape, state.windows
    (torch.Size([64, 5, 10]), 5)
    """

    def __init__(
        self,
        config: Config | NetworkConfig,
        *,
        derivative: str = "noise",
        cut: str = "hidden",
        engine: str = "auto",
    ) -> None:
        super().__init__(config, derivative=derivative, cut=cut)
        self.engine = require_choice("engine", engine, ENGINES)
        self._compiled: CompiledWindow | None = None

    def __getstate__(self) -> dict[str, Any]:
        # The compiled engine is made anew where it is needed.
        return {**self.__dict__, "_compiled": None}

    def forward(
        self, given: Any, state: NetworkState | None = None, targets: Any = None
    ) -> tuple[Any, NetworkState]:
        """Run a batch of windows.

        Parameters
        ----------
        given : (T, B, N) tensor of 0 and 1
            Input spikes of B windows.
        state : NetworkState or None
            What to continue from: what another forward pass returned.
        targets : (B, M) or (T, B, M) real tensor or None
            In 0 ..= 1; for ``membrane.reset = "teacher"`` only.

        Returns
        -------
        spikes : (T, B, M) tensor of 0 and 1
            With a gradient, in the dtype of the weights.
        state : NetworkState

        Raises
        ------
        BitlifError
            If a shape, type or value is wrong.
        """
        given = self._checked_input(given)
        start, levels = self._placed(given, state, targets, training=self.training)
        rounded = self._rounded()
        signals = self._run([raw for raw, _ in rounded], given, levels, start, all_signals=False)
        spikes, distance, bins = given, None, None
        for number, (own, (_, weights)) in enumerate(zip(signals, rounded, strict=True)):
            last = number == len(signals) - 1
            spikes, distance = self._with_gradient(number, own, spikes, weights, levels, start)
            if last:
                bins = table_bins(self._network, number, own.membrane, start.windows_learned)
        return spikes, NetworkState(
            start.windows + given.shape[1], start.windows_learned,
            tuple(own.last_current for own in signals), tuple(own.last_membrane for own in signals),
            distance, bins,
        )  # fmt: skip

    def signals(
        self, given: Any, state: NetworkState | None = None, targets: Any = None
    ) -> list[LayerSignals]:
        """Return the integers of all layers for the arguments of `forward`, without a gradient.

        They are those of an evaluation: without a state, those of a core after its reset.
        """
        given = self._checked_input(given)
        start, levels = self._placed(given, state, targets, training=False)
        return self._run(self.raw_weights(), given, levels, start, all_signals=True)

    def _placed(
        self, given: Any, state: NetworkState | None, targets: Any, *, training: bool
    ) -> tuple[NetworkState, Any]:
        self._require_spikes(given)
        levels = self._levels(targets, given.shape[1])
        if levels is not None:
            levels = levels.to(given.device)
        return self._start(state, given.shape[1], training=training), levels

    def _run(
        self, raw: Sequence[Any], given: Any, levels: Any, state: NetworkState, *, all_signals: bool
    ) -> list[LayerSignals]:
        given = given.detach()
        tensors = self.engine == "tensors" or (self.engine == "auto" and given.device.type != "cpu")
        if tensors:
            return run_tensors(self._network, raw, given, levels, state)
        if self._compiled is None:
            self._compiled = CompiledWindow(self._network, min(torch.get_num_threads(), 256))
        raw = [own.cpu() for own in raw]
        levels = None if levels is None else levels.cpu()
        found = self._compiled.run(raw, given.cpu(), levels, state, all_signals=all_signals)
        return [_on(own, given.device) for own in found]

    def _with_gradient(
        self,
        number: int,
        own: LayerSignals,
        given: Any,
        weights: Any,
        levels: Any,
        state: NetworkState,
    ) -> tuple[Any, Any]:
        """Return the spikes and the distances of a layer, with a gradient."""
        network, learned = self._network, state.windows_learned
        config, dtype = network.layers[number].config, weights.dtype
        constants = real_constants(network, number, learned)
        c, _ = phase_of(network, number, learned)
        scale = float(config.membrane.format.lsb) / constants.sigma
        distance = ((own.membrane - c.threshold).to(torch.float64) * scale).to(dtype)
        spikes = own.spikes.to(dtype)
        hidden = number < len(self.weights) - 1
        keep = None
        if (hidden or self.cut == "all") and not c.subtracted:
            keep = 1.0 - spikes
            if c.teacher_reset:
                keep = (2 * levels < c.target_one).to(dtype).expand_as(spikes)
        if hidden and self.derivative == "sweep":
            # The core multiplies the credit by g, with no division by sigma.
            slope = (sweep_slope(network, number, own.membrane) * constants.sigma).to(dtype)
        elif not config.noise.drawn and not torch.is_grad_enabled():
            slope = torch.zeros_like(distance)
        else:
            slope = self._density(config, own.membrane, distance, c.threshold, scale)
        found = LayerFunction.apply(given, weights, spikes, distance, slope, keep, constants)
        return found[0], found[1]

    @staticmethod
    def _density(config: Config, membrane: Any, distance: Any, threshold: int, scale: float) -> Any:
        """Return dp/dx at raw membranes, by a table unless their format is wide."""
        fmt = config.membrane.format
        table = density_by_membrane(config.noise, fmt, threshold, scale, distance.dtype)
        if table is None:
            return noise_table(config.noise).density(distance)
        return table.to(membrane.device)[membrane - fmt.raw_min]


def _on(signals: LayerSignals, device: Any) -> LayerSignals:
    return LayerSignals(*(own if own is None else own.to(device) for own in signals))
