"""From a backend's name to a core."""

from __future__ import annotations

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError, BitlifTypeError, nearest_of, require_bool
from bitlif.model.text import quoted

from .core import Core, no_amaranth
from .models import FloatCore, ModelCore
from .serial import PREFIX, SerialCore, port_of

BACKENDS = ("float", "model", "rtl", "netlist:ice40", "netlist:ice40hx", "netlist:ecp5")
"""What a layer can run on, besides boards."""

KINDS = (*BACKENDS, f"{PREFIX}PORT")
"""The same, and how a board is named."""


def require_backend(wanted: str, name: str) -> None:
    """Raise unless there is a backend of this name; `wanted` begins the sentence."""
    if name.startswith(PREFIX):
        port_of(name)
    elif name not in BACKENDS:
        raise BitlifError(
            f"{wanted} {', '.join(KINDS)}, not {quoted(name)}{nearest_of(name, BACKENDS)}"
        )


def open(config: Config, backend: str = "model", *, learning: bool = True) -> Core:
    """Return a new core: fresh from its reset, all weights zero.

    Parameters
    ----------
    config : Config
    backend : str
        ``"float"``: the ideal float twin. ``"model"``: the integer model. ``"rtl"``: the core's
        Verilog, compiled. ``"netlist:ice40"``, ``"netlist:ice40hx"``, ``"netlist:ecp5"``: the same
        synthesised for a UP5K, an HX8K (no multipliers) or an ECP5, in Yosys' models of the cells.
        Gates are compiled on first use (seconds; a netlist of `digits` takes minutes), and kept
        (`bitlif.model.storage.cache`). ``"serial:PORT"``, ``"serial:PORT@BAUD"``: a board over a
        serial line (`bitlif.sim.backends.serial`).
    learning : bool
        False: inference only, without learning hardware.

    Raises
    ------
    BitlifError
        If an argument is not accepted, or a tool for gates is missing or fails, or no
        board of this configuration answers.

    Examples
    --------
    >>> from bitlif import Config
    >>> from bitlif.model.events import Events
    >>> spikes = Events.from_times([0, 1], [0, 1], steps=16, units=6)
    >>> with open(Config.load("tiny"), "model") as core:
    ...     out = core.run(spikes)
    >>> out.raster.shape
    (1, 16, 4)
    """
    if not isinstance(config, Config):
        raise BitlifTypeError(f"config must be a Config, not {quoted(config)}")
    if not isinstance(backend, str):
        raise BitlifTypeError(f"backend must be one of {', '.join(KINDS)}, not {quoted(backend)}")
    require_backend("backend must be one of", backend)
    require_bool("learning", learning)
    if backend == "model":
        return ModelCore(config, learning=learning)
    if backend == "float":
        return FloatCore(config, learning=learning)
    if backend.startswith(PREFIX):
        return SerialCore(config, backend, learning=learning)
    try:
        from .gates import GateCore
    except ModuleNotFoundError as error:
        raise no_amaranth(f"backend '{backend}'", error) from error
    return GateCore(config, backend, learning=learning)
