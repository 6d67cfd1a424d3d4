"""CONFIG on the command line: a single layer, where networks will not do."""

from __future__ import annotations

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, load_any_config
from bitlif.model.errors import BitlifError
from bitlif.model.text import path_text

NO_BOARD = "this command takes only a single layer so far: give one"
"""Why a command for boards refuses a network."""


def load_layer(source: str, reason: str = NO_BOARD) -> Config:
    """Read the configuration of a single layer.

    Parameters
    ----------
    source : str
        TOML file or ready-made name.
    reason : str
        Why a network is refused, and what to do.

    Raises
    ------
    BitlifError
        If it is a network, does not exist, or is refused.
    """
    found = load_any_config(source)
    if isinstance(found, NetworkConfig):
        raise BitlifError(
            f"'{path_text(source)}' is a network of {len(found.layers)} layers, and {reason}"
        )
    return found
