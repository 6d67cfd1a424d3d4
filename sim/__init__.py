"""How the gates are run beside the model: one interface over every backend."""

from .backends import BACKENDS, open
from .core import Core, CoreResult

__all__ = ["BACKENDS", "Core", "CoreResult", "open"]
