"""The integer model and the float twin as backends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.arrays import as_array
from bitlif.model.checks import check_real_targets, check_weights
from bitlif.model.config.config import Config
from bitlif.model.counters import COUNTERS
from bitlif.model.digest import sign_digests
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.floating.stepping import FloatStepper
from bitlif.model.layer import Layer
from bitlif.model.result import LayerState
from bitlif.model.signature import Signature
from bitlif.model.state import state_variables
from bitlif.model.stepping import Stepper

from .modelled import (
    Modelled,
    Stand,
    clock_cycles,
    no_clock_cycles,
    recorded_rows,
    unpadded,
)
from .result import StepResult


class ModelCore(Modelled):
    """The integer model: the reference that every other backend is compared with.

    Parameters
    ----------
    config : Config
    learning : bool
    threads : int
        Threads for windows that do not depend on each other. No result depends on it.
    signature : bool
        False: compute neither signature nor clock cycles, at the full speed of the engine.
    interpreted : bool
        Run the specification instead of the compiled engine; see `bitlif.model.layer.Layer`.
    """

    backend = "model"

    def __init__(
        self,
        config: Config,
        *,
        learning: bool = True,
        threads: int = 1,
        signature: bool = True,
        interpreted: bool = False,
    ) -> None:
        super().__init__(config, learning=learning)
        self._threads, self._signed = threads, signature
        self._interpreted = interpreted
        self.counts_clocks = signature
        self._begin()

    def _new_layer(self) -> Layer:
        return Layer(self._config, threads=self._threads, interpreted=self._interpreted)

    def _options(self) -> dict[str, Any]:
        return {
            "threads": self._threads, "signature": self._signed, "interpreted": self._interpreted
        }  # fmt: skip

    def fresh(self) -> ModelCore:
        """Return a new model of the same configuration and options; see `Core.fresh`."""
        return ModelCore(self._config, learning=self._learning, **self._options())

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        config, now = self._config, self._now
        # The signature needs the digests, and the clock cycles of learning need the errors.
        needed = ("digests", *(("errors",) if learn else ())) if self._signed else ()
        wanted = tuple(dict.fromkeys((*record, *needed)))
        layer: Layer = self._layer
        goals = None if targets is None else unpadded(targets)
        if learn:
            assert goals is not None
            result = layer.learn(events, goals, record=wanted)
        else:
            result = layer.run(events, goals, record=wanted)
        lanes, spent = now.lanes, now.clocks
        signatures, clocks = np.zeros((0, events.steps), np.int64), no_clock_cycles(events)
        if self._signed:
            assert result.digests is not None
            lanes, signatures = sign_digests(config.layer, lanes, *result.digests)
            clocks = clock_cycles(config, events, result, learn=learn, hardware=self._learning)
            spent += int(clocks["window_clocks"].sum())
        counted = {name: now.counted[name] + result.counters[name] for name in COUNTERS}
        self._now = Stand(layer.snapshot(), counted, lanes, spent)
        return {
            "raster": result.raster, "step_signatures": signatures, **clocks,
            **{name: getattr(result, name) for name in record},
        }  # fmt: skip

    def _new_stepper(self) -> Stepper:
        return Stepper(self._config, interpreted=self._interpreted, signed=self._signed)

    def _step(
        self,
        addresses: NDArray[np.int32],
        targets: NDArray[Any] | None,
        learn: bool,
        record: tuple[str, ...],
    ) -> StepResult:
        now, stepper = self._now, self._stepper
        needed = ("errors",) if learn and self._signed else ()
        window = now.window or stepper.begin(now.layer, learn=learn)
        window = stepper.step(window, addresses, targets, tuple({*record, *needed}))
        ended, records, t = window.step == self._config.window.steps, window.records, window.step
        counted, lanes = now.counted, now.lanes
        facts: dict[str, Any] = {
            name: np.asarray(values, np.int64)
            for name, values in recorded_rows(window, record, ended).items()
        }
        if self._signed:
            lanes, signed = sign_digests(
                self._config.layer, lanes, np.array(records.step_digests[:, t - 1 : t], np.int64),
                np.array(records.update_digests[: int(ended)], np.int64),
            )  # fmt: skip
            facts["signature"] = int(signed[0, 0])
        if ended:
            pairs = zip(COUNTERS, window.counters, strict=True)
            counted = {name: counted[name] + int(count) for name, count in pairs}
        return self._after_step(window, addresses, counted, lanes, facts)

    def _weights(self) -> NDArray[np.int64]:
        layer: Layer = self._layer
        return layer.weights

    def _state(self) -> LayerState:
        state: LayerState = self._layer.state
        # A core without learning hardware has no update LFSRs.
        return state if self._learning else replace(state, update_lfsr=())

    def _signature(self) -> int:
        if not self._signed:
            raise BitlifError("signature must be True when the model is opened, not False")
        signer = Signature(self._config.layer)
        signer.lanes = self._now.lanes
        return signer.value


class FloatCore(Modelled):
    """The ideal float twin, with Gaussian noise of its own.

    Nothing is rounded or saturates. There are no LFSRs and no signature.

    Parameters
    ----------
    config : Config
    learning : bool
    units : str
        ``"raw"``: weights, targets, records and state are in LSBs, as for every other backend, but
        unrounded; `load` also accepts real weights, in LSBs. ``"real"``: they are real numbers, in
        the unit of the threshold; targets are in 0 ..= 1.
    seed : int or None
        Seed of the noise; None: the seed of the configuration's noise LFSR.
    """

    backend = "float"

    def __init__(
        self,
        config: Config,
        *,
        learning: bool = True,
        units: str = "raw",
        seed: int | None = None,
    ) -> None:
        super().__init__(config, learning=learning)
        self.units = units
        self._seed = seed
        self._begin()

    def _new_layer(self) -> FloatLayer:
        return FloatLayer(self._config, seed=self._noise_seed())

    def _noise_seed(self) -> int:
        seed = self._config.noise.lfsr.seed if self._seed is None else self._seed
        return seed & ((1 << 63) - 1)

    def _options(self) -> dict[str, Any]:
        return {"units": self.units, "seed": self._seed}

    def fresh(self) -> FloatCore:
        """Return a new twin whose noise has the next seed; see `Core.fresh`."""
        seed = (self._noise_seed() + 1) & ((1 << 63) - 1)
        return FloatCore(self._config, learning=self._learning, units=self.units, seed=seed)

    def load(self, weights: NDArray[Any]) -> None:
        """Set the weights, (N, M): real numbers, or integers within the weight format.

        They are in LSBs, or real numbers where `units` is ``"real"``.
        """
        self._require_open()
        array = as_array("weights", weights)
        if self.units == "raw" and array.dtype.kind != "f":
            array = check_weights(self._config, array)
        self._load(array)

    def _load(self, weights: NDArray[Any]) -> None:
        super()._load(weights if self.units == "real" else weights * self._unit("weights"))

    def _check_targets(self, targets: NDArray[Any], windows: int) -> NDArray[Any]:
        if self.units == "raw":
            return super()._check_targets(targets, windows)
        return check_real_targets(self._config, targets, windows)

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        config = self._config
        wanted = tuple({*record} | ({"errors"} if learn else set()))
        goals = None
        if targets is not None:
            goals = unpadded(targets)
            if self.units == "raw":
                goals = goals / (1 << config.error.target_bits)
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
        clocks = clock_cycles(config, events, result, learn=learn, hardware=self._learning)
        spent = now.clocks + int(clocks["window_clocks"].sum())
        self._now = Stand(layer.snapshot(), counted, now.lanes, spent)
        return {
            "raster": result.raster,
            "step_signatures": np.zeros((0, config.window.steps), np.int64),
            **clocks,
            **{name: getattr(result, name) / self._unit(name) for name in record},
        }

    def _new_stepper(self) -> FloatStepper:
        return FloatStepper(self._config)

    def _step(
        self,
        addresses: NDArray[np.int32],
        targets: NDArray[Any] | None,
        learn: bool,
        record: tuple[str, ...],
    ) -> StepResult:
        config, now, stepper = self._config, self._now, self._stepper
        if targets is not None and self.units == "raw":
            targets = targets / (1 << config.error.target_bits)
        window = now.window or stepper.begin(now.layer, learn=learn)
        window = stepper.step(window, addresses, targets, (*record, *(("errors",) * learn)))
        ended = window.step == config.window.steps
        counted = dict(now.counted)
        counted["synaptic_events"] += len(addresses) * config.layer.neurons
        if learn:
            counted["active_errors"] += int(
                np.count_nonzero(window.records.errors[0, window.step - 1])
            )
        shown = tuple(name for name in record if name != "draws")
        facts = recorded_rows(window, shown, ended)
        if "draws" in record:
            facts["draws"] = stepper.draws[0, window.step - 1].copy()
        facts = {name: values / self._unit(name) for name, values in facts.items()}
        return self._after_step(window, addresses, counted, now.lanes, facts)

    def _weights(self) -> NDArray[np.float64]:
        layer: FloatLayer = self._layer
        return layer.weights / self._unit("weights")

    def _state(self) -> LayerState:
        layer: FloatLayer = self._layer
        state = layer.state
        return replace(
            state,
            **{
                own.name: getattr(state, own.name) / self._unit(own.name)
                for own in state_variables("neuron", "input")
            },
        )

    def _signature(self) -> None:
        return None

    def _unit(self, name: str) -> float:
        """Return what 1 of a quantity is in the numbers of `FloatLayer`."""
        if self.units == "real":
            return 1.0
        config = self._config
        if name == "draws":
            return 1.0 / config.noise.draw_sigma
        error, trace = float(config.error.format.lsb), float(config.trace.format.lsb)
        if name in ("errors", "gradient"):
            return error if name == "errors" else error * trace
        variable = next(own for own in state_variables() if name in (own.name, own.record))
        return float(variable.format(config).lsb)
