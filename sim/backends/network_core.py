"""The interface of networks: that of a layer's core, with weights and counters per layer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.bus.registers import COUNTER_STOPPED
from bitlif.hdl.loadable import network_rows, require_loadable
from bitlif.model.checks import Spikes, check_weights, require_learnable_network
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError, BitlifTypeError, located_in_layer
from bitlif.model.events import Events
from bitlif.model.result import LayerState
from bitlif.model.text import quoted

from .core import Core
from .modelled import CALL_STEPS, CALL_VALUES
from .network_result import NETWORK_COUNTERS, LayerResult, NetworkCoreResult

NETWORK_RECORDS = ("current", "membrane", "draws", "errors", "adjoints", "gradient")
"""Names that a run of a network can record; errors are those of the last layer."""


class NetworkCore(Core):
    """A network that loads weights, runs and learns windows, and can be read back.

    `bitlif.open` returns one for a `NetworkConfig`. It has the interface of a layer's core, `Core`,
    with these differences: weights and states are lists with one item per layer, runs and steps
    also return the results of all layers, and there are no traces to record. Gates count the clock
    cycles of windows, and neither core those of steps. It starts with the weights of
    `NetworkConfig.initial_weights`.

    A netlist shows only its ports: results of hidden layers have no spikes, and counters no
    ``synaptic_events`` of the layers after the first.

    Parameters
    ----------
    network : NetworkConfig
    learning : bool
        False: inference only.
    """

    records: tuple[str, ...] = NETWORK_RECORDS
    known_records: tuple[str, ...] = NETWORK_RECORDS
    counts_clocks = False

    def __init__(self, network: NetworkConfig, *, learning: bool = True) -> None:
        super().__init__(network.outer, learning=learning)
        self._network = network
        # As in a core of a layer: what was opened, before other tables are loaded.
        self._built: Any = network

    @property
    def config(self) -> NetworkConfig:  # type: ignore[override]
        """The configuration: the one passed to `bitlif.open`, or to the last `load_tables`."""
        return self._network

    def _facts(self) -> dict[str, Any]:
        sizes = self._network.facts()["sizes"]
        state = "learning" if self._learning else "inference only"
        return {"sizes": sizes, "state": state if self._open else "closed"}

    def _about(self) -> str:
        facts = self._facts()
        return f"network {facts['sizes']}, {facts['state']}"

    # -- loading -----------------------------------------------------------------------------

    def load(self, weights: Sequence[NDArray[Any]]) -> None:  # type: ignore[override]
        """Set the raw weights of all layers: a list of integers of shape (N, M).

        Raises
        ------
        BitlifError
            If the number of arrays, a shape, a dtype or a value is wrong. The weights are then
            unchanged.
        """
        self._require_open()
        checked: Any = self._check_weights(weights)
        self._load(checked)

    def _require_layers(self, weights: Sequence[NDArray[Any]]) -> None:
        """Raise unless there is one array per layer."""
        count = len(self._network.layers)
        if isinstance(weights, np.ndarray) or not isinstance(weights, Sequence):
            raise BitlifTypeError(
                f"weights must be a list of {count} arrays, one per layer, not {quoted(weights)}"
            )
        if len(weights) != count:
            raise BitlifError(
                f"weights must be a list of {count} arrays, one per layer, not of {len(weights)}"
            )

    def _check_weights(self, weights: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        self._require_layers(weights)
        found = []
        for number, (own, layer) in enumerate(zip(weights, self._network.layers, strict=True)):
            with located_in_layer(number):
                found.append(check_weights(layer.config, own))
        return found

    def load_tables(self, network: NetworkConfig) -> None:  # type: ignore[override]
        """Load another network's error table and schedules, and reset; the weights stay.

        Raises
        ------
        BitlifError
            If the networks differ in anything else; the rule for each layer is that of
            `bitlif.hdl.loadable.require_loadable`.
        """
        self._require_own()
        self._require_between_windows()
        if not isinstance(network, NetworkConfig):
            raise BitlifTypeError(f"config must be a NetworkConfig, not {quoted(network)}")
        built = self._built
        if len(network.layers) != len(built.layers):
            raise BitlifError(
                f"config must have {len(built.layers)} layers, not {len(network.layers)}"
            )
        for number, (own, other) in enumerate(zip(built.layers, network.layers, strict=True)):
            if own.sweep != other.sweep:
                raise BitlifError(f"layer.{number}.sweep must be that of the network")
            with located_in_layer(number):
                require_loadable(own.config, other.config)
            network_rows(built, network, number)
        self._half_loaded_tables = True
        self._network, self._config = network, network.outer
        self._load_tables()
        self._reset()
        self._half_loaded_tables = False

    # -- running -----------------------------------------------------------------------------

    def run(
        self,
        events: Spikes,
        targets: NDArray[Any] | None = None,
        *,
        learn: bool = False,
        record: Sequence[str] = (),
    ) -> NetworkCoreResult:
        """Run windows one after another; see `Core.run`.

        Parameters
        ----------
        events : Events or Result
            W windows of input spikes of the first layer.
        targets : array or None
            Targets of the last layer.
        learn : bool
            Sweep back after each window, and update the weights of all layers that are learned.
        record : names from `records`
            What else to return of each layer; ``"errors"`` are those of the last. Errors, adjoints
            and gradient require ``learn=True``.

        Returns
        -------
        NetworkCoreResult
        """
        before = self.layer_counters()
        result = super().run(events, targets, learn=learn, record=record)
        assert isinstance(result, NetworkCoreResult)
        layers = tuple(
            replace(own, counters={name: after[name] - start[name] for name in after})
            for own, after, start in zip(result.layers, self.layer_counters(), before, strict=True)
        )
        return replace(result, layers=layers)

    def learn(
        self, events: Spikes, targets: NDArray[Any], *, record: Sequence[str] = ()
    ) -> NetworkCoreResult:
        """Run windows and update all weights after each: `run` with ``learn=True``."""
        return self.run(events, targets, learn=True, record=record)

    def _make_result(self, joined: dict[str, Any], **facts: Any) -> NetworkCoreResult:
        layers = []
        for number in range(len(self._network.layers)):
            prefix = layer_key(number, "")
            own = {
                name[len(prefix) :]: joined.pop(name)
                for name in tuple(joined)
                if name.startswith(prefix)
            }
            layers.append(LayerResult(**own))
        last = {
            name: getattr(layers[-1], name)
            for name in ("raster", *NETWORK_RECORDS)
            if getattr(layers[-1], name) is not None
        }
        return NetworkCoreResult(**facts, **joined, **last, layers=tuple(layers))

    def _windows_at_once(self, events: Events) -> int:
        neurons = sum(own.config.layer.neurons for own in self._network.layers)
        return max(1, min(CALL_STEPS // events.steps, CALL_VALUES // (events.steps * neurons)))

    def _require_learnable(self) -> None:
        require_learnable_network(self._network)

    def _warn_of_idle(self) -> None:
        """Do nothing: the remark is about the gradient of traces, which a network lacks."""

    # -- reading -----------------------------------------------------------------------------

    def weights(self) -> list[NDArray[Any]]:  # type: ignore[override]
        """Return the raw weights of all layers: a list of (N, M) int64."""
        self._require_open()
        return list(self._weights())

    def real_weights(self) -> list[NDArray[np.float64]]:  # type: ignore[override]
        """Return the weights of all layers as real numbers: a list of (N, M) float64."""
        real = self.units == "real"
        return [
            np.asarray(own * (1.0 if real else float(layer.config.synapse.weight.lsb)), np.float64)
            for own, layer in zip(self.weights(), self._network.layers, strict=True)
        ]

    def state(self) -> list[LayerState]:  # type: ignore[override]
        """Return what the next window starts from in each layer, except the weights."""
        self._require_open()
        return list(self._states())

    def counters(self) -> dict[str, int]:
        """Return the sums of the counters of all layers since the reset.

        They are keyed by `bitlif.sim.backends.network_result.NETWORK_COUNTERS`.
        """
        own = self.layer_counters()
        return {
            name: sum(counted[name] for counted in own)
            for name in NETWORK_COUNTERS
            if all(name in counted for counted in own)
        }

    def layer_counters(self) -> tuple[dict[str, int], ...]:
        """Return the counters of each layer since the reset.

        Like those of a layer, they saturate at 2**32 - 1, except ``synaptic_events``.
        """
        self._require_open()
        return tuple(
            {
                name: count if name == "synaptic_events" else min(count, COUNTER_STOPPED)
                for name, count in counted.items()
            }
            for counted in self._layer_counters()
        )

    def layer_signatures(self) -> tuple[int, ...] | None:
        """Return the signature of each layer; None for the float twin.

        `bitlif.sim.backends.network_result.network_signature` makes that of the network of them.
        """
        self._require_open()
        return self._layer_signatures()

    def sweep_lfsr(self) -> tuple[tuple[int, ...], ...]:
        """Return the states of the sweep's LFSRs of each layer; () where none is used.

        They are used in layers that are learned with stochastic rounding.
        """
        self._require_open()
        return self._sweep_lfsr()

    def _update_lfsr(self, number: int, shown: tuple[int, ...]) -> tuple[int, ...]:
        """Return the update LFSRs of a layer, of which gates show `shown`.

        A layer that is not learned has none in gates: they would stay as they are.
        """
        config = self._built.layers[number].config
        if shown or not self._learning or not config.learning.random_bits:
            return shown
        streams = config.learning.lfsr.registers(config.layer.lanes)[0]
        return tuple(one.state for one in streams)

    def _rounds(self, number: int) -> bool:
        """Return whether the sweep of a layer uses LFSRs."""
        learned = self._learning and number >= self._network.learned_from
        return learned and self._network.layers[number].sweep.rounding == "stochastic"

    def _stopped_counters(self, counters: dict[str, int]) -> tuple[str, ...]:
        largest = {
            name: max(counted[name] for counted in self.layer_counters())
            for name in counters
            if name != "synaptic_events"
        }
        return super()._stopped_counters(
            {name: COUNTER_STOPPED for name, count in largest.items() if count >= COUNTER_STOPPED}
        )

    def _state(self) -> LayerState:
        last: LayerState = self._states()[-1]
        return last

    def _counters(self) -> dict[str, int]:
        return self.counters()

    @abstractmethod
    def _states(self) -> list[LayerState]: ...

    @abstractmethod
    def _layer_counters(self) -> tuple[dict[str, int], ...]: ...

    @abstractmethod
    def _layer_signatures(self) -> tuple[int, ...] | None: ...

    @abstractmethod
    def _sweep_lfsr(self) -> tuple[tuple[int, ...], ...]: ...

    def phase(self) -> int:
        """Return the index of the phase of the last layer's schedule for the next window."""
        return self.state()[-1].phase


def layer_key(number: int, name: str) -> str:
    """Return the name of an array of one layer: ``"layer.0.weights"``."""
    return f"layer.{number}.{name}"
