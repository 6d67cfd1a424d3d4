"""Compiled gates of a layer as backends: RTL, and netlists of FPGA cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.host_port import phase_layout
from bitlif.hdl.loadable import phase_rows
from bitlif.hdl.memories import packed
from bitlif.model.clocks import ERRORS
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.events import Events
from bitlif.model.gate_sizes import UPDATE, gate_sizes
from bitlif.model.result import RECORDS, LayerState
from bitlif.sim.compiled.bit_packing import from_integers, pack

from .compiled_gates import CALL_CLOCKS, SLACK, CompiledGates, Notes
from .core import Core
from .result import StepResult, Tally


class GateCore(Core):
    """A core of compiled gates in this process.

    Parameters
    ----------
    config : Config
    backend : str
        ``"rtl"``, ``"netlist:ice40"`` or ``"netlist:ecp5"``.
    learning : bool
    verilog : str or None
        The core's Verilog; None: generated from the configuration. Used to inject faults.

    Raises
    ------
    BitlifError
        If the core cannot be built (`bitlif.sim.compiled.build.library`).
    """

    def __init__(
        self,
        config: Config,
        backend: str,
        *,
        learning: bool = True,
        verilog: str | None = None,
    ) -> None:
        super().__init__(config, learning=learning)
        self.backend = backend
        self._gates = CompiledGates(
            config, backend, learning=learning, verilog=verilog, max_clocks=self._max_clocks()
        )
        self.records = tuple(name for name in RECORDS if name in self._gates.design.probes)
        if gate_sizes(config).single_weights:
            # Undefined at power-up: no bitstream initialises them.
            self._load(np.zeros((config.layer.inputs, config.layer.neurons), np.int64))

    def _max_clocks(self, events: int = 0) -> int:
        """Return an upper bound on the clock cycles of a step with `events`, and of an update."""
        sizes = self._built.layer
        synapses, entries = sizes.inputs * sizes.slots, self._built.error.entries
        work = (events + 4) * sizes.slots + 2 * synapses + sizes.neurons + sizes.inputs + entries
        return 2 * work + 4 * (ERRORS + UPDATE) + SLACK

    def fresh(self) -> GateCore:
        """Return a new core of the same gates; see `Core.fresh`."""
        verilog = self._gates.verilog
        core = GateCore(self._built, self.backend, learning=self._learning, verilog=verilog)
        if self._config != self._built:
            core.load_tables(self._config)
        return core

    # -- loading -----------------------------------------------------------------------------

    def _load(self, weights: NDArray[Any]) -> None:
        self._gates.load_weights(0, weights)

    def _load_tables(self) -> None:
        layout = phase_layout(self._built)
        rows = packed(layout, phase_rows(self._built, self._config))
        self._gates.write("host_schedule", from_integers(rows, layout.size))
        if self._learning:
            columns = np.array(derive(self._config).table, np.int64)
            self._gates.write("host_entry", pack(columns.T, self._built.error.entry.bits))

    def _reset(self) -> None:
        self._gates.reset(self._max_clocks())

    # -- running -----------------------------------------------------------------------------

    def _windows_at_once(self, events: Events) -> int:
        mean = -(-events.count // (events.windows * events.steps))
        clocks = self._max_clocks(mean) * events.steps
        return min(super()._windows_at_once(events), max(1, CALL_CLOCKS // clocks))

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        windows, steps = events.windows, events.steps
        ran = self._gates.run(
            events, self._gates.target_rows((windows, steps), targets, learn), learn=learn,
            record=record, max_clocks=self._max_clocks(int(np.diff(events.pointers).max())),
            operations=lambda notes: (events.count * self._built.layer.neurons,),
        )  # fmt: skip
        found = {name: self._gates.arranged(name, ran.notes[name], windows) for name in record}
        # A netlist does not show when the signature includes all of a step and none of the next.
        signed = ran.digests[0] if self.backend == "rtl" else np.zeros((0, steps), np.int64)
        return {
            "raster": ran.raster, "step_signatures": signed, "step_clocks": ran.step_clocks,
            "window_clocks": ran.window_clocks, **found,
        }  # fmt: skip

    def _step(
        self,
        addresses: NDArray[np.int32],
        targets: NDArray[Any] | None,
        learn: bool,
        record: tuple[str, ...],
    ) -> StepResult:
        position, count = self._gates.account().position, len(addresses)
        ended = position + 1 == self._built.window.steps
        shown = tuple(name for name in record if ended or name != "gradient")

        def operations(notes: Notes) -> tuple[int, ...]:
            return (count * self._built.layer.neurons,)

        ran = self._gates.step(
            addresses, self._gates.target_rows((1, 1), targets, learn), learn=learn,
            record=shown, max_clocks=self._max_clocks(count), operations=operations,
        )  # fmt: skip
        found = {name: self._gates.arranged(name, ran.notes[name], 1, 1)[0] for name in shown}
        facts = {name: rows if name == "gradient" else rows[0] for name, rows in found.items()}
        return StepResult(
            ran.raster[0, 0].astype(np.bool_), position, ended, int(ran.step_clocks[0, 0]),
            int(ran.window_clocks[0]) if ended else None, int(ran.digests[0, 0, 0]), **facts,
        )  # fmt: skip

    def _position(self) -> int:
        return self._gates.position()

    # -- reading -----------------------------------------------------------------------------

    def _weights(self) -> NDArray[np.int64]:
        return self._gates.weights(0)

    def _state(self) -> LayerState:
        config, gates = self._built, self._gates
        return LayerState(
            **gates.variables(0, traces=self._learning),
            noise_lfsr=gates.lfsr(0, "noise", config.noise.lfsr),
            update_lfsr=gates.lfsr(0, "update", config.learning.lfsr),
            phase=gates.port("phase"),
        )

    def _counters(self) -> dict[str, int]:
        counted = self._gates.counters()
        return {**counted, "synaptic_events": self._tally().synaptic_events}

    def _tally(self) -> Tally:
        now = self._gates.account()
        return Tally(now.learned, now.clocks, sum(now.operations))

    def _signature(self) -> int:
        return self._gates.port("digest")

    def _close(self) -> None:
        self._gates.release()
