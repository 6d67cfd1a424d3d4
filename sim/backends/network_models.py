"""The integer model of a network as a backend."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.network import NetworkConfig
from bitlif.model.digest import sign_digests
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.network import Network
from bitlif.model.network_result import DIGESTS, NetworkResult
from bitlif.model.network_stepping import NetworkStepper, OpenNetworkWindow
from bitlif.model.result import LayerState
from bitlif.model.signature import Signature

from .modelled import unpadded
from .network_core import NETWORK_RECORDS, NetworkCore, NetworkStand, layer_key
from .network_result import (
    NETWORK_COUNTERS,
    LayerStepResult,
    NetworkStepResult,
    network_signature,
)

MODEL_NAMES = {"gradient": "gradients"}
"""Names of records in `bitlif.model.network` that differ from those of cores."""


class NetworkModelCore(NetworkCore):
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

    def _begin(self) -> None:
        self._made = Network(self._network, threads=self._threads, interpreted=self._interpreted)
        self._own_stepper: NetworkStepper | None = None
        self._now = self._fresh_stand()

    @property
    def _worker(self) -> Network:
        return self._made

    def _options(self) -> dict[str, Any]:
        return {
            "threads": self._threads, "signature": self._signed, "interpreted": self._interpreted
        }  # fmt: skip

    def fresh(self) -> NetworkModelCore:
        """Return a new core of the same network and options; see `Core.fresh`."""
        return NetworkModelCore(self._network, learning=self._learning, **self._options())

    def _load_tables(self) -> None:
        weights = self._current().weights()
        self._begin()
        self._load(weights)

    # -- running -----------------------------------------------------------------------------

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        now, network = self._now, self._current()
        wanted = [MODEL_NAMES.get(name, name) for name in record]
        if self._signed:
            wanted.append(DIGESTS)
        goals = None if targets is None else unpadded(targets)
        if learn:
            assert goals is not None
            result = network.learn(events, goals, record=wanted)
        else:
            result = network.run(events, goals, record=wanted)
        arrays: dict[str, NDArray[Any]] = {
            "window_clocks": np.zeros(0, np.int64), "step_clocks": np.zeros((0, events.steps)),
            "step_signatures": np.zeros((0, events.steps), np.int64),
        }  # fmt: skip
        lanes = now.lanes
        if self._signed:
            lanes, arrays["step_signatures"] = self._sign(
                lanes, [own.digests for own in result.layers]
            )
        for number in range(len(result.layers)):
            for name, values in _signals(result, number, record).items():
                arrays[layer_key(number, name)] = values
        counted = self._count([own.counters for own in result.layers], list(result.sweep_counters))
        self._now = NetworkStand(network.snapshot(), counted, lanes)
        return arrays

    def _sign(
        self, before: tuple[tuple[int, ...], ...], digests: list[Any]
    ) -> tuple[tuple[tuple[int, ...], ...], NDArray[np.int64]]:
        """Return the lanes of all layers after windows, and the signatures of their steps."""
        signed = [
            sign_digests(own.config.layer, lanes, *both)
            for own, lanes, both in zip(self._network.layers, before, digests, strict=True)
        ]
        values = network_signature([values for _, values in signed])
        return tuple(lanes for lanes, _ in signed), values

    def _count(
        self, counters: list[dict[str, int]], swept: list[dict[str, int]]
    ) -> tuple[dict[str, int], ...]:
        """Return the counters of all layers with those of a run added."""
        found = []
        for number, (own, before) in enumerate(zip(counters, self._now.counted, strict=True)):
            sweep = swept[number] if swept else {}
            found.append(
                {
                    name: before[name] + own.get(name, 0) + sweep.get(name, 0)
                    for name in NETWORK_COUNTERS
                }
            )
        return tuple(found)

    def _step(
        self,
        addresses: NDArray[np.int32],
        targets: NDArray[Any] | None,
        learn: bool,
        record: tuple[str, ...],
    ) -> NetworkStepResult:
        now = self._now
        if self._own_stepper is None:
            self._own_stepper = NetworkStepper(
                self._network, interpreted=self._interpreted, signed=self._signed
            )
        stepper = self._own_stepper
        window = stepper.step(
            now.window or stepper.begin(now.network, learn=learn), addresses, targets
        )
        ended, t = window.step == self._config.window.steps, window.step - 1
        lanes, facts = now.lanes, dict[str, Any]()
        if self._signed:
            updates = slice(0, int(ended and learn))
            lanes, signed = self._sign(
                lanes,
                [
                    (
                        np.asarray(own.step_digests[:, t : t + 1], np.int64),
                        np.asarray(own.update_digests[updates], np.int64),
                    )
                    for own in window.records
                ],
            )
            facts["signature"] = int(signed[0, 0])
        layers = tuple(
            LayerStepResult(**_row(window, number, t, record, ended))
            for number in range(len(window.records))
        )
        if ended:
            counted = self._count(list(window.counters), list(window.sweep_counters))
            self._now = NetworkStand(window.network, counted, lanes)
        else:
            self._now = now._replace(lanes=lanes, window=window)
        last = {name: getattr(layers[-1], name) for name in ("spikes", "step", "ended", *record)}
        return NetworkStepResult(**last, **facts, layers=layers)

    # -- reading -----------------------------------------------------------------------------

    def _states(self) -> list[LayerState]:
        states: list[LayerState] = self._current().states()
        if self._learning:
            return states
        # A core without learning has no update LFSRs.
        return [replace(own, update_lfsr=()) for own in states]

    def _signature(self) -> int:
        if not self._signed:
            raise BitlifError("signature must be True when the model is opened, not False")
        values = []
        for own, lanes in zip(self._network.layers, self._now.lanes, strict=True):
            signer = Signature(own.config.layer)
            signer.lanes = lanes
            values.append(signer.value)
        return int(network_signature(values))


def _signals(
    result: NetworkResult, number: int, record: tuple[str, ...]
) -> dict[str, NDArray[Any]]:
    """Return the raster and the recorded signals of one layer by their names in cores."""
    own = result.layers[number]
    found: dict[str, NDArray[Any]] = {"raster": own.raster}
    for name in record:
        if name == "adjoints":
            found[name] = result.adjoints[number]
        elif name == "gradient":
            found[name] = np.ascontiguousarray(result.gradients[number].transpose(0, 2, 1))
        elif getattr(own, name) is not None:
            found[name] = getattr(own, name)
    return found


def _row(
    window: OpenNetworkWindow, number: int, t: int, record: tuple[str, ...], ended: bool
) -> dict[str, Any]:
    """Return the facts of a step of one layer."""
    own, last = window.records[number], number == len(window.records) - 1
    found: dict[str, Any] = {
        "spikes": own.raster[0, t].astype(np.bool_), "step": t, "ended": ended
    }  # fmt: skip
    for name in record:
        if name == "adjoints" and ended:
            found[name] = np.array(own.adjoints[0], np.int64)
        elif name == "gradient" and ended:
            found[name] = np.array(own.gradients[0].T, np.int64)
        elif name in NETWORK_RECORDS[:3] or (name == "errors" and last):
            found[name] = np.array(getattr(own, name)[0, t], np.int64)
    return found
