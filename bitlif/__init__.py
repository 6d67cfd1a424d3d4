"""bitlif: a noisy neuron whose learning is the same, to the bit, in software and in gates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitlif.model.config.config import Config
    from bitlif.sim.backends.core import Core

__version__ = "0.1.0"
__all__ = ["Config", "__version__", "open"]


def open(config: Config, backend: str = "model", *, learning: bool = True) -> Core:
    """Return a new core that runs on a backend: `bitlif.sim.open`."""
    from bitlif.sim.backends.open import open as open_core

    return open_core(config, backend, learning=learning)


def __getattr__(name: str) -> Any:
    # Late, so that `bitlif.host.link` runs where nothing is installed.
    if name == "Config":
        from bitlif.model.config.config import Config

        return Config
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
