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
from bitlif.model.errors import located
from bitlif.model.events import Events
from bitlif.model.floating.network import FloatNetwork
from bitlif.model.floating.network_stepping import FloatNetworkStepper, OpenFloatNetworkWindow
from bitlif.model.result import LayerState

from .modelled import unpadded
from .network_core import NETWORK_RECORDS, NetworkCore, layer_key
from .network_models import MODEL_NAMES
from .network_result import LayerStepResult, NetworkStepResult

SEEDS = (1 << 63) - 1


class NetworkFloatCore(NetworkCore):
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

    def _begin(self) -> None:
        self._made = FloatNetwork(self._network, seed=self._noise_seed())
        self._own_stepper: FloatNetworkStepper | None = None
        self._now = self._fresh_stand()

    @property
    def _worker(self) -> FloatNetwork:
        return self._made

    def _noise_seed(self) -> int:
        own = self._built_network.layers[0].config.noise.lfsr.seed
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
            with located(f"layer.{number}"):
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

    def _load_tables(self) -> None:
        weights = self._current().weights()
        self._begin()
        super()._load(weights)

    def _check_targets(self, targets: NDArray[Any], windows: int) -> NDArray[Any]:
        if self.units == "raw":
            return super()._check_targets(targets, windows)
        return check_real_targets(self._config, targets, windows)

    # -- running -----------------------------------------------------------------------------

    def _real_targets(self, targets: NDArray[Any]) -> NDArray[Any]:
        return targets / (1 << self._config.error.target_bits) if self.units == "raw" else targets

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        network = self._current()
        wanted = [MODEL_NAMES.get(name, name) for name in record]
        goals = None if targets is None else self._real_targets(unpadded(targets))
        if learn:
            assert goals is not None
            result = network.learn(events, goals, record=wanted)
        else:
            result = network.run(events, goals, record=wanted)
        steps = events.steps
        arrays: dict[str, NDArray[Any]] = {
            "window_clocks": np.zeros(0, np.int64), "step_clocks": np.zeros((0, steps)),
            "step_signatures": np.zeros((0, steps), np.int64),
        }  # fmt: skip
        for number, own in enumerate(result.layers):
            arrays[layer_key(number, "raster")] = own.raster
            for name in record:
                values = getattr(own, name, None)
                if name == "adjoints":
                    values = result.adjoints[number]
                elif name == "gradient":
                    values = result.gradients[number].transpose(0, 2, 1)
                if values is not None:
                    values = np.ascontiguousarray(values / self._unit(name, number))
                    arrays[layer_key(number, name)] = values
        sweeps = result.sweep_counters if learn else ()
        counted = self._count([own.counters for own in result.layers], list(sweeps))
        self._now = self._now._replace(network=network.snapshot(), counted=counted)
        return arrays

    def _count(
        self, counters: list[dict[str, int]], swept: list[dict[str, int]]
    ) -> tuple[dict[str, int], ...]:
        """Return the counters of all layers with those of a run added."""
        found = []
        for number, (own, before) in enumerate(zip(counters, self._now.counted, strict=True)):
            new = {**own, **(swept[number] if swept else {})}
            found.append({name: count + new.get(name, 0) for name, count in before.items()})
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
            self._own_stepper = FloatNetworkStepper(self._network, seed=self._noise_seed())
        stepper = self._own_stepper
        window = stepper.step(
            now.window or stepper.begin(now.network, learn=learn), addresses,
            None if targets is None else self._real_targets(targets),
        )  # fmt: skip
        ended = window.step == self._config.window.steps
        layers = tuple(
            LayerStepResult(**self._row(window, number, record, ended))
            for number in range(len(window.records))
        )
        if ended:
            spikes = [own.raster.sum() for own in window.records[:-1]]
            events = [
                {"synaptic_events": int(count) * own.raster.shape[2]}
                for count, own in zip((window.pointers[-1], *spikes), window.records, strict=True)
            ]
            names = ("active_errors", "active_adjoints")
            swept = [dict(zip(names, map(int, own), strict=True)) for own in window.counters]
            counted = self._count(events, swept if learn else [])
            self._now = now._replace(network=window.network, counted=counted, window=None)
        else:
            self._now = now._replace(window=window)
        last = {name: getattr(layers[-1], name) for name in ("spikes", "step", "ended", *record)}
        return NetworkStepResult(**last, layers=layers)

    def _row(
        self, window: OpenFloatNetworkWindow, number: int, record: tuple[str, ...], ended: bool
    ) -> dict[str, Any]:
        """Return the facts of the last step of a window in one layer."""
        own, t, last = window.records[number], window.step - 1, number == len(window.records) - 1
        found: dict[str, Any] = {
            "spikes": own.raster[0, t].astype(np.bool_), "step": t, "ended": ended
        }  # fmt: skip
        for name in record:
            values: NDArray[np.float64] | None = None
            if name in ("adjoints", "gradient"):
                if ended:
                    values = own.adjoints[0] if name == "adjoints" else own.gradients[0].T
            elif name == "draws":
                values = window.draws[number][0, t]
            elif name in NETWORK_RECORDS[:2] or last:
                values = getattr(own, name)[0, t]
            if values is not None:
                found[name] = values / self._unit(name, number)
        return found

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

    def _unit(self, name: str, number: int) -> float:
        """Return what 1 of a quantity of a layer is in the numbers of `FloatNetwork`."""
        if self.units == "real":
            return 1.0
        own = self._network.layers[number]
        config = own.config
        if name == "draws":
            return 1.0 / float(config.noise.pmf.sigma)
        formats = {
            "weights": config.synapse.weight, "current": config.synapse.current,
            "membrane": config.membrane.format, "errors": config.error.format,
            "adjoints": own.sweep.current, "gradient": own.sweep.current,
        }  # fmt: skip
        return float(formats[name].lsb)
