"""The integer model of a network as a backend."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.digest import sign_digests
from bitlif.model.errors import BitlifError
from bitlif.model.network import Network
from bitlif.model.network_result import DIGESTS, NetworkResult
from bitlif.model.network_stepping import NetworkStepper, OpenNetworkWindow
from bitlif.model.result import LayerState
from bitlif.model.signature import Signature

from .network_modelled import Counts, Lanes, NetworkModelled
from .network_result import network_signature


class NetworkModelCore(NetworkModelled):
    """The integer model of a network.

    Parameters
    ----------
    network : NetworkConfig
    learning : bool
    threads : int
        Threads for windows that do not depend on each other. No result depends on it.
    signature : bool
        False: compute no signature, at the full speed of the engine.
    interpreted : bool
        Run the specification instead of the compiled engine; see `bitlif.model.network.Network`.
    """

    backend = "model"

    def __init__(
        self,
        network: NetworkConfig,
        *,
        learning: bool = True,
        threads: int = 1,
        signature: bool = True,
        interpreted: bool = False,
    ) -> None:
        super().__init__(network, learning=learning)
        self._threads, self._signed, self._interpreted = threads, signature, interpreted
        self._begin()

    @property
    def _extra_records(self) -> tuple[str, ...]:  # type: ignore[override]
        return (DIGESTS,) if self._signed else ()

    def _new_network(self) -> Network:
        return Network(self._network, threads=self._threads, interpreted=self._interpreted)

    def _new_stepper(self) -> NetworkStepper:
        return NetworkStepper(self._network, interpreted=self._interpreted, signed=self._signed)

    def _options(self) -> dict[str, Any]:
        return {
            "threads": self._threads, "signature": self._signed, "interpreted": self._interpreted
        }  # fmt: skip

    def fresh(self) -> NetworkModelCore:
        """Return a new core of the same network and options; see `Core.fresh`."""
        return NetworkModelCore(self._network, learning=self._learning, **self._options())

    # -- running -----------------------------------------------------------------------------

    def _goals(self, targets: NDArray[Any]) -> NDArray[Any]:
        return targets

    def _in_units(self, name: str, number: int, values: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(values, np.int64)

    def _window_counts(self, window: OpenNetworkWindow) -> tuple[Counts, Counts]:
        return list(window.counters), list(window.sweep_counters)

    def _window_draws(self, window: OpenNetworkWindow, number: int) -> NDArray[Any]:
        draws: NDArray[Any] = window.records[number].draws
        return draws

    def _sign_run(self, result: NetworkResult) -> tuple[Lanes, NDArray[np.int64]]:
        if not self._signed:
            steps = self._config.window.steps
            return self._now.lanes, np.zeros((0, steps), np.int64)
        return self._sign([own.digests for own in result.layers])

    def _sign_step(self, window: OpenNetworkWindow, *, updated: bool) -> tuple[Lanes, int | None]:
        if not self._signed:
            return self._now.lanes, None
        steps, updates = slice(window.step - 1, window.step), slice(0, int(updated))
        digests = [
            (
                np.asarray(own.step_digests[:, steps], np.int64),
                np.asarray(own.update_digests[updates], np.int64),
            )
            for own in window.records
        ]
        lanes, signed = self._sign(digests)
        return lanes, int(signed[0, 0])

    def _sign(self, digests: list[Any]) -> tuple[Lanes, NDArray[np.int64]]:
        """Return the lanes of all layers after windows, and the signatures of their steps."""
        signed = [
            sign_digests(own.config.layer, lanes, *both)
            for own, lanes, both in zip(self._network.layers, self._now.lanes, digests, strict=True)
        ]
        values = network_signature([values for _, values in signed])
        return tuple(lanes for lanes, _ in signed), values

    # -- reading -----------------------------------------------------------------------------

    def _states(self) -> list[LayerState]:
        states: list[LayerState] = self._current().states()
        if self._learning:
            return states
        # A core without learning has no update LFSRs.
        return [replace(own, update_lfsr=()) for own in states]

    def _sweep_lfsr(self) -> tuple[tuple[int, ...], ...]:
        states = self._current().sweep_lfsr()
        return tuple(own if self._rounds(number) else () for number, own in enumerate(states))

    def _signature(self) -> int:
        return int(network_signature(self._layer_signatures()))

    def _layer_signatures(self) -> tuple[int, ...]:
        if not self._signed:
            raise BitlifError("signature must be True when the model is opened, not False")
        values = []
        for own, lanes in zip(self._network.layers, self._now.lanes, strict=True):
            signer = Signature(own.config.layer)
            signer.lanes = lanes
            values.append(signer.value)
        return tuple(values)
