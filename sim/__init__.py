"""Simulation of the gates and comparison with the model: one interface over all backends."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backends.core import Core
    from .backends.open import backend_names, open
    from .backends.result import CoreResult

__all__ = ["Core", "CoreResult", "backend_names", "open"]

_MODULES = {
    "backend_names": "backends.open", "open": "backends.open", "Core": "backends.core",
    "CoreResult": "backends.result",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    # Imported when first used, so that importing `bitlif` stays fast.
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
