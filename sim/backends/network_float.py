"""The float twin of a network as a backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.arrays import as_array
from bitlif.model.checks import check_real_targets, check_weights
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import located_in_layer
from bitlif.model.floating.network import FloatNetwork
from bitlif.model.floating.network_stepping import FloatNetworkStepper, OpenFloatNetworkWindow
from bitlif.model.result import LayerState

from .network_modelled import Counts, Lanes, NetworkModelled

SEEDS = (1 << 63) - 1


class NetworkFloatCore(NetworkModelled):
    """The ideal float twin of a network, with Gaussian noise of its own.

    Nothing is rounded or saturates. There are no LFSRs and no signature.

    Parameters
    ----------
    network : NetworkConfig
    learning : bool
    units : str
        ``"raw"``: weights, targets, records and states are in LSBs, as for the integer model, but
        unrounded; `load` also accepts real weights, in LSBs. ``"real"``: they are real numbers, in
        the unit of the threshold; targets are in 0 ..= 1.
    seed : int or None
        Seed of the noise; None: the seed of the first layer's noise LFSR.
    """

    backend = "float"

    def __init__(
        self,
        network: NetworkConfig,
        *,
        learning: bool = True,
        units: str = "raw",
        seed: int | None = None,
    ) -> None:
        super().__init__(network, learning=learning)
        self.units = units
        self._seed = seed
        self._begin()

    def _new_network(self) -> FloatNetwork:
        return FloatNetwork(self._network, seed=self._noise_seed())

    def _new_stepper(self) -> FloatNetworkStepper:
        return FloatNetworkStepper(self._network, seed=self._noise_seed())

    def _noise_seed(self) -> int:
        own = self._built.layers[0].config.noise.lfsr.seed
        return (own if self._seed is None else self._seed) & SEEDS

    def _options(self) -> dict[str, Any]:
        return {"units": self.units, "seed": self._seed}

    def fresh(self) -> NetworkFloatCore:
        """Return a new twin whose noise has the next seed; see `Core.fresh`."""
        seed = (self._noise_seed() + 1) & SEEDS
        return NetworkFloatCore(self._network, learning=self._learning, units=self.units, seed=seed)

    # -- loading -----------------------------------------------------------------------------

    def load(self, weights: Sequence[NDArray[Any]]) -> None:  # type: ignore[override]
        """Set the weights of all layers: a list of real numbers or integers, (N, M) each.

        They are in LSBs, or real numbers where `units` is ``"real"``. Integers in LSBs must be
        within the weight format.
        """
        self._require_open()
        self._require_layers(weights)
        found = []
        for number, (own, layer) in enumerate(zip(weights, self._network.layers, strict=True)):
            with located_in_layer(number):
                array = as_array("weights", own)
                if self.units == "raw" and array.dtype.kind != "f":
                    array = check_weights(layer.config, array)
                found.append(array)
        self._load(found)

    def _load(self, weights: Any) -> None:
        units = [self._unit("weights", number) for number in range(len(self._network.layers))]
        if self.units == "real":
            super()._load(list(weights))
        else:
            super()._load([own * unit for own, unit in zip(weights, units, strict=True)])

    def _check_targets(self, targets: NDArray[Any], windows: int) -> NDArray[Any]:
        if self.units == "raw":
            return super()._check_targets(targets, windows)
        return check_real_targets(self._config, targets, windows)

    # -- running -----------------------------------------------------------------------------

    def _goals(self, targets: NDArray[Any]) -> NDArray[Any]:
        return targets / (1 << self._config.error.target_bits) if self.units == "raw" else targets

    def _in_units(self, name: str, number: int, values: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(values / self._unit(name, number))

    def _window_counts(self, window: OpenFloatNetworkWindow) -> tuple[Counts, Counts]:
        spikes = [own.raster.sum() for own in window.records[:-1]]
        events = [
            {"synaptic_events": int(count) * own.raster.shape[2]}
            for count, own in zip((window.pointers[-1], *spikes), window.records, strict=True)
        ]
        names = ("active_errors", "active_adjoints")
        swept = [dict(zip(names, map(int, own), strict=True)) for own in window.counters]
        return events, swept if window.learn else []

    def _window_draws(self, window: OpenFloatNetworkWindow, number: int) -> NDArray[Any]:
        return window.draws[number]

    def _sign_run(self, result: Any) -> tuple[Lanes, NDArray[np.int64]]:
        return self._now.lanes, np.zeros((0, self._config.window.steps), np.int64)

    def _sign_step(
        self, window: OpenFloatNetworkWindow, *, updated: bool
    ) -> tuple[Lanes, int | None]:
        return self._now.lanes, None

    # -- reading -----------------------------------------------------------------------------

    def _weights(self) -> Any:
        return [
            own / self._unit("weights", number)
            for number, own in enumerate(self._current().weights())
        ]

    def _states(self) -> list[LayerState]:
        return [
            replace(
                own,
                current=own.current / self._unit("current", number),
                membrane=own.membrane / self._unit("membrane", number),
            )
            for number, own in enumerate(self._current().states())
        ]

    def _signature(self) -> None:
        return None

    def _layer_signatures(self) -> None:
        return None

    def _sweep_lfsr(self) -> tuple[tuple[int, ...], ...]:
        return ((),) * len(self._network.layers)

    def _unit(self, name: str, number: int) -> float:
        """Return what 1 of a quantity of a layer is in the numbers of `FloatNetwork`."""
        if self.units == "real":
            return 1.0
        own = self._network.layers[number]
        config = own.config
        if name == "draws":
            return 1.0 / config.noise.draw_sigma
        formats = {
            "weights": config.synapse.weight, "current": config.synapse.current,
            "membrane": config.membrane.format, "errors": config.error.format,
            "adjoints": own.sweep.current, "gradient": own.sweep.current,
        }  # fmt: skip
        return float(formats[name].lsb)
