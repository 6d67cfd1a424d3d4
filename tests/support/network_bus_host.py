"""An AXI host of a network: its driver, and all buses in parallel."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from bus_host import IDLE, MOST_CLOCKS, WAITING, BusHost

from bitlif.hdl.bus.axi_stream import target_bits
from bitlif.hdl.bus.network_registers import NETWORK_REGISTERS
from bitlif.hdl.bus.registers import Response
from bitlif.hdl.export.network_verilog import network_axi_name, network_axi_verilog
from bitlif.hdl.memories import by_slot
from bitlif.host.access_error import AccessError
from bitlif.host.network_driver import NetworkDriver
from bitlif.host.register_driver import run_sync
from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.tasks.scenario import targets_by_step

verilog_of = functools.cache(network_axi_verilog)


class NetworkBusHost(BusHost):
    """Masters of the registers and of the streams in, and a sink of the stream out.

    Attributes
    ----------
    driver : NetworkDriver
        The host's driver, over AXI4-Lite.
    """

    def __init__(self, network: NetworkConfig, *, learning: bool = True, **options: Any) -> None:
        self.network, self.config = network, network.outer
        self.at = {name: own.offset for name, own in NETWORK_REGISTERS.items()}
        verilog = verilog_of(network, learning=learning)
        self.has_targets = "s_axis_targets_tdata" in verilog
        self.begin_at(verilog, network_axi_name(network), **options)
        self.driver = NetworkDriver(network, self._read, self._write, learning=learning)

    async def _read(self, offset: int) -> int:
        response, word = self.try_read(offset)
        if response != Response.OKAY:
            raise AccessError(False, offset, response)
        return word

    async def _write(self, offset: int, word: int) -> None:
        response = self.try_write(offset, word)
        if response != Response.OKAY:
            raise AccessError(True, offset, response)

    def do(self, coroutine: Any) -> Any:
        """Run a coroutine of the driver, and return its result."""
        return run_sync(coroutine)

    def set_up(self, weights: Sequence[np.ndarray]) -> None:
        """Reset the core through its registers, and load the network and its weights."""
        self.do(self.driver.identify())
        self.do(self.driver.reset())
        self.do(self.driver.load_config(self.network))
        self.do(self.driver.load_weights(weights))

    def _offered_targets(self) -> dict[str, int]:
        return super()._offered_targets() if self.has_targets else {}

    def offer(self, events: Events, targets: np.ndarray | None) -> None:
        """Queue the events of windows, and their targets if they are taken."""
        for start, stop in itertools.pairwise(events.pointers.tolist()):
            self.events += [(event, 0) for event in events.addresses[start:stop].tolist()]
            self.events.append((0, 1))
        if targets is None:
            return
        config, bits = self.config, target_bits(self.config)
        rows = np.asarray(targets_by_step(config, events, targets))
        for slot in by_slot(config, rows).reshape(-1, config.layer.lanes).tolist():
            self.targets.append(sum(value << (bits * lane) for lane, value in enumerate(slot)))

    def run_all(self, events: Events, targets: np.ndarray | None, *, learn: bool) -> np.ndarray:
        """Run windows without a pause; return the output spikes, (W, T, M)."""
        self.spikes.clear()
        self.do(self.driver.start(learn=learn))
        self.offer(events, targets)
        wanted = events.windows * events.steps
        for _ in range(MOST_CLOCKS * wanted):
            if sum(last for _, last in self.spikes) == wanted:
                break
            self.clock()
        self.do(self.driver.stop())
        self.wait(IDLE | WAITING, IDLE)
        return self.raster(events.windows)

    def raster(self, windows: int) -> np.ndarray:
        """Return the spikes that have come out, (W, T, M)."""
        steps = self.config.window.steps
        found = np.zeros((windows * steps + 1, self.config.layer.neurons), np.uint8)
        step = 0
        for neuron, last in self.spikes:
            found[step, neuron] += not last
            step += last
        assert step == windows * steps
        return found[:-1].reshape(windows, steps, -1)
