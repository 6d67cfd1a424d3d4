"""bitlif: noisy spiking neurons that learn bit for bit the same in software and in hardware."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bitlif import tasks, torch
    from bitlif.model.config.config import Config
    from bitlif.model.config.network import NetworkConfig
    from bitlif.model.errors import BitlifError, BitlifWarning
    from bitlif.model.events import Events
    from bitlif.sim.backends.core import Core
    from bitlif.sim.backends.open import open
    from bitlif.sim.backends.result import CoreResult as Result
    from bitlif.sim.classifier import SpikingClassifier

__version__ = "0.1.0"
__all__ = [
    "BitlifError",
    "BitlifWarning",
    "Config",
    "Core",
    "Events",
    "NetworkConfig",
    "Result",
    "SpikingClassifier",
    "__version__",
    "open",
    "tasks",
    "torch",
]

_HOMES = {
    "BitlifError": ("model.errors", "BitlifError"),
    "BitlifWarning": ("model.errors", "BitlifWarning"),
    "Config": ("model.config.config", "Config"),
    "Core": ("sim.backends.core", "Core"),
    "NetworkConfig": ("model.config.network", "NetworkConfig"),
    "Events": ("model.events", "Events"),
    "Result": ("sim.backends.result", "CoreResult"),
    "SpikingClassifier": ("sim.classifier", "SpikingClassifier"),
    "open": ("sim.backends.open", "open"),
    "tasks": ("tasks", ""),
    "torch": ("torch", ""),
}
"""Module and name behind each public name."""


def __getattr__(name: str) -> Any:
    # Imported late: `import bitlif` is instant, and `bitlif.host.link` needs nothing installed.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, own = _HOMES[name]
    module = importlib.import_module(f"{__name__}.{home}")
    value = getattr(module, own) if own else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
