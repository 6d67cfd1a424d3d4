"""Compiled gates as backends: RTL, and netlists of FPGA cells."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.core_signals import COUNTERS, lfsr_counts
from bitlif.hdl.host_port import phase_layout, state_layout, trace_layout
from bitlif.hdl.loadable import phase_rows
from bitlif.hdl.memories import by_slot, packed
from bitlif.model.clocks import ERRORS
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.gate_sizes import UPDATE, gate_sizes
from bitlif.model.result import RECORDS, LayerState
from bitlif.model.state import state_variables
from bitlif.sim.compiled.bit_packing import Words, from_integers, pack, unpack, words_for
from bitlif.sim.compiled.build import library
from bitlif.sim.compiled.process import release_with
from bitlif.sim.compiled.shell import MEMORIES, READ_PORTS, probe_bits, probes
from bitlif.sim.probes import Observable, arrange, rows_of_window, state_layouts

from .core import Core
from .gate_library import FAILURES, NOT_BEGUN, Counters, Job, Record, StepJob, load_library
from .result import StepResult, Tally

SLACK = 100
"""Clock cycles of tolerance added to what a step or a reset takes."""

FEW = 64
"""Maximum number of targets that are packed faster one by one."""

CALL_CLOCKS = 1 << 20
"""Maximum clock cycles per call, tolerance included: an interrupt is handled when it returns."""


class _Piece(NamedTuple):
    """Windows, or a step, that the driver was given and that are not yet in the account."""

    job: Job
    events: int
    window_clocks: NDArray[np.int64]
    step: bool = False


class _Account(NamedTuple):
    """What the gates have done. Replaced as a whole, so that an interrupt cannot tear it."""

    tally: Tally = Tally()
    piece: _Piece | None = None
    position: int = 0
    """Steps of the current window that have run."""


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
        self._verilog = verilog
        self._probes = probes(config, learning=learning) if backend == "rtl" else {}
        self.records = tuple(name for name in RECORDS if name in self._probes)
        path = library(config, backend, learning=learning, verilog=verilog)
        self._calls = load_library(path)
        self._account, self._step_job = _Account(), StepJob(config, len(self._probes))
        self._broken = ""
        self._handle = self._calls.bitlif_open(self._max_clocks())
        if not self._handle:
            self._open = False
            raise BitlifError(f"the core ({backend}) does not come out of its reset")
        if gate_sizes(config).single_weights:
            # Undefined at power-up: no bitstream initialises them.
            self._load(np.zeros((config.layer.inputs, config.layer.neurons), np.int64))
        # Called once: by `close`, or when the core is garbage collected.
        self._release = release_with(self, self._calls.bitlif_close, self._handle)

    def _max_clocks(self, events: int = 0) -> int:
        """Return an upper bound on the clock cycles of a step with `events`, and of an update."""
        sizes = self._built.layer
        synapses, entries = sizes.inputs * sizes.slots, self._built.error.entries
        work = (events + 4) * sizes.slots + 2 * synapses + sizes.neurons + sizes.inputs + entries
        return 2 * work + 4 * (ERRORS + UPDATE) + SLACK

    def fresh(self) -> GateCore:
        """Return a new core of the same gates; see `Core.fresh`."""
        core = GateCore(self._built, self.backend, learning=self._learning, verilog=self._verilog)
        if self._config != self._built:
            core.load_tables(self._config)
        return core

    # -- loading -----------------------------------------------------------------------------

    def _load(self, weights: NDArray[Any]) -> None:
        sizes, bits = self._built.layer, self._built.synapse.weight.bits
        rows = pack(by_slot(self._built, weights).reshape(-1, sizes.lanes), bits)
        self._write("weights", rows, gate_sizes(self._built).addresses_in_order())

    def _load_tables(self) -> None:
        layout = phase_layout(self._built)
        rows = packed(layout, phase_rows(self._built, self._config))
        self._write("schedule", from_integers(rows, layout.size))
        if self._learning:
            columns = np.array(derive(self._config).table, np.int64)
            self._write("entry", pack(columns.T, self._built.error.entry.bits))

    def _write(self, memory: str, rows: Words, addresses: Sequence[int] | None = None) -> None:
        """Write rows to a memory at these addresses; None: from 0 on."""
        self._require_sound()
        places = np.array(range(len(rows)) if addresses is None else addresses, np.int64)
        self._calls.bitlif_write(
            self._handle, MEMORIES.index(memory), len(rows), places.ctypes.data, rows.shape[1],
            rows.ctypes.data,
        )  # fmt: skip

    def _reset(self) -> None:
        self._broken = "was interrupted in its reset"
        self._account = _Account()
        if self._calls.bitlif_reset(self._handle, self._max_clocks()):
            self._broken = "does not come out of its reset"
            self._require_sound()
        self._broken = ""

    # -- running -----------------------------------------------------------------------------

    def _windows_at_once(self, events: Events) -> int:
        mean = -(-events.count // (events.windows * events.steps))
        clocks = self._max_clocks(mean) * events.steps
        return min(super()._windows_at_once(events), max(1, CALL_CLOCKS // clocks))

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        self._require_sound()
        config, windows, steps = self._built, events.windows, events.steps
        raster = np.zeros((windows, steps, config.layer.neurons), np.uint8)
        step_clocks, digests = (np.zeros((windows, steps), np.int64) for _ in range(2))
        window_clocks = np.zeros(windows, np.int64)
        rows = self._targets((windows, steps), targets, learn)
        records = (Record * max(1, len(self._probes)))()
        notes = self._notes(record, windows, records)
        pointers = np.ascontiguousarray(events.pointers, np.int64)
        addresses = np.ascontiguousarray(events.addresses, np.int32)
        most = int(np.diff(pointers).max())
        job = Job(
            windows=windows, pointers=pointers.ctypes.data, addresses=addresses.ctypes.data,
            targets=None if rows is None else rows.ctypes.data,
            target_words=0 if rows is None else rows.shape[1],
            learn=int(learn), max_step_clocks=self._max_clocks(most), raster=raster.ctypes.data,
            step_clocks=step_clocks.ctypes.data, window_clocks=window_clocks.ctypes.data,
            step_digests=digests.ctypes.data, records=ctypes.addressof(records), windows_done=0,
        )  # fmt: skip
        self._account = self._account._replace(piece=_Piece(job, events.count, window_clocks))
        status = self._calls.bitlif_run(self._handle, ctypes.byref(job))
        self._check(status, notes, records, f"window {job.windows_done}")
        found = {name: self._arranged(name, notes[name], windows) for name in record}
        # A netlist does not show when the signature includes all of a step and none of the next.
        signed = digests if self.backend == "rtl" else np.zeros((0, steps), np.int64)
        return {
            "raster": raster, "step_signatures": signed, "step_clocks": step_clocks,
            "window_clocks": window_clocks, **found,
        }  # fmt: skip

    def _step(
        self,
        addresses: NDArray[np.int32],
        targets: NDArray[Any] | None,
        learn: bool,
        record: tuple[str, ...],
    ) -> StepResult:
        self._require_sound()
        config, position = self._built, self._account.position
        ended = position + 1 == config.window.steps
        desk = self._step_job
        rows = self._targets((1, 1), targets, learn)
        job = desk.prepare(addresses, rows, learn, self._max_clocks(len(addresses)))
        shown = tuple(name for name in record if ended or name != "gradient")
        notes = self._notes(shown, 1, desk.records, steps=1)
        self._account = self._account._replace(
            piece=_Piece(job, len(addresses), desk.window_clocks, step=True)
        )
        status = self._calls.bitlif_step(self._handle, ctypes.byref(job))
        self._check(status, notes, desk.records, f"step {position}")
        clocks, whole = desk.clocks, int(desk.window_clocks[0]) if ended else None
        found = {name: self._arranged(name, notes[name], 1, steps=1)[0] for name in shown}
        facts = {name: rows if name == "gradient" else rows[0] for name, rows in found.items()}
        spikes = desk.raster.astype(np.bool_)
        return StepResult(spikes, position, ended, clocks, whole, desk.digest, **facts)

    def _check(
        self, status: int, notes: dict[str, Words], records: ctypes.Array[Record], where: str
    ) -> None:
        """Raise unless the driver has run its job and recorded everything."""
        if status:
            self._broken = f"{FAILURES[status]} in {where} of the run"
        else:
            short = [n for n in notes if records[list(self._probes).index(n)].count < len(notes[n])]
            if short:
                self._broken = f"did not record all of {short[0]}"
        self._require_sound()

    def _position(self) -> int:
        self._settle()
        return 0 if self._broken else self._account.position

    def _targets(
        self, shape: tuple[int, int], targets: NDArray[Any] | None, learn: bool
    ) -> Words | None:
        """Return a row per step and slot, if the core takes targets; shape is (W, T)."""
        if targets is None or not (learn or self._built.membrane.reset == "teacher"):
            return None
        sizes = self._built.layer
        bits = self._built.error.target_bits + 1
        full = targets if shape == (1, 1) else np.broadcast_to(targets, (*shape, sizes.neurons))
        rows = by_slot(self._built, full).reshape(-1, sizes.lanes)
        if rows.size > FEW:
            return pack(rows, bits)
        packed = [sum(v << bits * lane for lane, v in enumerate(row)) for row in rows.tolist()]
        return from_integers(packed, bits * sizes.lanes)

    def _notes(
        self, record: tuple[str, ...], windows: int, records: ctypes.Array[Record],
        steps: int | None = None,
    ) -> dict[str, Words]:  # fmt: skip
        """Return zeroed rows for each record, and let the driver write them."""
        config, notes = self._built, {}
        for name in record:
            probe = self._probes[name]
            rows = windows * rows_of_window(config, probe, steps)
            notes[name] = np.zeros((rows, words_for(probe_bits(config, probe))), np.uint32)
            place = list(self._probes).index(name)
            records[place] = Record(notes[name].ctypes.data, rows, 0)
        return notes

    def _arranged(
        self, name: str, rows: Words, windows: int, steps: int | None = None
    ) -> NDArray[np.int64]:
        probe = self._probes[name]
        values = arrange(self._built, probe, _fields(rows, probe), windows, steps)
        return values.transpose(0, 2, 1) if name == "gradient" else values

    # -- reading -----------------------------------------------------------------------------

    def _weights(self) -> NDArray[np.int64]:
        sizes, bits = self._built.layer, self._built.synapse.weight.bits
        addresses = gate_sizes(self._built).addresses_in_order()
        rows = self._read("host_weights", addresses, sizes.lanes * bits)
        fields = unpack(rows, bits, sizes.lanes, signed=True)
        return fields.reshape(sizes.inputs, -1)[:, : sizes.neurons]

    def _state(self) -> LayerState:
        config, sizes = self._built, self._built.layer
        found = {
            variable.name: np.zeros(variable.shape(config), np.int64)
            for variable in state_variables("neuron", "input")
        }
        memories = {"state": (sizes.slots, state_layout(config).size)}
        if self._learning:
            memories["trace"] = (sizes.inputs, trace_layout(config).size)
        rows = {
            memory: self._read(f"host_{memory}", range(count), bits)
            for memory, (count, bits) in memories.items()
            if not self._port(f"host_{memory}_blank", 1)
        }
        for name, layout in state_layouts(config, learning=self._learning).items():
            if layout.path in rows:
                fields = _fields(rows[layout.path], layout).reshape(-1)
                found[name] = fields[: found[name].size]
        noise, update = lfsr_counts(config)
        return LayerState(
            **found,
            noise_lfsr=self._lfsrs("noise", noise, config.noise.lfsr.width),
            update_lfsr=(
                self._lfsrs("update", update, config.learning.lfsr.width) if self._learning else ()
            ),
            phase=self._port("phase", max(1, (len(config.schedule) - 1).bit_length())),
        )

    def _lfsrs(self, name: str, count: int, width: int) -> tuple[int, ...]:
        if not count:
            return ()
        packed_states = self._port(f"host_{name}_lfsr", count * width)
        return tuple((packed_states >> (k * width)) & ((1 << width) - 1) for k in range(count))

    def _counters(self) -> dict[str, int]:
        self._require_sound()
        counters = Counters()
        self._calls.bitlif_counters(self._handle, ctypes.byref(counters))
        counted = {name: int(getattr(counters, name)) for name in COUNTERS}
        return {**counted, "synaptic_events": self._account.tally.synaptic_events}

    def _tally(self) -> Tally:
        self._require_sound()
        return self._account.tally

    def _signature(self) -> int:
        return self._port("digest", 32)

    def _read(self, port: str, addresses: Sequence[int], bits: int) -> Words:
        """Return the rows at some addresses of a host port."""
        self._require_sound()
        places = np.array(addresses, np.int64)
        rows = np.zeros((len(places), words_for(bits)), np.uint32)
        words = self._calls.bitlif_read(
            self._handle, READ_PORTS.index(port), len(places), places.ctypes.data, rows.ctypes.data
        )
        assert words == rows.shape[1], f"{port} has {words} words, not {rows.shape[1]}"
        return rows

    def _port(self, port: str, bits: int) -> int:
        """Return the value of a port as an unsigned integer."""
        self._require_sound()
        words = np.zeros(words_for(bits), np.uint32)
        count = self._calls.bitlif_port(self._handle, READ_PORTS.index(port), words.ctypes.data)
        assert count == words.size, f"{port} has {count} words, not {words.size}"
        return int.from_bytes(words.astype("<u4").tobytes(), "little")

    def _settle(self) -> None:
        """Add what the driver was given last to the account."""
        done, piece, position = self._account
        if piece is None:
            return
        job = piece.job
        if piece.step and job.windows_done == NOT_BEGUN:
            self._account = _Account(done, None, position)
            return
        if job.windows_done < job.windows and not self._broken:
            where = "step" if piece.step else "window"
            self._broken = f"was interrupted in {where} {job.windows_done} of the run"
        ended = not piece.step or position + 1 == self._built.window.steps
        windows = job.windows * ended
        self._account = _Account(
            Tally(
                done.windows_learned + windows * bool(job.learn),
                done.clocks + int(piece.window_clocks.sum()) * ended,
                done.synaptic_events + piece.events * self._built.layer.neurons,
            ),
            None,
            0 if ended else position + 1,
        )

    def _require_sound(self) -> None:
        self._settle()
        if self._broken:
            raise BitlifError(f"the core ({self.backend}) {self._broken}: reset it")

    def _close(self) -> None:
        self._release()


def _fields(rows: Words, seen: Observable) -> NDArray[np.int64]:
    """Return the values in packed rows: (R, count)."""
    return unpack(
        rows, seen.bits, seen.count, offset=seen.offset, stride=seen.stride, signed=seen.signed
    )
