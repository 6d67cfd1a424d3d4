"""A driver for the register map: loads, runs and reads back a layer over any bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.bus.registers import SCHEDULE
from bitlif.hdl.loadable import phase_rows, require_loadable
from bitlif.model.config.config import Config
from bitlif.model.counters import COUNTERS
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError
from bitlif.model.result import LayerState
from bitlif.model.state import state_variables

from .register_driver import RegisterDriver, run_sync

__all__ = ["Driver", "run_sync"]


class Driver(RegisterDriver):
    """Loads, runs and reads back the core of a layer through functions that access its registers.

    Parameters
    ----------
    config : Config
        The configuration that the core was built from.
    read, write, **options
        As for `bitlif.host.register_driver.RegisterDriver`.

    Examples
    --------
    ::

        driver = Driver(config, bus.read, bus.write)
        await driver.identify()
        await driver.reset()
        await driver.load_weights(weights)
        await driver.start(learn=True)      # then send events and targets, and receive events
        await driver.stop()
        weights = await driver.read_weights()
    """

    def __init__(
        self,
        config: Config,
        read: Callable[[int], Awaitable[int]],
        write: Callable[[int, int], Awaitable[None]],
        **options: Any,
    ) -> None:
        self.config = config
        super().__init__(config, read, write, **options)

    async def load_weights(self, weights: NDArray[Any]) -> None:
        """Write all weights, an (N, M) array of raw integers."""
        shape = (self.config.layer.inputs, self.config.layer.neurons)
        if weights.shape != shape:
            raise BitlifError(f"weights must have the shape {shape}, not {weights.shape}")
        async with self.loading():
            await self.write_memory("weights", [int(weight) for weight in weights.ravel()])

    async def load_table(self, config: Config) -> None:
        """Write the error table derived from `config`."""
        async with self.loading():
            for name, column in zip(("table_a", "table_b"), derive(config).table, strict=True):
                await self.write_memory(name, list(column))

    async def load_schedule(self, config: Config) -> None:
        """Write the schedule derived from `config`."""
        rows = phase_rows(self.config, config)
        async with self.loading():
            for name, field in SCHEDULE.items():
                if name in self.elements:
                    await self.write_memory(name, [row[field] for row in rows])

    async def load_config(self, config: Config) -> None:
        """Reconfigure the core for `config` by loading its error table and schedule.

        Raises
        ------
        BitlifError
            If the configurations differ in more than that. Nothing is loaded then.
        """
        require_loadable(self.config, config)
        async with self.loading():
            if self.learning:
                await self.load_table(config)
            await self.load_schedule(config)

    async def read_weights(self) -> NDArray[np.int64]:
        """Read all weights, an (N, M) array of raw int64."""
        values = np.array(await self.read_memory("weights"), np.int64)
        return values.reshape(self.config.layer.inputs, self.config.layer.neurons)

    async def read_state(self) -> LayerState:
        """Read the state that the core carries to its next window.

        Traces are zero for a core without learning.
        """
        variables = state_variables("neuron", "input")
        counts = {variable.name: variable.count(self.config) for variable in variables}
        found = {
            name: await self.read_memory(name) if name in self.elements else [0] * count
            for name, count in (*counts.items(), ("noise_lfsr", 0), ("update_lfsr", 0))
        }
        return LayerState(
            **{name: np.array(found[name], np.int64) for name in counts},
            noise_lfsr=tuple(found["noise_lfsr"]),
            update_lfsr=tuple(found["update_lfsr"]),
            phase=await self.get("PHASE"),
        )

    async def read_counters(self) -> dict[str, int]:
        """Read the counters since the reset, by name.

        A counter at `bitlif.hdl.bus.registers.COUNTER_STOPPED` has saturated.
        """
        return {
            name: await self.get(name.upper())
            for name in COUNTERS
            if name.upper() in self.map.registers
        }
