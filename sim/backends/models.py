"""The integer model and the float twin behind the interface of every core."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.model.checks import check_weights
from bitlif.model.clocks import step_clocks, window_end
from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.files.save_file import (
    Arrays,
    load_saved,
    require_array,
    require_names,
    save_arrays,
)
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.result import LayerState, Result
from bitlif.model.signature import MASK, Signature
from bitlif.model.window import COUNTERS

from .core import Core, Tally


class _Stand(NamedTuple):
    """Where a core of a model stands: replaced as a whole, so that an interrupt leaves no half."""

    layer: Any
    """a snapshot of the layer"""
    counted: dict[str, int]
    lanes: tuple[int, ...]
    """of the signature"""
    clocks: int


class _Modelled(Core):
    """What both share: a layer of the model, and counters that are kept here."""

    stays_in_process = False
    _now: _Stand

    @abstractmethod
    def _new_layer(self) -> Any:
        """Return a layer of the configuration as it now is."""

    @property
    def _layer(self) -> Any:
        """The layer, as it stands; a run that was broken off may have left it further on."""
        self._worker.restore(self._now.layer)
        return self._worker

    def _begin(self) -> None:
        self._worker = self._new_layer()
        self._now = self._fresh(self._worker)

    def _fresh(self, layer: Any) -> _Stand:
        lanes = Signature(self._config.layer).lanes
        return _Stand(layer.snapshot(), dict.fromkeys(COUNTERS, 0), lanes, 0)

    def _load(self, weights: NDArray[Any]) -> None:
        layer = self._layer
        layer.load(weights)
        self._now = self._now._replace(layer=layer.snapshot())

    def _load_tables(self) -> None:
        layer = self._new_layer()
        layer.load(self._layer.weights)
        self._worker, self._now = layer, self._fresh(layer)

    def _reset(self) -> None:
        layer = self._layer
        layer.reset()
        self._now = self._fresh(layer)

    def save(self, path: str | Path) -> None:
        self._require_open()
        save_arrays(path, self._kind, self._config, self._to_arrays())

    def resume(self, path: str | Path) -> None:
        self._require_open()
        self._now = self._from_arrays(load_saved(path, self._kind, self._config))

    @property
    def _kind(self) -> str:
        return f"core of kind {self._worker.kind}"

    def _to_arrays(self) -> Arrays:
        now = self._now
        return {
            **self._layer.to_arrays(),
            "counters": np.array([now.counted[name] for name in COUNTERS], np.int64),
            "signature": np.array(now.lanes, np.uint32),
            "clocks": np.array(now.clocks, np.int64),
        }

    def _from_arrays(self, arrays: Arrays) -> _Stand:
        own = ("counters", "signature", "clocks")
        require_names(arrays, {*arrays, *own})
        layer = {name: array for name, array in arrays.items() if name not in own}
        top, lanes = (1 << 62) - 1, len(self._now.lanes)
        counted = require_array(arrays, "counters", (len(COUNTERS),), 0, top)
        signature = require_array(arrays, "signature", (lanes,), 0, MASK)
        return _Stand(
            self._worker.from_arrays(layer),
            dict(zip(COUNTERS, (int(count) for count in counted), strict=True)),
            tuple(int(lane) for lane in signature),
            int(require_array(arrays, "clocks", (), 0, top)),
        )

    def __getstate__(self) -> dict[str, Any]:
        self._require_open()
        own = {"learning": self._learning, **self._options()}
        configs = {"built": self._built, "config": self._config}
        return {"options": own, **configs, "arrays": self._to_arrays()}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        type(self).__init__(self, saved["built"], **saved["options"])
        if saved["config"] != saved["built"]:
            self.load_tables(saved["config"])
        self._now = self._from_arrays(saved["arrays"])

    def _options(self) -> dict[str, Any]:
        """Return what else it was made with."""
        return {}

    def _counters(self) -> dict[str, int]:
        return self._now.counted

    def _tally(self) -> Tally:
        now = self._now
        return Tally(now.layer.learned, now.clocks, now.counted["synaptic_events"])


class ModelCore(_Modelled):
    """The integer model: what every other backend is held against.

    Parameters
    ----------
    config : Config
    learning : bool
    interpreted : bool
        Run the specification itself instead of the compiled engine; see `Layer`.
    """

    backend = "model"

    def __init__(self, config: Config, *, learning: bool = True, interpreted: bool = False) -> None:
        super().__init__(config, learning=learning)
        self._interpreted = interpreted
        self._begin()

    def _new_layer(self) -> Layer:
        return Layer(self._config, interpreted=self._interpreted)

    def _options(self) -> dict[str, Any]:
        return {"interpreted": self._interpreted}

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        # The signature needs the membranes, and the clocks need the errors.
        wanted = {*record, "membrane"} | ({"errors"} if learn else set())
        layer: Layer = self._layer
        signer = Signature(self._config.layer)
        parts = []
        # One by one: the signature takes the weights of every window.
        for w in range(events.windows):
            now = self._now
            signer.lanes = now.lanes
            one = events.select([w])
            goals = None if targets is None else _unpadded(targets[w : w + 1])
            if learn:
                assert goals is not None
                result = layer.learn(one, goals, record=tuple(wanted))
            else:
                result = layer.run(one, goals, record=tuple(wanted))
            signatures = signer.take_window(result)
            if learn:
                signer.take_weights(layer.weights)
            clocks = _clocks(self._config, one, result, learn=learn, hardware=self._learning)
            parts.append({
                "raster": result.raster, "step_signatures": signatures[None], **clocks,
                **{name: getattr(result, name) for name in record},
            })  # fmt: skip
            counted = {name: now.counted[name] + result.counters[name] for name in COUNTERS}
            spent = now.clocks + int(clocks["window_clocks"].sum())
            self._now = _Stand(layer.snapshot(), counted, signer.lanes, spent)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _weights(self) -> NDArray[np.int64]:
        layer: Layer = self._layer
        return layer.weights

    def _state(self) -> LayerState:
        state: LayerState = self._layer.state
        # Without learning hardware there are no LFSRs for it.
        return state if self._learning else replace(state, update_lfsr=())

    def _signature(self) -> int:
        signer = Signature(self._config.layer)
        signer.lanes = self._now.lanes
        return signer.value


class FloatCore(_Modelled):
    """The ideal float twin: Gaussian noise of its own, seeded by the noise's LFSR seed.

    Weights and results are in LSBs like everybody's, but real numbers: nothing is rounded. Nothing
    saturates, there are no LFSRs, and no signature. `load` also takes real weights, in LSBs.
    """

    backend = "float"

    def __init__(self, config: Config, *, learning: bool = True) -> None:
        super().__init__(config, learning=learning)
        self._begin()

    def _new_layer(self) -> FloatLayer:
        return FloatLayer(self._config, seed=self._config.noise.lfsr.seed & ((1 << 63) - 1))

    def load(self, weights: NDArray[Any]) -> None:
        """Set the weights, in LSBs: (N, M), integers within the weight format or real numbers."""
        self._require_open()
        array = np.asarray(weights)
        if array.dtype.kind != "f":
            array = check_weights(self._config, array)
        self._load(array)

    def _load(self, weights: NDArray[Any]) -> None:
        super()._load(weights * float(self._config.synapse.weight.lsb))

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        config = self._config
        wanted = tuple({*record} | ({"errors"} if learn else set()))
        goals = None
        if targets is not None:
            goals = _unpadded(targets) / (1 << config.error.target_bits)
        now, layer = self._now, self._layer
        counted = dict(now.counted)
        if learn:
            assert goals is not None
            result = layer.learn(events, goals, record=wanted)
            assert result.errors is not None
            counted["active_errors"] += int(np.count_nonzero(result.errors))
        else:
            result = layer.run(events, goals, record=wanted)
        counted["synaptic_events"] += result.counters["synaptic_events"]
        clocks = _clocks(config, events, result, learn=learn, hardware=self._learning)
        spent = now.clocks + int(clocks["window_clocks"].sum())
        self._now = _Stand(layer.snapshot(), counted, now.lanes, spent)
        units = _units(config)
        return {
            "raster": result.raster,
            "step_signatures": np.zeros((0, config.window.steps), np.int64),
            **clocks,
            **{name: getattr(result, name) / units[name] for name in record},
        }

    def _weights(self) -> NDArray[np.float64]:
        layer: FloatLayer = self._layer
        return layer.weights / float(self._config.synapse.weight.lsb)

    def _state(self) -> LayerState:
        layer: FloatLayer = self._layer
        units, state = _units(self._config), layer.state
        return replace(
            state,
            current=state.current / units["current"],
            membrane=state.membrane / units["membrane"],
            trace_current=state.trace_current / float(self._config.trace.current.lsb),
            trace=state.trace / units["traces"],
        )

    def _signature(self) -> None:
        return None


def _units(config: Config) -> dict[str, float]:
    """Return what one LSB of each record is in the float twin's numbers."""
    error, trace = float(config.error.format.lsb), float(config.trace.format.lsb)
    return {
        "current": float(config.synapse.current.lsb),
        "membrane": float(config.membrane.format.lsb),
        "draws": 1.0 / float(config.noise.pmf.sigma),
        "errors": error,
        "traces": trace,
        "gradient": error * trace,
    }


def _clocks(
    config: Config, events: Events, result: Result, *, learn: bool, hardware: bool
) -> dict[str, NDArray[np.int64]]:
    """Return the clocks that gates take for these spikes and errors."""
    steps = step_clocks(config, events, result, learn=learn, learning_core=hardware)
    return {
        "step_clocks": steps,
        "window_clocks": steps.sum(axis=1) + window_end(config, learn=learn),
    }


def _unpadded(targets: NDArray[Any]) -> NDArray[Any]:
    """Return checked targets, (W, 1 or T, M), in a shape that a layer takes: (W, M), (W, T, M)."""
    return targets[:, 0] if targets.shape[1] == 1 else targets
