"""The configuration: one immutable object that model, gates, benches and studies are built from."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError, located, warn
from bitlif.model.period import check_draws
from bitlif.model.sections import Settings

from .remarks import remarks
from .schema import build, to_plain
from .seeds import seeds_of
from .toml import config_to_dict, read_source, read_tree

READY_MADE = importlib.resources.files("bitlif.configs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Settings):
    """Everything that decides a bit. See `bitlif.model.sections` for the fields.

    Raises
    ------
    BitlifError
        Naming the field with its section, the value, and what is accepted.

    Examples
    --------
    >>> from bitlif.model.sections import LayerConfig
    >>> config = Config(layer=LayerConfig(inputs=4, neurons=2))
    >>> config.synapse.weight, config.schedule[0].sigma
    (Format(bits=8, frac=6, signed=True), 0.2)
    """

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        # What only the whole can tell: every derived constant and width must exist.
        derive(self)
        check_draws(self)

    @classmethod
    def load(cls, source: Any) -> Config:
        """Read a TOML file, or a ready-made configuration by name; see `load_config`.

        What is legal but surely not meant is warned of; see `bitlif.model.config.remarks`.
        """
        return load_config(source)

    def replace(self, **changes: Any) -> Config:
        """Return a copy with fields changed; a dotted field is written with two underscores.

        >>> Config().replace(layer__lanes=2, name="two").layer.lanes
        2
        """
        tree = config_to_dict(self)
        for path, value in changes.items():
            *sections, last = path.split("__")
            node = tree
            for section in sections:
                node = node.setdefault(section, {})
                if not isinstance(node, dict):
                    raise BitlifError(f"{path.replace('__', '.')} is not a field")
            node[last] = to_plain(value)
        return config_from_dict(tree)

    def seeded(self, which: int | str) -> Config:
        """Return a copy with LFSR seeds that follow from a number or a name.

        Layers of one configuration draw identical noise: give each its own seeds. See
        `bitlif.model.config.seeds`.

        >>> layers = [Config().seeded(name) for name in ("hidden", "output")]
        >>> layers[0].noise.lfsr.seed != layers[1].noise.lfsr.seed
        True
        """
        noise, learning = seeds_of(self, which)
        return self.replace(noise__lfsr__seed=noise, learning__lfsr__seed=learning)


def ready_made() -> list[str]:
    """Return the names of the configurations that come with the package."""
    return sorted(item.name[:-5] for item in READY_MADE.iterdir() if item.name.endswith(".toml"))


def summary_of(name: str) -> str:
    """Return what the ready-made configuration `name` says of itself in its first comment."""
    first = (READY_MADE / f"{name}.toml").read_text("utf-8").splitlines()[0]
    return first.lstrip("# ")


def load_config(source: str | Path) -> Config:
    """Read a configuration from a TOML file, or a ready-made one by its name.

    Raises
    ------
    BitlifError
        If there is no such file or name, it is not TOML, or a field is refused.

    Warns
    -----
    BitlifWarning
        Of each of `bitlif.model.config.remarks.remarks`.
    """
    content, origin, folder = read_source("configuration", source, READY_MADE, ready_made())
    config = parse_config(content, origin, folder)
    for remark in remarks(config):
        warn(f"{origin}: {remark}")
    return config


def parse_config(content: str, origin: str, folder: Path | None = None) -> Config:
    """Return the configuration in TOML text; `origin` is for errors, `folder` holds its files."""
    tree = read_tree(content, origin, folder)
    with located(origin):
        return config_from_dict(tree)


def config_from_dict(tree: dict[str, Any]) -> Config:
    """Return the configuration that a nested dictionary (as from TOML) describes."""
    result = build(Config, tree, "")
    assert isinstance(result, Config)
    return result
