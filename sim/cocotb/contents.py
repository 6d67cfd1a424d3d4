"""What a host reads from a core after a run: the same for layers and networks, over any bus."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.host.driver import Driver
from bitlif.host.network_driver import NetworkDriver
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.result import LayerState
from bitlif.model.state import state_variables


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Contents:
    """What a host reads from a core.

    Of a network, all attributes but `signature` are lists with one item per layer.

    Attributes
    ----------
    weights : (N, M) int64, or list of them
        Raw weights.
    counters : dict of str to int, or list of them
    state : LayerState, or list of them
    signature : int
    layer_signatures : list of int
        Empty for a single layer.
    sweep_lfsrs : list of tuple of int
        States of the LFSRs of the sweep; empty for a single layer.
    """

    weights: Any
    counters: Any
    state: Any
    signature: int
    layer_signatures: list[int]
    sweep_lfsrs: list[tuple[int, ...]]


def new_driver(config: Config | NetworkConfig, *bus: Any, **options: Any) -> Any:
    """Return the driver of a layer or of a network; parameters are those of `Driver`."""
    if isinstance(config, NetworkConfig):
        return NetworkDriver(config, *bus, **options)
    return Driver(config, *bus, **options)


async def load_weights(driver: Any, weights: list[Any]) -> None:
    """Write the weights of all layers, one (N, M) array or nested list of raw integers for each."""
    arrays = [np.array(own, np.int64) for own in weights]
    await driver.load_weights(arrays if isinstance(driver, NetworkDriver) else arrays[0])


def weights_task(config: Config | NetworkConfig, weights: Any) -> list[Any]:
    """Return the weights of a layer or of a network as JSON, one item per layer."""
    own = weights if isinstance(config, NetworkConfig) else [weights]
    return [np.asarray(one).tolist() for one in own]


async def read_contents(driver: Any) -> dict[str, Any]:
    """Read everything that a run leaves, as a JSON object whose lists have one item per layer."""
    network = isinstance(driver, NetworkDriver)
    weights = await driver.read_weights()
    counters = await driver.read_counters()
    states = await driver.read_states() if network else [await driver.read_state()]
    return {
        "weights": weights_task(driver.config, weights),
        "counters": counters if network else [counters],
        "states": [
            {
                name: value.tolist() if isinstance(value, np.ndarray) else value
                for name, value in dataclasses.asdict(own).items()
            }
            for own in states
        ],
        "signature": await driver.get("SIGNATURE"),
        "layer_signatures": await driver.read_signatures() if network else [],
        "sweep_lfsrs": await driver.read_sweep_lfsrs() if network else [],
    }


def parsed_contents(config: Config | NetworkConfig, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `Contents` from the JSON object of `read_contents`."""
    weights: list[NDArray[np.int64]] = [np.array(own, np.int64) for own in found["weights"]]
    counters: list[dict[str, int]] = found["counters"]
    states = [
        LayerState(
            **{
                own.name: np.array(state[own.name], np.int64)
                for own in state_variables("neuron", "input")
            },
            noise_lfsr=tuple(state["noise_lfsr"]),
            update_lfsr=tuple(state["update_lfsr"]),
            phase=state["phase"],
        )
        for state in found["states"]
    ]
    network = isinstance(config, NetworkConfig)
    return {
        "weights": weights if network else weights[0],
        "counters": counters if network else counters[0],
        "state": states if network else states[0],
        "signature": found["signature"],
        "layer_signatures": found["layer_signatures"],
        "sweep_lfsrs": [tuple(own) for own in found["sweep_lfsrs"]],
    }
