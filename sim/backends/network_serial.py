"""A network on a board behind the UART bridge as a backend."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.host.network_driver import NetworkDriver
from bitlif.host.register_driver import run_sync
from bitlif.model.result import LayerState

from .network_core import NetworkCore, layer_key
from .network_models import NetworkModelCore
from .network_result import NETWORK_COUNTERS, LayerStepResult, NetworkStepResult
from .serial import BoardCore


class NetworkSerialCore(BoardCore, NetworkCore):
    """A network on a board, over a serial line.

    Opening takes over the board and discards its contents: the core is reset, and weights, table
    and schedules are those of the network.

    A board sends the spikes of the last layer only: results of hidden layers have no spikes, (0, T,
    M), and counters no ``synaptic_events`` of the layers after the first. It does not count clock
    cycles, and its signature is read only after a run; see `bitlif.sim.backends.serial.SerialCore`.

    Parameters
    ----------
    config : NetworkConfig
        The network that the bitstream was built from.
    backend, learning, link, stall_timeout
        As for `SerialCore`.

    Raises
    ------
    BitlifError
        If nothing answers at the port, or the board has no core of this network.
    """

    records: tuple[str, ...] = ()
    known_records = NetworkCore.known_records
    driver_class = NetworkDriver

    def fresh(self) -> NetworkModelCore:
        """Return the integer model of the same network; see `Core.fresh`."""
        return NetworkModelCore(self._network, learning=self._learning)

    def _start_weights(self) -> list[NDArray[np.int64]]:
        return self._network.initial_weights()

    def _operations(self, events: int) -> int:
        first: int = self._built.layers[0].config.layer.neurons
        return events * first

    def _arrays(self, raster: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        last = len(self._network.layers) - 1
        found: dict[str, NDArray[Any]] = {layer_key(last, "raster"): raster}
        for number, own in enumerate(self._network.layers[:-1]):
            none = np.zeros((0, raster.shape[1], own.config.layer.neurons), np.uint8)
            found[layer_key(number, "raster")] = none
        return found

    def _step_result(
        self, spikes: NDArray[np.bool_], position: int, ended: bool
    ) -> NetworkStepResult:
        nothing = np.zeros(0, np.bool_)
        hidden = [LayerStepResult(nothing, position, ended) for _ in self._network.layers[:-1]]
        layers = (*hidden, LayerStepResult(spikes, position, ended))
        return NetworkStepResult(spikes, position, ended, layers=layers)

    def _states(self) -> list[LayerState]:
        self._require_sound()
        found: list[LayerState] = run_sync(self._driver.read_states())
        return [
            replace(own, update_lfsr=self._update_lfsr(number, own.update_lfsr))
            for number, own in enumerate(found)
        ]

    def _layer_counters(self) -> tuple[dict[str, int], ...]:
        self._require_sound()
        counted = run_sync(self._driver.read_counters())
        names = [name for name in NETWORK_COUNTERS if name != "synaptic_events"]
        found = [{name: own.get(name, 0) for name in names} for own in counted]
        found[0]["synaptic_events"] = self._counted.synaptic_events
        return tuple(found)

    def _layer_signatures(self) -> tuple[int, ...]:
        self._require_sound()
        return tuple(run_sync(self._driver.read_signatures()))

    def _sweep_lfsr(self) -> tuple[tuple[int, ...], ...]:
        self._require_sound()
        found = run_sync(self._driver.read_sweep_lfsrs())
        return tuple(own if self._rounds(number) else () for number, own in enumerate(found))
