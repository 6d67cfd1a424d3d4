"""Compiled gates of a network as backends: RTL, and netlists of FPGA cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.host_port import phase_layout
from bitlif.hdl.loadable import network_rows, phase_rows
from bitlif.hdl.memories import packed
from bitlif.hdl.network_port import swept_phase_layout
from bitlif.model.clocks import ERRORS
from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.model.gate_sizes import UPDATE, gate_sizes
from bitlif.model.network_clocks import window_clocks
from bitlif.model.network_result import NetworkResult
from bitlif.model.result import LayerState, Result
from bitlif.sim.compiled.bit_packing import from_integers, pack

from .compiled_gates import CALL_CLOCKS, SLACK, CompiledGates, Notes, Ran
from .network_core import NETWORK_RECORDS, NetworkCore, layer_key
from .network_result import (
    NETWORK_COUNTERS,
    LayerStepResult,
    NetworkStepResult,
    network_signature,
)
from .result import Tally

SWEPT = ("adjoints", "gradient")
"""Records of a whole window."""


class NetworkGateCore(NetworkCore):
    """A network of compiled gates in this process.

    RTL is checked against the formula of clock cycles in every window that `run` runs: a core that
    takes others raises until it is reset. A netlist shows only its ports, from which the formula
    cannot be computed.

    Parameters
    ----------
    network : NetworkConfig
    backend : str
        ``"rtl"``, ``"netlist:ice40"`` or ``"netlist:ecp5"``.
    learning : bool
    verilog : str or None
        The core's Verilog; None: generated from the configuration. Used to inject faults.

    Attributes
    ----------
    checks_clocks : bool
        Whether other clock cycles are an error; True for RTL. A bench that compares them with all
        other values, which a fault may change first, sets it to False.

    Raises
    ------
    BitlifError
        If the gates cannot learn the network, or the core cannot be built
        (`bitlif.sim.compiled.build.library`).
    """

    counts_clocks = True

    def __init__(
        self,
        network: NetworkConfig,
        backend: str,
        *,
        learning: bool = True,
        verilog: str | None = None,
    ) -> None:
        super().__init__(network, learning=learning)
        self.backend = backend
        self._gates = CompiledGates(
            network, backend, learning=learning, verilog=verilog, max_clocks=self._max_clocks()
        )
        self._probed = bool(self._gates.design.probes)
        self.checks_clocks = self._probed
        self._adds_up = all(
            own.sweep.update == "window" for own in network.layers[network.learned_from :]
        )
        names = [name for name in NETWORK_RECORDS if self._adds_up or name != "gradient"]
        self.records = tuple(names) if self._probed else ()
        self._load(network.initial_weights())

    def _max_clocks(self, events: int = 0, *, learn: bool = True) -> int:
        """Return an upper bound on the clock cycles of a step with `events`, and of a sweep."""
        work = 0
        for number, own in enumerate(self._built.layers):
            sizes = gate_sizes(own.config)
            sent = events if not number else sizes.inputs
            work += (sent + 4) * sizes.rows + sizes.slots + sizes.neurons + ERRORS
            synapses = sizes.inputs * sizes.slots
            if learn and self._learning:
                step = 2 * sizes.inputs * max(sizes.rows, sizes.slots) + 3 * sizes.slots
                work += own.config.window.steps * (step + 2 * sizes.inputs + SLACK)
                work += 2 * synapses + UPDATE
            work += own.config.window.steps * sizes.inputs + synapses  # clearing after a reset
        return 2 * work + SLACK

    def fresh(self) -> NetworkGateCore:
        """Return a new core of the same gates; see `Core.fresh`."""
        verilog = self._gates.verilog
        core = NetworkGateCore(self._built, self.backend, learning=self._learning, verilog=verilog)
        if self._network != self._built:
            core.load_tables(self._network)
            core.load(self._network.initial_weights())
        return core

    # -- loading -----------------------------------------------------------------------------

    def _load(self, weights: Any) -> None:
        for number, own in enumerate(weights):
            self._gates.load_weights(number, own)

    def _load_tables(self) -> None:
        built, network = self._built, self._network
        for number, own in enumerate(built.layers):
            if self._learning:
                layout = swept_phase_layout(built, number)
                rows = network_rows(built, network, number)
            else:
                layout = phase_layout(own.config)
                rows = phase_rows(own.config, network.layers[number].config)
            schedule = from_integers(packed(layout, rows), layout.size)
            self._gates.write(f"host_{number}_schedule", schedule)
        if self._learning:
            last = len(built.layers) - 1
            columns = np.array(network.derived(last).table, np.int64)
            bits = built.layers[last].config.error.entry.bits
            self._gates.write(f"host_{last}_entry", pack(columns.T, bits))

    def _reset(self) -> None:
        self._gates.reset(self._max_clocks())

    # -- running -----------------------------------------------------------------------------

    def _windows_at_once(self, events: Events) -> int:
        mean = -(-events.count // (events.windows * events.steps))
        steps = events.steps * self._max_clocks(mean, learn=False)
        clocks = steps + self._max_clocks()
        return min(super()._windows_at_once(events), max(1, CALL_CLOCKS // clocks))

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        windows, steps = events.windows, events.steps
        needed = ("spikes", "membrane", "adjoints") if learn else ("spikes",)
        wanted = dict.fromkeys((*needed, *record) if self._probed else ())
        most = int(np.diff(events.pointers).max())
        ran = self._gates.run(
            events, self._gates.target_rows((windows, steps), targets, learn), learn=learn,
            record=self._places(list(wanted)), max_clocks=self._max_clocks(most, learn=learn),
            operations=lambda notes: self._operations(events.count, notes, windows, None),
        )  # fmt: skip
        layers = [
            {name: self._values(number, name, ran.notes, windows) for name in wanted}
            for number in range(len(self._network.layers))
        ]
        signed = np.zeros((0, steps), np.int64)
        if self.checks_clocks:
            self._check_clocks(events, ran, layers, learn)
        if self._probed:
            signed = network_signature(list(ran.digests))
        arrays: dict[str, NDArray[Any]] = {
            "step_signatures": signed, "window_clocks": ran.window_clocks,
            "step_clocks": np.zeros((0, steps), np.int64),
        }  # fmt: skip
        for number, own in enumerate(layers):
            arrays[layer_key(number, "raster")] = self._raster(number, own, ran)
            for name in record:
                if name != "errors" or own[name].size:
                    arrays[layer_key(number, name)] = own[name]
        return arrays

    def _places(self, names: Sequence[str]) -> list[str]:
        """Return the probes of all layers for these records."""
        keys = [layer_key(k, name) for k in range(len(self._network.layers)) for name in names]
        return [key for key in keys if key in self._gates.design.probes]

    def _values(
        self, number: int, name: str, notes: Notes, windows: int, steps: int | None = None
    ) -> NDArray[np.int64]:
        """Return the values of a record of a layer; zeros of noise or a sweep it does not have."""
        key = layer_key(number, name)
        if key in notes:
            return self._gates.arranged(key, notes[key], windows, steps)
        sizes = self._network.layers[number].config.layer
        shapes = {
            "draws": (windows, steps or self._config.window.steps, sizes.neurons),
            "errors": (0,),
            "adjoints": (windows, self._config.window.steps, sizes.neurons),
            "gradient": (windows, sizes.neurons, sizes.inputs),
        }
        return np.zeros(shapes[name], np.int64)

    def _raster(
        self, number: int, values: dict[str, NDArray[np.int64]], ran: Ran
    ) -> NDArray[np.uint8]:
        """Return the spikes of a layer: those that the core sent, or those inside it."""
        if number == len(self._network.layers) - 1:
            return ran.raster
        if "spikes" in values:
            return values["spikes"].astype(np.uint8)
        steps, neurons = ran.raster.shape[1], self._network.layers[number].config.layer.neurons
        return np.zeros((0, steps, neurons), np.uint8)

    def _operations(
        self, events: int, notes: Notes, windows: int, steps: int | None
    ) -> tuple[int, ...]:
        """Return the synaptic operations of each layer; 0 where nothing shows its input spikes."""
        neurons = [own.config.layer.neurons for own in self._built.layers]
        spikes = [events]
        for number in range(len(neurons) - 1):
            key = layer_key(number, "spikes")
            shown = key in notes
            spikes.append(
                int(self._gates.arranged(key, notes[key], windows, steps).sum()) if shown else 0
            )
        return tuple(count * own for count, own in zip(spikes, neurons, strict=True))

    def _check_clocks(
        self, events: Events, ran: Ran, layers: list[dict[str, NDArray[np.int64]]], learn: bool
    ) -> None:
        """Raise unless each window took the clock cycles of `bitlif.model.network_clocks`."""
        result = NetworkResult(
            tuple(
                Result(own["spikes"].astype(np.uint8), membrane=own.get("membrane"))
                for own in layers
            ),
            adjoints=tuple(own["adjoints"] for own in layers) if learn else (),
        )
        expected = window_clocks(
            self._built, events, result, learn=learn, learning_core=self._learning
        )
        wrong = np.flatnonzero(expected != ran.window_clocks)
        if wrong.size:
            w = int(wrong[0])
            self._gates.fail(
                f"took {ran.window_clocks[w]} clock cycles in window {w} of the run, not "
                f"{expected[w]} as the formula says"
            )

    def _step(
        self,
        addresses: NDArray[np.int32],
        targets: NDArray[Any] | None,
        learn: bool,
        record: tuple[str, ...],
    ) -> NetworkStepResult:
        position, count = self._gates.account().position, len(addresses)
        ended = position + 1 == self._config.window.steps
        shown = [name for name in record if ended or name not in SWEPT]
        ran = self._gates.step(
            addresses, self._gates.target_rows((1, 1), targets, learn), learn=learn,
            record=self._places(["spikes", *shown] if self._probed else []),
            max_clocks=self._max_clocks(count, learn=learn),
            operations=lambda notes: self._operations(count, notes, 1, 1),
        )  # fmt: skip
        last = len(self._network.layers) - 1
        layers = []
        for number in range(last + 1):
            facts = {}
            for name in shown:
                if name != "errors" or number == last:
                    values = self._values(number, name, ran.notes, 1, 1)[0]
                    facts[name] = values if name in SWEPT else values[0]
            spikes = ran.raster[0, 0]
            if number < last:
                spikes = np.zeros(0, np.uint8)
                if self._probed:
                    spikes = self._values(number, "spikes", ran.notes, 1, 1)[0, 0]
            layers.append(LayerStepResult(spikes.astype(np.bool_), position, ended, **facts))
        facts = {name: getattr(layers[-1], name) for name in shown}
        signature = network_signature([int(own) for own in ran.digests[:, 0, 0]])
        return NetworkStepResult(
            layers[-1].spikes, position, ended, None, int(ran.window_clocks[0]) if ended else None,
            signature, **facts, layers=tuple(layers),
        )  # fmt: skip

    def _position(self) -> int:
        return self._gates.position()

    # -- reading -----------------------------------------------------------------------------

    def _weights(self) -> Any:
        return [self._gates.weights(number) for number in range(len(self._built.layers))]

    def _states(self) -> list[LayerState]:
        found, gates = [], self._gates
        for number, own in enumerate(self._built.layers):
            update = gates.lfsr(number, "update", own.config.learning.lfsr)
            found.append(
                LayerState(
                    **gates.variables(number, traces=False),
                    noise_lfsr=gates.lfsr(number, "noise", own.config.noise.lfsr),
                    update_lfsr=self._update_lfsr(number, update),
                    phase=gates.port(f"phase_{number}") if self._learning else 0,
                )
            )
        return found

    def _layer_counters(self) -> tuple[dict[str, int], ...]:
        counted, now = self._gates.counters(), self._gates.account()
        found = []
        for number, operations in enumerate(now.operations):
            own = {name: counted.get(f"{name}_{number}", 0) for name in NETWORK_COUNTERS}
            if number and not self._probed:
                del own["synaptic_events"]
            else:
                own["synaptic_events"] = operations
            found.append(own)
        return tuple(found)

    def _sweep_lfsr(self) -> tuple[tuple[int, ...], ...]:
        return tuple(
            self._gates.lfsr(number, "sweep", own.sweep.lfsr) if self._rounds(number) else ()
            for number, own in enumerate(self._built.layers)
        )

    def _tally(self) -> Tally:
        now = self._gates.account()
        return Tally(now.learned, now.clocks, sum(now.operations))

    def _signature(self) -> int:
        return self._gates.port("digest")

    def _layer_signatures(self) -> tuple[int, ...]:
        return tuple(self._gates.port(f"digest_{k}") for k in range(len(self._built.layers)))

    def _close(self) -> None:
        self._gates.release()
