"""Opening a core by the name of its backend."""

from __future__ import annotations

import functools
from typing import Any, overload

from bitlif.fpga.families import FAMILIES
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import (
    BitlifError,
    BitlifTypeError,
    nearest_of,
    require_bool,
    require_choice,
    require_int,
)
from bitlif.model.extras import missing_extra
from bitlif.model.text import quoted

from .core import Core
from .models import FloatCore, ModelCore
from .network_core import NetworkCore
from .network_float import NetworkFloatCore
from .network_models import NetworkModelCore
from .network_serial import NetworkSerialCore
from .serial import PREFIX, SerialCore, port_of


def backend_names() -> tuple[str, ...]:
    """Return all backends other than boards, with one netlist per registered FPGA family."""
    return ("float", "model", "rtl", *(family.backend for family in FAMILIES.values()))


UNITS = ("raw", "real")
"""Units of the float twin."""

DEFAULTS = {"threads": 1, "signature": True, "units": "raw", "seed": None}
"""Options that only some backends have, which are here."""

OPTIONS = {"model": ("threads", "signature"), "float": ("units", "seed")}


def accepted_names() -> str:
    """Return all backends and the form of a board's name, as a list for messages."""
    return ", ".join((*backend_names(), f"{PREFIX}PORT"))


def require_backend(wanted: str, name: str) -> None:
    """Raise unless a backend of this name exists; `wanted` begins the message."""
    if name.startswith(PREFIX):
        port_of(name)
    elif name not in (names := backend_names()):
        raise BitlifError(
            f"{wanted} {accepted_names()}, not {quoted(name)}{nearest_of(name, names)}"
        )


@overload
def open(
    config: Config,
    backend: str = ...,
    *,
    learning: bool = ...,
    threads: int = ...,
    signature: bool = ...,
    units: str = ...,
    seed: int | None = ...,
) -> Core: ...


@overload
def open(
    config: NetworkConfig,
    backend: str = ...,
    *,
    learning: bool = ...,
    threads: int = ...,
    signature: bool = ...,
    units: str = ...,
    seed: int | None = ...,
) -> NetworkCore: ...


def open(
    config: Config | NetworkConfig,
    backend: str = "model",
    *,
    learning: bool = True,
    threads: int = 1,
    signature: bool = True,
    units: str = "raw",
    seed: int | None = None,
) -> Core:
    """Return a new core in its reset state.

    The weights of a layer are all zero; those of a network are its start weights. Networks run on
    all backends; see `bitlif.sim.backends.network_core.NetworkCore`.

    Parameters
    ----------
    config : Config or NetworkConfig
    backend : str
        ``"float"``: the ideal float twin. ``"model"``: the integer model. ``"rtl"``: the core's
        Verilog, compiled. ``"netlist:ice40"``, ``"netlist:ice40hx"``, ``"netlist:ecp5"``,
        ``"netlist:gowin"``: the
        netlist for a UP5K, an HX8K (no multipliers) or an ECP5, in Yosys' models of the cells.
        Gates are compiled on first use, which takes seconds (minutes for a netlist of `digits`),
        and cached (`bitlif.model.storage.cache`). ``"serial:PORT"``, ``"serial:PORT@BAUD"``: a
        board on a serial line (`bitlif.sim.backends.serial`).
    learning : bool
        False: inference only, without learning hardware.
    threads : int
        Backend ``"model"`` only, 1 ..= 256: threads for windows that do not depend on each other.
        No result depends on it.
    signature : bool
        Backend ``"model"`` only. False: compute neither signature nor clock cycles, which makes
        the core as fast as the engine.
    units : str
        Backend ``"float"`` only. ``"raw"``: weights, targets, records and state are in LSBs, as
        for every other backend. ``"real"``: they are real numbers, in the unit of the threshold.
    seed : int or None
        Backend ``"float"`` only, 0 ..= 2**63 - 1: seed of the noise. None: the seed of the
        configuration's noise LFSR (of a network: of its first layer's).

    Raises
    ------
    BitlifError
        If an argument is invalid, the backend does not have the option, a tool for gates is
        missing or fails, or no board of this configuration answers.

    Examples
    --------
    >>> from bitlif import Config, Events
    >>> spikes = Events.from_times([0, 1], [0, 1], steps=16, units=6)
    >>> with open(Config.load("tiny"), "model") as core:
    ...     out = core.run(spikes)
    >>> out.raster.shape
    (1, 16, 4)
    """
    if not isinstance(config, Config | NetworkConfig):
        raise BitlifTypeError(f"config must be a Config or a NetworkConfig, not {quoted(config)}")
    if not isinstance(backend, str):
        raise BitlifTypeError(f"backend must be one of {accepted_names()}, not {quoted(backend)}")
    require_backend("backend must be one of", backend)
    require_bool("learning", learning)
    options = {
        "threads": require_int("threads", threads, 1, 256),
        "signature": require_bool("signature", signature),
        "units": require_choice("units", units, UNITS),
        "seed": None if seed is None else require_int("seed", seed, 0, (1 << 63) - 1),
    }
    own: dict[str, Any] = {name: options[name] for name in OPTIONS.get(backend, ())}
    for name, value in options.items():
        if name not in own and value != DEFAULTS[name]:
            raise BitlifError(
                f"{name} must be {DEFAULTS[name]} with backend {backend}, not {quoted(value)}"
            )
    if backend.startswith(PREFIX):
        if isinstance(config, NetworkConfig):
            return NetworkSerialCore(config, backend, learning=learning)
        return SerialCore(config, backend, learning=learning)
    network = isinstance(config, NetworkConfig)
    if backend == "model":
        kind: Any = NetworkModelCore if network else ModelCore
    elif backend == "float":
        kind = NetworkFloatCore if network else FloatCore
    else:
        kind = functools.partial(_gates(network, backend), backend=backend)
    core: Core = kind(config, learning=learning, **own)
    return core


def _gates(network: bool, backend: str) -> Any:
    """Return the class of compiled gates, which needs Amaranth."""
    try:
        if network:
            from .network_gates import NetworkGateCore

            return NetworkGateCore
        from .gates import GateCore
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "amaranth":
            raise
        raise missing_extra(f"backend '{backend}' needs Amaranth", "gates", error) from error
    return GateCore
