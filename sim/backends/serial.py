"""A board behind the UART bridge as a backend."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.uart.protocol import Status
from bitlif.host.driver import Driver, run_sync
from bitlif.host.event_codec import (
    EncodedInput,
    bytes_for,
    count_step_ends,
    decode_raster,
    encode_input,
    max_output_bytes,
)
from bitlif.host.frames import MAX_OUTPUT_BYTES
from bitlif.host.link import Link
from bitlif.host.serial_port import BAUD, open_serial
from bitlif.model.config.network import outer
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.result import LayerState
from bitlif.model.text import quoted

from .core import Core
from .models import ModelCore
from .result import StepResult, Tally

PREFIX = "serial:"
DIGITS = 12
"""Maximum digits of a baud rate."""

STALL_TIMEOUT = 5.0
"""Seconds without progress after which a run times out."""

POLLS = 5_000
"""Maximum reads of STATUS while waiting for a board to become idle or ready: some seconds."""


def port_of(backend: str) -> tuple[str, int]:
    """Return path and baud rate of ``"serial:PATH"`` or ``"serial:PATH@BAUD"``.

    Raises
    ------
    BitlifError
        If there is no path, or the baud rate has too many digits.

    >>> port_of("serial:/dev/ttyUSB0"), port_of("serial:COM3@115200")
    (('/dev/ttyUSB0', 1000000), ('COM3', 115200))
    """
    path = backend.removeprefix(PREFIX)
    head, _, tail = path.rpartition("@")
    baud = BAUD
    if head and tail.isdecimal() and tail.isascii():
        # Python refuses to convert thousands of digits.
        if len(tail) > DIGITS:
            raise BitlifError(
                f"baud rate must have at most {DIGITS} digits, not {len(tail)} as in "
                f"{quoted(backend, 40)}"
            )
        path, baud = head, int(tail)
    if not path:
        raise BitlifError(
            f"backend must name a port, as in serial:/dev/ttyUSB0, not {quoted(backend)}"
        )
    return path, baud


class BoardCore(Core):
    """What a layer and a network on a board share; see `SerialCore`."""

    records: tuple[str, ...] = ()
    counts_clocks = False
    driver_class: Any = Driver
    """Of the register map of the board."""

    def __init__(
        self,
        config: Any,
        backend: str,
        *,
        learning: bool = True,
        link: Link | None = None,
        stall_timeout: float = STALL_TIMEOUT,
    ) -> None:
        super().__init__(config, learning=learning)
        self.backend = backend
        # The core as it is seen from outside: its streams are those of one layer.
        self._seen = outer(config)
        self._stall_timeout = stall_timeout
        self.link = link or Link(open_serial(*port_of(backend)))
        self._driver = self.driver_class(
            config, self._read, self._write, learning=learning,
            read_many=self._read_many, write_many=self._write_many, max_polls=POLLS,
            timeout=stall_timeout,
        )  # fmt: skip
        self._counted, self._stepped = Tally(), 0
        self._broken = ""
        self._half_loaded: set[str] = set()
        try:
            self.link.open()
            run_sync(self._begin())
        except BaseException:
            self.link.close()
            raise

    async def _begin(self) -> None:
        """Reset the core, and load its start weights and the configuration."""
        await self._driver.identify()
        await self._driver.reset(flush=True)
        async with self._driver.loading():
            await self._driver.load_weights(self._start_weights())
            await self._driver.load_config(self.config)

    @abstractmethod
    def _start_weights(self) -> Any:
        """Return the weights that are loaded when the board is opened."""

    @abstractmethod
    def _operations(self, events: int) -> int:
        """Return the synaptic operations of input events."""

    @abstractmethod
    def _arrays(self, raster: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Return the arrays of a run's result with the spikes that the board has sent."""

    @abstractmethod
    def _step_result(self, spikes: NDArray[np.bool_], position: int, ended: bool) -> StepResult:
        """Return the result of a step with the spikes that the board has sent."""

    # -- the driver's bus --------------------------------------------------------------------

    async def _read(self, offset: int) -> int:
        return self.link.read(offset)[0]

    async def _write(self, offset: int, word: int) -> None:
        self.link.write(offset, [word])

    async def _read_many(self, offset: int, count: int) -> list[int]:
        return self.link.read(offset, count, stay=True)

    async def _write_many(self, offset: int, words: Any) -> None:
        self.link.write(offset, words, stay=True)

    # -- loading -----------------------------------------------------------------------------

    def _load(self, weights: Any) -> None:
        self._require_sound()
        # An interrupted load stays in the set.
        self._half_loaded.add("weights")
        run_sync(self._driver.load_weights(weights))
        self._half_loaded.remove("weights")

    def _load_tables(self) -> None:
        self._require_sound()
        self._half_loaded.add("tables")
        run_sync(self._driver.load_config(self.config))
        self._half_loaded.remove("tables")

    def _reset(self) -> None:
        if self.link.session_lost:
            raise BitlifError(
                f"the core ({self.backend}) was reset or opened by another program, so its "
                f"contents are lost: close it and open a new one"
            )
        self._broken = "was interrupted in its reset"
        self._counted, self._stepped = Tally(), 0
        if self.link.needs_open:
            self.link.open()
        run_sync(self._driver.reset(flush=True))
        self._broken = ""

    # -- running -----------------------------------------------------------------------------

    def _run(
        self, events: Events, targets: NDArray[Any] | None, learn: bool, record: tuple[str, ...]
    ) -> dict[str, NDArray[Any]]:
        self._require_loaded()
        uses_targets = learn or self._seen.membrane.reset == "teacher"
        items = encode_input(self._seen, events, targets if uses_targets else None)
        self._broken = "was interrupted in a run"
        run_sync(self._driver.start(learn=learn))
        output_bytes = self._exchange(items, f"window {{}} of {events.windows}")
        raster = decode_raster(self._seen, output_bytes, events.windows, events.steps)
        run_sync(self._driver.stop())
        done = self._counted
        self._counted = done._replace(
            windows_learned=done.windows_learned + learn * events.windows,
            synaptic_events=done.synaptic_events + self._operations(events.count),
        )
        self._broken = ""
        nothing = np.zeros((0, events.steps), np.int64)
        return {
            **self._arrays(raster), "step_signatures": nothing, "step_clocks": nothing,
            "window_clocks": np.zeros(0, np.int64),
        }  # fmt: skip

    def _step(
        self,
        addresses: NDArray[np.int32],
        targets: NDArray[Any] | None,
        learn: bool,
        record: tuple[str, ...],
    ) -> StepResult:
        self._require_loaded()
        position, steps = self._stepped, self._seen.window.steps
        ended = position + 1 == steps
        uses_targets = learn or self._seen.membrane.reset == "teacher"
        one = Events(addresses, np.array([0, len(addresses)]), 1, self._seen.layer.inputs)
        items = encode_input(self._seen, one, targets if uses_targets else None)
        self._broken = "was interrupted in a step"
        if not position:
            run_sync(self._driver.start(learn=learn))
        output_bytes = self._exchange(items, f"step {position} of {steps}")
        raster = decode_raster(self._seen, output_bytes, 1, 1)
        if ended:
            run_sync(self._driver.stop())
        done = self._counted
        self._counted = done._replace(
            windows_learned=done.windows_learned + (learn and ended),
            synaptic_events=done.synaptic_events + self._operations(one.count),
        )
        self._stepped = 0 if ended else position + 1
        self._broken = ""
        return self._step_result(raster[0, 0].astype(np.bool_), position, ended)

    def _position(self) -> int:
        return 0 if self._broken else self._stepped

    def _exchange(self, items: EncodedInput, where: str) -> bytes:
        """Send all items; return all output, up to the end of the last step.

        Single bytes do not count as progress, or a board that sends one per second would never time
        out. A run has a bounded amount of progress, so this terminates.
        """
        output_bytes, begin, progressed, ended = bytearray(), 0, time.monotonic(), 0
        while True:
            piece = items.chunk(begin)
            status, consumed, output = self.link.exchange(piece)
            begin += consumed
            output_bytes += output
            ends = count_step_ends(self._seen, output)
            ended += ends
            given = items.steps_ended(begin)
            most = max_output_bytes(self._seen, given)
            if ended > given or len(output_bytes) > most:
                raise BitlifError(
                    f"the core ({self.backend}) must send at most {given} ends of steps in {most} "
                    f"bytes, not {ended} in {len(output_bytes)}: load its bitstream again"
                )
            if status == Status.DONE and begin == len(items.data):
                return bytes(output_bytes)
            accepted = piece and consumed == len(piece)
            full = len(output) > MAX_OUTPUT_BYTES - bytes_for(self._seen.layer.neurons)
            if ends or accepted or full:
                progressed = time.monotonic()
            elif time.monotonic() - progressed > self._stall_timeout:
                raise self._stall_error(where.format(ended // self._seen.window.steps))

    def _stall_error(self, where: str) -> BitlifError:
        control, status = (
            run_sync(self._driver.get(name)) for name in ("CONTROL", "STATUS")
        )  # fmt: skip
        return BitlifError(
            f"the core ({self.backend}) made no progress for {self._stall_timeout:g} s in {where} "
            f"(CONTROL {control:#x}, STATUS {status:#x}): reset it; if it stalls again, load its "
            f"bitstream again"
        )

    # -- reading -----------------------------------------------------------------------------

    def _weights(self) -> Any:
        self._require_sound()
        return run_sync(self._driver.read_weights())

    def _signature(self) -> int:
        self._require_sound()
        signature: int = run_sync(self._driver.get("SIGNATURE"))
        return signature

    def _tally(self) -> Tally:
        self._require_sound()
        return self._counted

    def _require_sound(self) -> None:
        if self._broken:
            raise BitlifError(f"the core ({self.backend}) {self._broken}: reset it")

    def _require_loaded(self) -> None:
        self._require_sound()
        if self._half_loaded:
            partial = " and ".join(sorted(self._half_loaded))
            raise BitlifError(
                f"the core ({self.backend}) has only part of its {partial}: load them again"
            )

    def _close(self) -> None:
        self.link.close()


class SerialCore(BoardCore):
    """A core on a board, over a serial line.

    Opening takes over the board and discards its contents: the core is reset, all weights are zero,
    and table and schedule are those of the configuration.

    A board does not count clock cycles, and its signature is read only after a run. A result's
    ``step_clocks`` and ``step_signatures`` are empty, (0, T), and so is ``window_clocks``, (0,);
    `clocks` raises.

    Parameters
    ----------
    config : Config
        The configuration that the bitstream was built from.
    backend : str
        ``"serial:PATH"`` or ``"serial:PATH@BAUD"``.
    learning : bool
        False: inference only, for a bitstream without learning hardware.
    link : Link or None
        None: open the port in `backend`.
    stall_timeout : float
        Seconds without progress after which a run raises. Progress is the end of a step, a frame
        whose events were all accepted, or a full response. Also the timeout for the core to become
        idle or ready.

    Raises
    ------
    BitlifError
        If nothing answers at the port, or the board has no bitlif core of this configuration.
    """

    def _start_weights(self) -> NDArray[np.int64]:
        sizes = self._config.layer
        return np.zeros((sizes.inputs, sizes.neurons), np.int64)

    def _operations(self, events: int) -> int:
        return events * self._built.layer.neurons

    def _arrays(self, raster: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        return {"raster": raster}

    def _step_result(self, spikes: NDArray[np.bool_], position: int, ended: bool) -> StepResult:
        return StepResult(spikes, position, ended)

    def fresh(self) -> ModelCore:
        """Return the integer model of the same configuration; see `Core.fresh`."""
        # There is one layer on the board.
        return ModelCore(self._config, learning=self._learning)

    def _state(self) -> LayerState:
        self._require_sound()
        state: LayerState = run_sync(self._driver.read_state())
        return state

    def _counters(self) -> dict[str, int]:
        self._require_sound()
        counted = run_sync(self._driver.read_counters())
        return {**counted, "synaptic_events": self._counted.synaptic_events}
