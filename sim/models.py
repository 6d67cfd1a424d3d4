"""The integer model and the float twin behind the interface of every core."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.checks import check_weights
from bitlif.model.clocks import step_clocks, window_end
from bitlif.model.config import Config
from bitlif.model.events import Events
from bitlif.model.float_layer import FloatLayer
from bitlif.model.layer import Layer
from bitlif.model.result import LayerState, Result
from bitlif.model.signature import Signature
from bitlif.model.window import COUNTERS

from .core import Core


class _Modelled(Core):
    """What both share: a layer of the model, and counters that are kept here."""

    _layer: Any

    @abstractmethod
    def _new_layer(self) -> Any:
        """Return a layer of the configuration as it now is."""

    def _begin(self) -> None:
        self._layer = self._new_layer()
        self._reset()

    def _load_tables(self) -> None:
        weights = self._layer.weights
        self._layer = self._new_layer()
        self._layer.load(weights)

    def _reset(self) -> None:
        self._layer.reset()
        self._counted = dict.fromkeys(COUNTERS, 0)

    def _counters(self) -> dict[str, int]:
        return self._counted


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
    _layer: Layer

    def __init__(self, config: Config, *, learning: bool = True, interpreted: bool = False) -> None:
        super().__init__(config, learning=learning)
        self._interpreted = interpreted
        self._begin()

    def _new_layer(self) -> Layer:
        return Layer(self._config, interpreted=self._interpreted)

    def _load(self, weights: NDArray[Any]) -> None:
        self._layer.load(weights)

    def _reset(self) -> None:
        super()._reset()
        self._signer = Signature(self._config.layer)

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        # The signature needs the membranes, and the clocks need the errors.
        wanted = {*record, "membrane"} | ({"errors"} if learn else set())
        parts = []
        # One by one: the signature takes the weights of every window.
        for w in range(events.windows):
            one = events.select([w])
            goals = None if targets is None else _unpadded(targets[w : w + 1])
            if learn:
                assert goals is not None
                result = self._layer.learn(one, goals, record=tuple(wanted))
            else:
                result = self._layer.run(one, goals, record=tuple(wanted))
            signatures = self._signer.take_window(result)
            if learn:
                self._signer.take_weights(self._layer.weights)
            for name, count in result.counters.items():
                self._counted[name] += count
            parts.append({
                "raster": result.raster, "step_signatures": signatures[None],
                **_clocks(self._config, one, result, learn=learn, hardware=self._learning),
                **{name: getattr(result, name) for name in record},
            })  # fmt: skip
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _weights(self) -> NDArray[np.int64]:
        return self._layer.weights

    def _state(self) -> LayerState:
        state = self._layer.state
        # Without learning hardware there are no LFSRs for it.
        return state if self._learning else replace(state, update_lfsr=())

    def _signature(self) -> int:
        return self._signer.value


class FloatCore(_Modelled):
    """The ideal float twin: Gaussian noise of its own, seeded by the noise's LFSR seed.

    Weights and results are in LSBs like everybody's, but real numbers: nothing is rounded. Nothing
    saturates, there are no LFSRs, and no signature. `load` also takes real weights, in LSBs.
    """

    backend = "float"
    _layer: FloatLayer

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
        self._layer.load(weights * float(self._config.synapse.weight.lsb))

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        config = self._config
        wanted = tuple({*record} | ({"errors"} if learn else set()))
        goals = None
        if targets is not None:
            goals = _unpadded(targets) / (1 << config.error.target_bits)
        if learn:
            assert goals is not None
            result = self._layer.learn(events, goals, record=wanted)
            assert result.errors is not None
            self._counted["active_errors"] += int(np.count_nonzero(result.errors))
        else:
            result = self._layer.run(events, goals, record=wanted)
        self._counted["synaptic_events"] += result.counters["synaptic_events"]
        units = _units(config)
        return {
            "raster": result.raster,
            "step_signatures": np.zeros((0, config.window.steps), np.int64),
            **_clocks(config, events, result, learn=learn, hardware=self._learning),
            **{name: getattr(result, name) / units[name] for name in record},
        }

    def _weights(self) -> NDArray[np.float64]:
        return self._layer.weights / float(self._config.synapse.weight.lsb)

    def _state(self) -> LayerState:
        units, state = _units(self._config), self._layer.state
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
