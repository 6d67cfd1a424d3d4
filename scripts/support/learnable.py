"""Commands that make or run learning gates: whether the model can learn what is given."""

from __future__ import annotations

from bitlif.model.checks import require_learnable, require_learnable_network
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError, warn


def require_learnable_any(config: Config | NetworkConfig) -> None:
    """Raise if a layer or a network cannot learn; the message names the field."""
    if isinstance(config, NetworkConfig):
        require_learnable_network(config)
    else:
        require_learnable(config)


def warn_unless_learnable(config: Config | NetworkConfig) -> None:
    """Warn that gates get learning hardware that nothing can learn with."""
    try:
        require_learnable_any(config)
    except BitlifError as error:
        warn(f"this core cannot learn: {error}; --inference omits the learning hardware")
