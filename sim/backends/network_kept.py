"""Networks in models: their complete state can be saved, resumed, pickled and copied."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bitlif.model.files.save_file import Arrays, require_array, require_names
from bitlif.model.signature import MASK, Signature

from .kept_core import KeptCore
from .network_core import NetworkCore, layer_key
from .network_result import NETWORK_COUNTERS
from .result import Tally


class NetworkStand(NamedTuple):
    """The state of a network's core, replaced as a whole so that an interrupt cannot tear it."""

    network: Any
    """a snapshot of the network"""
    counted: tuple[dict[str, int], ...]
    """counters of each layer"""
    lanes: tuple[tuple[int, ...], ...]
    """states of the signature's lanes of each layer"""
    window: Any = None
    """the window that `step` has begun"""


class KeptNetworkCore(NetworkCore, KeptCore):
    """A core of a network in a model, whose complete state is one value that arrays describe."""

    _now: NetworkStand

    def _fresh_stand(self) -> NetworkStand:
        counted = tuple(dict.fromkeys(NETWORK_COUNTERS, 0) for _ in self._network.layers)
        lanes = tuple(Signature(own.config.layer).lanes for own in self._network.layers)
        return NetworkStand(self._worker.snapshot(), counted, lanes)

    def _load(self, weights: Any) -> None:
        worker = self._current()
        worker.load(weights)
        self._now = self._now._replace(network=worker.snapshot())

    def _reset(self) -> None:
        worker = self._current()
        worker.reset()
        self._now = self._fresh_stand()

    def _current(self) -> Any:
        """Return the worker in the core's state: an interrupted run may have left another."""
        worker = self._worker
        worker.restore(self._now.network)
        return worker

    def _to_arrays(self) -> Arrays:
        now, arrays = self._now, self._current().to_arrays()
        for number, (counted, lanes) in enumerate(zip(now.counted, now.lanes, strict=True)):
            values = [counted[name] for name in NETWORK_COUNTERS]
            arrays[layer_key(number, "counters")] = np.array(values, np.int64)
            arrays[layer_key(number, "signature")] = np.array(lanes, np.uint32)
        return dict(arrays)

    def _from_arrays(self, arrays: Arrays) -> NetworkStand:
        counts, lanes = [], []
        names = [
            layer_key(number, name)
            for number in range(len(self._network.layers))
            for name in ("counters", "signature")
        ]
        require_names(arrays, {*arrays, *names})
        for number, own in enumerate(self._network.layers):
            key = layer_key(number, "counters")
            counted = require_array(arrays, key, (len(NETWORK_COUNTERS),), 0, (1 << 62) - 1)
            pairs = zip(NETWORK_COUNTERS, counted, strict=True)
            counts.append({name: int(count) for name, count in pairs})
            key = layer_key(number, "signature")
            signed = require_array(arrays, key, (own.config.layer.lanes,), 0, MASK)
            lanes.append(tuple(int(lane) for lane in signed))
        rest = {name: array for name, array in arrays.items() if name not in names}
        return NetworkStand(self._worker.from_arrays(rest), tuple(counts), tuple(lanes))

    def _layer_counters(self) -> tuple[dict[str, int], ...]:
        return self._now.counted

    def _weights(self) -> Any:
        return self._current().weights()

    def _states(self) -> Any:
        return self._current().states()

    def _tally(self) -> Tally:
        events = sum(counted["synaptic_events"] for counted in self._now.counted)
        return Tally(self._now.network.learned, 0, events)
