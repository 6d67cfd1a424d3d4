"""bitlif: a noisy neuron whose learning is the same, to the bit, in software and in gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bitlif.model.config import Config

if TYPE_CHECKING:
    from bitlif.sim.core import Core

__version__ = "0.1.0"
__all__ = ["Config", "__version__", "open"]


def open(config: Config, backend: str = "model", *, learning: bool = True) -> Core:
    """Return a new core that runs on a backend: `bitlif.sim.open`."""
    from bitlif.sim.backends import open as open_core

    return open_core(config, backend, learning=learning)
