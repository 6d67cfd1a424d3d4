"""How the gates are run beside the model: one interface over every backend."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backends.core import Core
    from .backends.open import BACKENDS, open
    from .backends.result import CoreResult

__all__ = ["BACKENDS", "Core", "CoreResult", "open"]

_HOMES = {
    "BACKENDS": "backends.open", "open": "backends.open", "Core": "backends.core",
    "CoreResult": "backends.result",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    # Late, so that `bitlif.host.link` runs where nothing is installed.
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
