"""The float64 twin of `bitlif.model.network.Network`: the same interface on real numbers.

There are two variants, as of `bitlif.model.floating.layer.FloatLayer`. The *ideal* twin has
Gaussian noise of its own, exact leaks and no saturation; its surrogate derivative is the window of
one bit, or, for more bits, the density of the noise relative to its maximum. The *matched* twin
shares everything but rounding with the integer model: the distribution of the noise, the range of
every format, those of credit and adjoints too, and the span and limit of both tables.

The weights are updated at the end of a window, or spike by spike, as the configuration says. In
exact arithmetic the two differ in two ways only: during a sweep spike by spike, the layer before
gets its credit from weights that later steps have already changed; and where weights saturate, they
do so at each spike instead of once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.base_layer import Kept
from bitlif.model.checks import (
    Spikes,
    check_events,
    check_real_targets,
    check_real_weights,
    require_learnable_network,
    require_no_targets,
)
from bitlif.model.config.network import NetworkConfig
from bitlif.model.display import one_line
from bitlif.model.engine.compile import compiled
from bitlif.model.errors import (
    BitlifError,
    BitlifTypeError,
    require_bool,
    require_int,
)
from bitlif.model.files.save_file import Arrays
from bitlif.model.network import padded
from bitlif.model.result import LayerState, check_records
from bitlif.model.state import state_variables
from bitlif.model.text import quoted

from .network_part import FloatNetworkPart
from .network_result import (
    FLOAT_NETWORK_RECORDS,
    SWEEP_RECORDS,
    FloatNetworkResult,
    network_result,
)
from .network_snapshot import FloatNetworkSnapshot
from .network_step import FloatParts, run_float_network
from .snapshot import FloatSnapshot

Reals = NDArray[np.float64]

Forced = Sequence[NDArray[Any] | None] | None
"""Arrays of the layers that replace what the twin would compute; None: it computes them."""

_CARRIED = tuple(own.name for own in state_variables("neuron", "input"))

PIECE_WORK = 1 << 26
"""Products between two checks for an interrupt: about 0.1 s."""


class FloatNetwork(Kept[FloatNetworkSnapshot]):
    """A network in float64 that runs and learns windows like `Network`, on real numbers.

    It starts with the weights of `NetworkConfig.initial_weights`, as real numbers.

    Parameters
    ----------
    config : NetworkConfig
    seed : int
        Seed of the noise that is used if no draws are passed, 0 ..= 2**63 - 1. Each layer has a
        stream of its own.
    matched : bool
        Whether this is the matched twin rather than the ideal one; see the module's docstring.
    gated : bool
        Whether a reset cuts the way back in hidden layers, as in the contract. False is for
        comparisons only.

    Raises
    ------
    BitlifError
        If an argument has the wrong type or is out of range.

    Notes
    -----
    Networks can be pickled and copied at any moment; copies continue to the bit, noise included.
    After an interrupt or an error, the state is that after a whole number of windows.

    Examples
    --------
    >>> from bitlif.model.events import Events
    >>> network = FloatNetwork(NetworkConfig.load("tiny"))
    >>> spikes = Events.from_times([0, 1], [0, 1], steps=16, units=6)
    >>> network.run(spikes).output.raster.shape
    (1, 16, 4)
    """

    _snapshot_type = FloatNetworkSnapshot
    _config: NetworkConfig

    def __init__(
        self, config: NetworkConfig, *, seed: int = 0, matched: bool = False, gated: bool = True
    ) -> None:
        if not isinstance(config, NetworkConfig):
            raise BitlifTypeError(f"config must be a NetworkConfig, not {quoted(config)}")
        self._config = config
        self._seed = require_int("seed", seed, 0, (1 << 63) - 1)
        self._matched = require_bool("matched", matched)
        self._gated = require_bool("gated", gated)
        self._parts = [
            FloatNetworkPart(
                config, number, seed=self._seed, matched=self._matched, gated=self._gated
            )
            for number in range(len(config.layers))
        ]
        # The complete state, only ever replaced as a whole.
        self._now = self._fresh()
        self.load(
            [
                raw * float(own.config.synapse.weight.lsb)
                for raw, own in zip(config.initial_weights(), config.layers, strict=True)
            ]
        )

    def _fresh(self) -> FloatNetworkSnapshot:
        return FloatNetworkSnapshot(tuple(part.fresh for part in self._parts))

    @property
    def config(self) -> NetworkConfig:
        """The configuration."""
        return self._config

    @property
    def windows_learned(self) -> int:
        """Windows learned since the reset."""
        return self._now.learned

    @property
    def phases(self) -> tuple[int, ...]:
        """Index of the phase of each layer's schedule that the next window runs in."""
        return tuple(part.phase(self.windows_learned) for part in self._parts)

    def weights(self) -> list[Reals]:
        """Return copies of the weights of all layers: (N, M) float64 each."""
        return [own.weights.copy() for own in self._now.layers]

    def states(self) -> list[LayerState]:
        """Return a copy of the state of each layer before the next window.

        It has no LFSRs, and the traces stay 0: the sweep has none.
        """
        return [
            LayerState(
                **{name: getattr(own, name).copy() for name in _CARRIED},
                noise_lfsr=(),
                update_lfsr=(),
                phase=part.phase(own.learned),
            )
            for part, own in zip(self._parts, self._now.layers, strict=True)
        ]

    def load(self, weights: Sequence[NDArray[Any]]) -> None:
        """Set the weights of all layers: a list of finite real numbers, (N, M) each.

        Raises
        ------
        BitlifError
            If the number of arrays, a shape or dtype is wrong, or a weight is infinite or NaN:
            nothing changes then.

        Warns
        -----
        BitlifWarning
            If the weights of a layer are integers outside its weight format.
        """
        if len(weights) != len(self._parts):
            raise BitlifError(
                f"weights must be a list of {len(self._parts)} arrays, one per layer, "
                f"not of {len(weights)}"
            )
        checked = [
            check_real_weights(part.config, own)
            for part, own in zip(self._parts, weights, strict=True)
        ]
        self._now = FloatNetworkSnapshot(
            tuple(
                now._replace(weights=own)
                for now, own in zip(self._now.layers, checked, strict=True)
            )
        )

    def reset(self) -> None:
        """Reset states, noise and schedules to their initial values; keep the weights."""
        self._now = FloatNetworkSnapshot(
            tuple(
                new._replace(weights=old.weights)
                for new, old in zip(self._fresh().layers, self._now.layers, strict=True)
            )
        )

    # -- files and copies --------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """Kind of the files that `save` writes; it includes the seed, which decides the noise."""
        variant = "matched" if self._matched else "ideal"
        return f"{variant} float twin of a network of seed {self._seed}"

    def to_arrays(self) -> Arrays:
        """Return the complete state as arrays, named ``"layer.0.weights"`` and so on."""
        return self._now.to_arrays()

    def from_arrays(self, arrays: Arrays) -> FloatNetworkSnapshot:
        """Return the snapshot that arrays of `to_arrays` describe; see `Kept.from_arrays`."""
        return self._fresh().from_arrays(arrays)

    def _arguments(self) -> dict[str, Any]:
        return {"seed": self._seed, "matched": self._matched, "gated": self._gated}

    def __repr__(self) -> str:
        variant = "matched" if self._matched else "ideal"
        facts = {**self._config.facts(), "windows learned": self.windows_learned}
        return one_line(type(self).__name__, {**facts, "variant": variant, "seed": self._seed})

    # -- running -----------------------------------------------------------------------------

    def run(
        self,
        events: Spikes,
        targets: NDArray[Any] | None = None,
        *,
        record: Sequence[str] = (),
        draws: Forced = None,
        spikes: Forced = None,
        derivatives: Forced = None,
    ) -> FloatNetworkResult:
        """Run windows through all layers without changing a weight.

        Parameters
        ----------
        events : Events or Result
            W windows of input spikes of the first layer.
        targets : (W, M) or (W, T, M) float, or None
            Target spike probabilities of the last layer in 0 ..= 1; or labels, (W,). Required for
            a teacher's reset, and to record a signal of the sweep.
        record : sequence of str
            Signals of all layers: ``"current"``, ``"membrane"``, ``"draws"``. Of a sweep, which
            they cause: ``"errors"`` (last layer), ``"credits"`` (hidden layers),
            ``"adjoint_membranes"``, ``"adjoints"``, ``"gradients"``.
        draws : sequence of (W, T, M) float or None
            Noise of each layer in sigma, for instance that of the integer model. By default the
            twin draws Gaussian noise.
        spikes : sequence of (W, T, M) uint8 or None
            Spikes of each layer, to follow another run. They reset the layer (unless the teacher
            does), cut its sweep, and are the input of the next layer. The result's raster is that
            of the spikes which the twin would have fired.
        derivatives : sequence of (W, T, M) float or None
            Surrogate derivatives of each layer, to follow another run; see
            `bitlif.model.floating.following`. The last layer has none.

        Returns
        -------
        FloatNetworkResult

        Raises
        ------
        BitlifError
            If an argument has the wrong type, shape or range, or required targets are missing.
        """
        wanted = check_records(record, FLOAT_NETWORK_RECORDS)
        return self._run(events, targets, False, wanted, (draws, spikes, derivatives))

    def learn(
        self,
        events: Spikes,
        targets: NDArray[Any],
        *,
        record: Sequence[str] = (),
        draws: Forced = None,
        spikes: Forced = None,
        derivatives: Forced = None,
    ) -> FloatNetworkResult:
        """Run windows one after another, and learn from each by a backward sweep.

        Parameters, return value and errors are those of `run`. The gradient of a layer that is
        updated spike by spike is zero, as in the integer model.
        """
        wanted = check_records(record, FLOAT_NETWORK_RECORDS)
        return self._run(events, targets, True, wanted, (draws, spikes, derivatives))

    def _run(
        self,
        given: Spikes,
        targets: NDArray[Any] | None,
        learn: bool,
        wanted: tuple[str, ...],
        forced: tuple[Forced, Forced, Forced],
    ) -> FloatNetworkResult:
        events = check_events(self._parts[0].config, given)
        windows, steps = events.windows, events.steps
        sweeps = learn or not set(wanted).isdisjoint(SWEEP_RECORDS)
        levels = self._targets(targets, windows, needed=sweeps)
        draws, spikes, derivatives = (
            self._forced(name, arrays, windows, kind)
            for name, arrays, kind in zip(
                ("draws", "spikes", "derivatives"), forced, (np.float64, np.uint8, np.float64),
                strict=True,
            )
        )  # fmt: skip
        records = tuple(part.records(windows, wanted) for part in self._parts)
        shown = [
            np.zeros((windows, *own.raster.shape[1:])) if "draws" in wanted else None
            for own in records
        ]
        counters = np.zeros((len(self._parts), 2), np.int64)
        clear = self._parts[0].config.window.cleared[:2]
        first = 0
        while first < windows:
            # An interrupt is handled between two pieces, each of a whole number of windows.
            last = self._piece_end(first, windows, learn)
            layers: list[FloatSnapshot] = []
            parts: list[FloatParts] = []
            for number, part in enumerate(self._parts):
                own = self._now.layers[number].copied()
                noise = draws[number][first:last]
                if not draws[number].size:
                    noise = np.empty((last - first, *records[number].raster.shape[1:]))
                    own = own._replace(random=part.draw(own.random, noise))
                if (place := shown[number]) is not None:
                    place[first:last] = noise
                parts.append(part.parts(own, noise, spikes[number], derivatives[number]))
                layers.append(own._replace(learned=own.learned + (last - first) * learn))
            compiled(run_float_network)(
                first, last, 0, steps, sweeps, learn, len(parts), events.pointers,
                events.addresses, levels, levels[:0], padded(parts), padded(records), clear,
            )  # fmt: skip
            self._now = FloatNetworkSnapshot(tuple(layers))
            counters += [own.sweep.counters for own in parts]
            first = last
        passed = [
            own if own.size else layer.raster for own, layer in zip(spikes, records, strict=True)
        ]
        inputs = [events.count, *(int(own.sum()) for own in passed[:-1])]
        return network_result(records, shown, inputs, counters if sweeps else None, wanted)

    def _targets(self, targets: NDArray[Any] | None, windows: int, *, needed: bool) -> Reals:
        """Return checked real targets, an empty array if there are none."""
        last = self._parts[-1].config
        if needed:
            require_learnable_network(self._config)
        if targets is None:
            require_no_targets(last, needed=needed)
            return np.zeros((0, 1, last.layer.neurons))
        return check_real_targets(last, targets, windows)

    def _forced(self, name: str, given: Forced, windows: int, kind: Any) -> list[NDArray[Any]]:
        """Return arrays of all layers, empty ones where the twin computes them itself."""
        arrays: list[Any] = [None] * len(self._parts) if given is None else list(given)
        if len(arrays) != len(self._parts):
            raise BitlifError(
                f"{name} must be a list of {len(self._parts)} arrays, one per layer, "
                f"not of {len(arrays)}"
            )
        found: list[NDArray[Any]] = []
        for number, (part, array) in enumerate(zip(self._parts, arrays, strict=True)):
            sizes = (windows, part.config.window.steps, part.config.layer.neurons)
            if array is not None and np.shape(array) != sizes:
                raise BitlifTypeError(
                    f"{name}[{number}] must be of shape {sizes}, not {np.shape(array)}"
                )
            if array is None:
                array = np.zeros((0, *sizes[1:]), kind)
            found.append(np.ascontiguousarray(array, kind))
        return found

    def _piece_end(self, first: int, windows: int, learn: bool) -> int:
        """Return the end of a piece that takes about 0.1 s at most and ends with a phase."""
        work = self._parts[0].config.window.steps * sum(
            part.config.layer.inputs * part.config.layer.neurons for part in self._parts
        )
        last = min(windows, first + max(1, PIECE_WORK // work))
        for part, own in zip(self._parts, self._now.layers, strict=True):
            for end in part.phase_ends:
                if learn and own.learned < end:
                    last = min(last, first + end - own.learned)
        return last
