"""A compiled core in this process: its library, and the account of what it has done."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.memories import by_slot
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.lfsr import LfsrConfig
from bitlif.model.state import state_variables
from bitlif.sim.compiled.bit_packing import Words, from_integers, pack, unpack, words_for
from bitlif.sim.compiled.build import compiled_design, library
from bitlif.sim.compiled.design import Probe
from bitlif.sim.compiled.process import release_with
from bitlif.sim.probes import Observable, arrange, rows_of_window, state_layouts

from .gate_library import FAILURES, NOT_BEGUN, Job, Record, StepJob, load_library

FEW = 64
"""Maximum number of targets that are packed faster one by one."""

SLACK = 100
"""Clock cycles of tolerance added to what a step or a reset takes."""

CALL_CLOCKS = 1 << 20
"""Maximum clock cycles per call, tolerance included: an interrupt is handled when it returns."""

Notes = dict[str, Words]
"""Packed rows of the recorded probes."""

Operations = Callable[[Notes], tuple[int, ...]]
"""Returns the synaptic operations of each layer, from what was recorded."""


class _Piece(NamedTuple):
    """Windows, or a step, that the driver was given and that are not yet in the account."""

    job: Job
    operations: Callable[[], tuple[int, ...]]
    window_clocks: NDArray[np.int64]
    step: bool


class Account(NamedTuple):
    """What the gates have done. Replaced as a whole, so that an interrupt cannot tear it."""

    learned: int
    """windows"""
    clocks: int
    operations: tuple[int, ...]
    """synaptic operations of each layer"""
    piece: _Piece | None = None
    position: int = 0
    """steps of the current window that have run"""


class Ran(NamedTuple):
    """What the driver returns of W windows, or of one step (W = T = 1)."""

    raster: NDArray[np.uint8]
    """(W, T, M)"""
    step_clocks: NDArray[np.int64]
    """(W, T)"""
    window_clocks: NDArray[np.int64]
    """(W,)"""
    digests: NDArray[np.int64]
    """(L, W, T) signature of each layer at the end of each step"""
    notes: Notes


class CompiledGates:
    """A compiled core, driven in whole windows or in steps.

    Parameters
    ----------
    config : Config or NetworkConfig
    backend : str
        ``"rtl"``, or a netlist's.
    learning : bool
    verilog : str or None
        See `bitlif.sim.compiled.build.library`.
    max_clocks : int
        Upper bound on the clock cycles of a reset.

    Raises
    ------
    BitlifError
        If the core cannot be built, or does not come out of its reset.
    """

    def __init__(
        self, config: Config | NetworkConfig, backend: str, *, learning: bool, verilog: str | None,
        max_clocks: int,
    ) -> None:  # fmt: skip
        self.backend, self.verilog = backend, verilog
        self.design = compiled_design(config, backend, learning=learning)
        path = library(config, backend, learning=learning, verilog=verilog)
        self._calls = load_library(path)
        self._steps = self.design.layers[0].config.window.steps
        self._places = {name: place for place, name in enumerate(self.design.probes)}
        self._memories = {name: place for place, name in enumerate(self.design.memories)}
        self._ports = {name: place for place, name in enumerate(self.design.outputs)}
        self._widths = {port.plain: port.bits for port in self.design.ports}
        self._step_job = StepJob(self.design)
        self._account = self._fresh_account()
        self._broken = ""
        self._handle = self._calls.bitlif_open(max_clocks)
        if not self._handle:
            raise BitlifError(f"the core ({backend}) does not come out of its reset")
        # Called once: when the core is closed, or garbage collected.
        self.release = release_with(self, self._calls.bitlif_close, self._handle)

    def _fresh_account(self) -> Account:
        return Account(0, 0, (0,) * len(self.design.layers))

    # -- loading -----------------------------------------------------------------------------

    def write(self, memory: str, rows: Words, addresses: Sequence[int] | None = None) -> None:
        """Write rows to a memory at these addresses; None: from 0 on."""
        self.require_sound()
        places = np.array(range(len(rows)) if addresses is None else addresses, np.int64)
        self._calls.bitlif_write(
            self._handle, self._memories[memory], len(rows), places.ctypes.data, rows.shape[1],
            rows.ctypes.data,
        )  # fmt: skip

    def load_weights(self, layer: int, weights: NDArray[np.int64]) -> None:
        """Write the weights of a layer: (N, M)."""
        own = self.design.layers[layer]
        config, bits = own.config, own.config.synapse.weight.bits
        rows = pack(by_slot(config, weights).reshape(-1, config.layer.lanes), bits)
        self.write(f"{own.host}_weights", rows, gate_sizes(config).addresses_in_order())

    def reset(self, max_clocks: int) -> None:
        """Reset the core."""
        self._broken = "was interrupted in its reset"
        self._account = self._fresh_account()
        if self._calls.bitlif_reset(self._handle, max_clocks):
            self._broken = "does not come out of its reset"
            self.require_sound()
        self._broken = ""

    # -- running -----------------------------------------------------------------------------

    def run(
        self, events: Events, targets: Words | None, *, learn: bool, record: Sequence[str],
        max_clocks: int, operations: Operations,
    ) -> Ran:  # fmt: skip
        """Run windows one after another, and record probes by their names.

        Parameters
        ----------
        events : Events
        targets : Words or None
            A row per step and slot; None: no targets are sent.
        learn : bool
        record : sequence of str
        max_clocks : int
            Clock cycles after which a step counts as stalled.
        operations : callable
        """
        self.require_sound()
        windows, steps, layers = events.windows, events.steps, self.design.layers
        raster = np.zeros((windows, steps, layers[-1].config.layer.neurons), np.uint8)
        step_clocks = np.zeros((windows, steps), np.int64)
        digests = np.zeros((len(layers), windows, steps), np.int64)
        window_clocks = np.zeros(windows, np.int64)
        records = (Record * max(1, len(self.design.probes)))()
        notes = self._notes(record, windows, records)
        pointers = np.ascontiguousarray(events.pointers, np.int64)
        addresses = np.ascontiguousarray(events.addresses, np.int32)
        job = Job(
            windows=windows, steps=windows * steps, pointers=pointers.ctypes.data,
            addresses=addresses.ctypes.data,
            targets=None if targets is None else targets.ctypes.data,
            target_words=0 if targets is None else targets.shape[1],
            learn=int(learn), max_step_clocks=max_clocks, raster=raster.ctypes.data,
            step_clocks=step_clocks.ctypes.data, window_clocks=window_clocks.ctypes.data,
            step_digests=digests.ctypes.data, records=ctypes.addressof(records), windows_done=0,
        )  # fmt: skip
        piece = _Piece(job, lambda: operations(notes), window_clocks, step=False)
        self._account = self._account._replace(piece=piece)
        status = self._calls.bitlif_run(self._handle, ctypes.byref(job))
        self._check(status, notes, records, f"window {job.windows_done}")
        return Ran(raster, step_clocks, window_clocks, digests, notes)

    def step(
        self, addresses: NDArray[np.int32], targets: Words | None, *, learn: bool,
        record: Sequence[str], max_clocks: int, operations: Operations,
    ) -> Ran:  # fmt: skip
        """Run the next step of a window; see `run`. Arrays of the result change with the next."""
        self.require_sound()
        desk = self._step_job
        job = desk.prepare(addresses, targets, learn, max_clocks)
        notes = self._notes(record, 1, desk.records, steps=1)
        where = f"step {self._account.position}"
        piece = _Piece(job, lambda: operations(notes), desk.window_clocks, step=True)
        self._account = self._account._replace(piece=piece)
        status = self._calls.bitlif_step(self._handle, ctypes.byref(job))
        self._check(status, notes, desk.records, where)
        return Ran(desk.raster, desk.step_clocks, desk.window_clocks, desk.digests, notes)

    def target_rows(
        self, shape: tuple[int, int], targets: NDArray[np.int64] | None, learn: bool
    ) -> Words | None:
        """Return a row per step and slot, if the core takes targets; shape is (W, T)."""
        config = self.design.layers[-1].config
        if targets is None or not (learn or config.membrane.reset == "teacher"):
            return None
        sizes, bits = config.layer, config.error.target_bits + 1
        full = targets if shape == (1, 1) else np.broadcast_to(targets, (*shape, sizes.neurons))
        rows = by_slot(config, full).reshape(-1, sizes.lanes)
        if rows.size > FEW:
            return pack(rows, bits)
        packed = [sum(v << bits * lane for lane, v in enumerate(row)) for row in rows.tolist()]
        return from_integers(packed, bits * sizes.lanes)

    def _check(self, status: int, notes: Notes, records: ctypes.Array[Record], where: str) -> None:
        """Raise unless the driver has run its job and recorded everything."""
        if status:
            self._broken = f"{FAILURES[status]} in {where} of the run"
        else:
            short = [n for n in notes if records[self._places[n]].count < len(notes[n])]
            if short:
                self._broken = f"did not record all of {short[0]}"
        self.require_sound()

    def _notes(
        self, record: Sequence[str], windows: int, records: ctypes.Array[Record],
        steps: int | None = None,
    ) -> Notes:  # fmt: skip
        """Return zeroed rows for each record, and let the driver write them."""
        notes = {}
        for name in record:
            probe = self.design.probes[name]
            rows = windows * self._rows(probe, steps)
            notes[name] = np.zeros((rows, words_for(self.design.bits(probe))), np.uint32)
            records[self._places[name]] = Record(notes[name].ctypes.data, rows, 0)
        return notes

    def _rows(self, probe: Probe, steps: int | None) -> int:
        config = self.design.layers[probe.layer].config
        # The sweep of a window is in its last step.
        steps = None if probe.observable.when == "adjoint" else steps
        return rows_of_window(config, probe.observable, steps)

    def arranged(
        self, name: str, rows: Words, windows: int, steps: int | None = None
    ) -> NDArray[np.int64]:
        """Return the values of a record, with the axes of results."""
        probe = self.design.probes[name]
        seen, config = probe.observable, self.design.layers[probe.layer].config
        steps = None if seen.when == "adjoint" else steps
        values = arrange(config, seen, _fields(rows, seen), windows, steps)
        return values.transpose(0, 2, 1) if seen.when == "gradient" else values

    # -- reading -----------------------------------------------------------------------------

    def weights(self, layer: int) -> NDArray[np.int64]:
        """Read the weights of a layer: (N, M)."""
        own = self.design.layers[layer]
        sizes, bits = own.config.layer, own.config.synapse.weight.bits
        addresses = gate_sizes(own.config).addresses_in_order()
        rows = self.read(f"{own.host}_weights", addresses)
        fields = unpack(rows, bits, sizes.lanes, signed=True)
        return fields.reshape(sizes.inputs, -1)[:, : sizes.neurons]

    def variables(self, layer: int, *, traces: bool) -> dict[str, NDArray[np.int64]]:
        """Read the state variables of a layer, by their names; zero where the core marks them so.

        Parameters
        ----------
        layer : int
        traces : bool
            Whether the core has traces.
        """
        own = self.design.layers[layer]
        config, sizes = own.config, own.config.layer
        kinds = ("neuron", "input")
        found = {v.name: np.zeros(v.shape(config), np.int64) for v in state_variables(*kinds)}
        counts = {"state": sizes.slots} | ({"trace": sizes.inputs} if traces else {})
        rows = {
            memory: self.read(f"{own.host}_{memory}", range(count))
            for memory, count in counts.items()
            if not self.port(f"{own.host}_{memory}_blank")
        }
        for name, layout in state_layouts(config, learning=traces).items():
            if layout.path in rows:
                fields = _fields(rows[layout.path], layout).reshape(-1)
                found[name] = fields[: found[name].size]
        return found

    def lfsr(self, layer: int, name: str, source: LfsrConfig) -> tuple[int, ...]:
        """Read the states of the LFSRs of a layer for one purpose; () if it has none."""
        port = f"{self.design.layers[layer].host}_{name}_lfsr"
        if port not in self._ports:
            return ()
        states, width = self.port(port), source.width
        count = self._widths[port] // width
        return tuple((states >> (k * width)) & ((1 << width) - 1) for k in range(count))

    def counters(self) -> dict[str, int]:
        """Read the counters, by the names of their ports."""
        self.require_sound()
        values = (ctypes.c_uint32 * len(self.design.counters))()
        self._calls.bitlif_counters(self._handle, ctypes.byref(values))
        return dict(zip(self.design.counters, values, strict=True))

    def read(self, port: str, addresses: Sequence[int]) -> Words:
        """Return the rows at some addresses of a host port."""
        self.require_sound()
        places = np.array(addresses, np.int64)
        rows = np.zeros((len(places), words_for(self._widths[port])), np.uint32)
        words = self._calls.bitlif_read(
            self._handle, self._ports[port], len(places), places.ctypes.data, rows.ctypes.data
        )
        assert words == rows.shape[1], f"{port} has {words} words, not {rows.shape[1]}"
        return rows

    def port(self, port: str) -> int:
        """Return the value of an output as an unsigned integer."""
        self.require_sound()
        words = np.zeros(words_for(self._widths[port]), np.uint32)
        count = self._calls.bitlif_port(self._handle, self._ports[port], words.ctypes.data)
        assert count == words.size, f"{port} has {count} words, not {words.size}"
        return int.from_bytes(words.astype("<u4").tobytes(), "little")

    # -- the account -------------------------------------------------------------------------

    def account(self) -> Account:
        """Return what the core has done; raise if it is not sound."""
        self.require_sound()
        return self._account

    def position(self) -> int:
        """Return the number of steps that the current window has run; 0 for a core in error."""
        self._settle()
        return 0 if self._broken else self._account.position

    def fail(self, what: str) -> None:
        """Raise, now and until the core is reset; `what` follows its name."""
        self._broken = what
        self.require_sound()

    def require_sound(self) -> None:
        """Raise unless all that the core was given has run."""
        self._settle()
        if self._broken:
            raise BitlifError(f"the core ({self.backend}) {self._broken}: reset it")

    def _settle(self) -> None:
        """Add what the driver was given last to the account."""
        now = self._account
        piece = now.piece
        if piece is None:
            return
        job = piece.job
        if piece.step and job.windows_done == NOT_BEGUN:
            self._account = now._replace(piece=None)
            return
        if job.windows_done < job.windows and not self._broken:
            where = "step" if piece.step else "window"
            self._broken = f"was interrupted in {where} {job.windows_done} of the run"
        ended = not piece.step or now.position + 1 == self._steps
        windows = job.windows * ended
        pairs = zip(now.operations, piece.operations(), strict=True)
        self._account = Account(
            now.learned + windows * bool(job.learn),
            now.clocks + int(piece.window_clocks.sum()) * ended,
            tuple(before + more for before, more in pairs),
            None,
            0 if ended else now.position + 1,
        )


def _fields(rows: Words, seen: Observable) -> NDArray[np.int64]:
    """Return the values in packed rows: (R, count)."""
    return unpack(
        rows, seen.bits, seen.count, offset=seen.offset, stride=seen.stride, signed=seen.signed
    )
