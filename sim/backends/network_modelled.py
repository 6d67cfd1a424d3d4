"""What the integer model of a network and its float twin share as backends."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.events import Events

from .modelled import no_clock_cycles, unpadded
from .network_core import NETWORK_RECORDS, layer_key
from .network_kept import KeptNetworkCore, NetworkStand
from .network_result import NETWORK_COUNTERS, LayerStepResult, NetworkStepResult

MODEL_NAMES = {"gradient": "gradients"}
"""Names of records in `bitlif.model.network` that differ from those of cores."""

Counts = list[dict[str, int]]
"""Counters of each layer."""

Lanes = tuple[tuple[int, ...], ...]
"""States of the signature's lanes of each layer."""


class NetworkModelled(KeptNetworkCore):
    """Common to both models: a network of `bitlif.model`, and counters that are kept here."""

    _extra_records: tuple[str, ...] = ()
    """Records of the network that each run needs besides those that are asked for."""

    @abstractmethod
    def _new_network(self) -> Any:
        """Return a new network of the current configuration."""

    @abstractmethod
    def _new_stepper(self) -> Any:
        """Return what runs windows of the current configuration step by step."""

    @abstractmethod
    def _goals(self, targets: NDArray[Any]) -> NDArray[Any]:
        """Return checked targets in the numbers of the network."""

    @abstractmethod
    def _in_units(self, name: str, number: int, values: NDArray[Any]) -> NDArray[Any]:
        """Return recorded values of layer `number` in the core's units."""

    @abstractmethod
    def _sign_run(self, result: Any) -> tuple[Lanes, NDArray[np.int64]]:
        """Return the signature's lanes after a run, and the signatures of its steps, (W, T)."""

    @abstractmethod
    def _sign_step(self, window: Any, *, updated: bool) -> tuple[Lanes, int | None]:
        """Return the signature's lanes after the last step of a window, and the signature."""

    @abstractmethod
    def _window_counts(self, window: Any) -> tuple[Counts, Counts]:
        """Return the counters of the forward steps and of the sweep of a whole window."""

    @abstractmethod
    def _window_draws(self, window: Any, number: int) -> NDArray[Any]:
        """Return the draws of layer `number` in a window: (1, T, M)."""

    def _begin(self) -> None:
        self._worker = self._new_network()
        self._own_stepper: Any = None
        self._now = self._fresh_stand()

    def _load_tables(self) -> None:
        weights = self._current().weights()
        self._begin()
        worker = self._worker
        worker.load(weights)
        self._now = self._now._replace(network=worker.snapshot())

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        network = self._current()
        wanted = [*(MODEL_NAMES.get(name, name) for name in record), *self._extra_records]
        goals = None if targets is None else self._goals(unpadded(targets))
        if learn:
            assert goals is not None
            result = network.learn(events, goals, record=wanted)
        else:
            result = network.run(events, goals, record=wanted)
        lanes, signatures = self._sign_run(result)
        arrays = {"step_signatures": signatures, **no_clock_cycles(events)}
        for number, own in enumerate(result.layers):
            arrays[layer_key(number, "raster")] = own.raster
            for name in record:
                values = getattr(own, name, None)
                if name == "adjoints":
                    values = result.adjoints[number]
                elif name == "gradient":
                    values = np.ascontiguousarray(result.gradients[number].transpose(0, 2, 1))
                if values is not None:
                    arrays[layer_key(number, name)] = self._in_units(name, number, values)
        counted = self._count([own.counters for own in result.layers], list(result.sweep_counters))
        self._now = NetworkStand(network.snapshot(), counted, lanes)
        return arrays

    def _count(self, counters: Counts, swept: Counts) -> tuple[dict[str, int], ...]:
        """Return the counters of all layers with those of a run, or of a window, added."""
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
            self._own_stepper = self._new_stepper()
        stepper = self._own_stepper
        window = stepper.step(
            now.window or stepper.begin(now.network, learn=learn), addresses,
            None if targets is None else self._goals(targets),
        )  # fmt: skip
        ended = window.step == self._config.window.steps
        lanes, signature = self._sign_step(window, updated=ended and learn)
        layers = tuple(
            LayerStepResult(**self._row(window, number, record, ended))
            for number in range(len(window.records))
        )
        if ended:
            counted = self._count(*self._window_counts(window))
            self._now = NetworkStand(window.network, counted, lanes)
        else:
            self._now = now._replace(lanes=lanes, window=window)
        last = {name: getattr(layers[-1], name) for name in ("spikes", "step", "ended", *record)}
        return NetworkStepResult(**last, signature=signature, layers=layers)

    def _row(
        self, window: Any, number: int, record: tuple[str, ...], ended: bool
    ) -> dict[str, Any]:
        """Return the facts of the last step of a window in one layer."""
        own, t, last = window.records[number], window.step - 1, number == len(window.records) - 1
        found: dict[str, Any] = {
            "spikes": own.raster[0, t].astype(np.bool_), "step": t, "ended": ended
        }  # fmt: skip
        for name in record:
            values: NDArray[Any] | None = None
            if name in ("adjoints", "gradient"):
                if ended:
                    values = own.adjoints[0] if name == "adjoints" else own.gradients[0].T
            elif name == "draws":
                values = self._window_draws(window, number)[0, t]
            elif name in NETWORK_RECORDS[:2] or last:
                values = getattr(own, name)[0, t]
            if values is not None:
                found[name] = self._in_units(name, number, values.copy())
        return found
