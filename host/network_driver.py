"""A driver for the register map of networks: loads, runs and reads back a network over any bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.bus.network_registers import NETWORK_MAJOR, NETWORK_MINOR
from bitlif.hdl.bus.registers import SCHEDULE
from bitlif.hdl.loadable import network_rows, phase_rows
from bitlif.model.config.network import NetworkConfig
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError
from bitlif.model.result import LayerState
from bitlif.model.state import state_variables

from .register_driver import RegisterDriver


class NetworkDriver(RegisterDriver):
    """Loads, runs and reads back the core of a network through functions that access its registers.

    Lists have one item per layer. `bitlif.host.driver.Driver` is the same for a single layer.

    Parameters
    ----------
    config : NetworkConfig
        The network that the core was built from.
    read, write, **options
        As for `bitlif.host.register_driver.RegisterDriver`.
    """

    version = (NETWORK_MAJOR, NETWORK_MINOR)

    def __init__(
        self,
        config: NetworkConfig,
        read: Callable[[int], Awaitable[int]],
        write: Callable[[int, int], Awaitable[None]],
        **options: Any,
    ) -> None:
        self.config = config
        super().__init__(config, read, write, **options)

    async def select(self, number: int) -> None:
        """Select the layer whose registers and memories are accessed."""
        await self.set("LAYER", number)
        self.elements = self.map.places[number].elements

    async def identify(self) -> None:
        """Check that the core was built from this network; see `RegisterDriver.identify`."""
        await super().identify()
        for number, place in enumerate(self.map.places):
            await self.select(number)
            await self._check_constants(place.constants)

    async def load_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Write the weights of all layers: (N, M) arrays of raw integers.

        Raises
        ------
        BitlifError
            If the number of arrays or a shape is wrong: nothing is written then.
        """
        sizes = [own.config.layer for own in self.config.layers]
        shapes = [(own.inputs, own.neurons) for own in sizes]
        found = [np.shape(own) for own in weights]
        if found != shapes:
            raise BitlifError(f"weights must have the shapes {shapes}, not {found}")
        async with self.loading():
            for number, own in enumerate(weights):
                await self.select(number)
                await self.write_memory("weights", [int(weight) for weight in own.ravel()])

    async def load_config(self, config: NetworkConfig) -> None:
        """Write the error table and the schedules that are derived from a network.

        Parameters
        ----------
        config : NetworkConfig
            It may differ from that of the core in what tables and schedules hold (checked by the
            caller: `bitlif.hdl.loadable.require_loadable` for each layer).

        Raises
        ------
        BitlifError
            If the core cannot hold a schedule: nothing is written then.
        """
        layers = range(len(self.config.layers))
        built = self.config
        rows = [
            network_rows(built, config, number)
            if self.learning
            else phase_rows(built.layers[number].config, config.layers[number].config)
            for number in layers
        ]
        async with self.loading():
            for number, own in enumerate(config.layers):
                await self.select(number)
                if "table_a" in self.elements:
                    columns = derive(own.config).table
                    for name, column in zip(("table_a", "table_b"), columns, strict=True):
                        await self.write_memory(name, list(column))
                for name, field in SCHEDULE.items():
                    if name in self.elements:
                        await self.write_memory(name, [row[field] for row in rows[number]])

    async def read_weights(self) -> list[NDArray[np.int64]]:
        """Read the weights of all layers: (N, M) arrays of raw int64."""
        found = []
        for number, own in enumerate(self.config.layers):
            await self.select(number)
            values = np.array(await self.read_memory("weights"), np.int64)
            found.append(values.reshape(own.config.layer.inputs, own.config.layer.neurons))
        return found

    async def read_states(self) -> list[LayerState]:
        """Read the state that each layer carries to the next window.

        Traces are zero: networks have none. Layers that are not learned have no update LFSRs.
        """
        found = []
        for number, own in enumerate(self.config.layers):
            await self.select(number)
            variables = state_variables("neuron", "input")
            values = {
                variable.name: await self.read_memory(variable.name)
                if variable.name in self.elements
                else [0] * variable.count(own.config)
                for variable in variables
            }
            noise, update = [
                tuple(await self.read_memory(name)) if name in self.elements else ()
                for name in ("noise_lfsr", "update_lfsr")
            ]
            arrays: dict[str, Any] = {
                name: np.array(value, np.int64) for name, value in values.items()
            }
            phase = await self.get("PHASE")
            found.append(LayerState(**arrays, noise_lfsr=noise, update_lfsr=update, phase=phase))
        return found

    async def read_sweep_lfsrs(self) -> list[tuple[int, ...]]:
        """Read the states of the distinct LFSRs of the sweep of each layer."""
        found = []
        for number in range(len(self.config.layers)):
            await self.select(number)
            known = "sweep_lfsr" in self.elements
            found.append(tuple(await self.read_memory("sweep_lfsr")) if known else ())
        return found

    async def read_counters(self) -> list[dict[str, int]]:
        """Read the counters of each layer since the reset, by name.

        A counter at `bitlif.hdl.bus.registers.COUNTER_STOPPED` has saturated.
        """
        found = []
        for number in range(len(self.config.layers)):
            await self.select(number)
            found.append({name: await self.get(name.upper()) for name in self.map.counters})
        return found

    async def read_signatures(self) -> list[int]:
        """Read the signature of each layer."""
        found = []
        for number in range(len(self.config.layers)):
            await self.select(number)
            found.append(await self.get("LAYER_SIGNATURE"))
        return found
