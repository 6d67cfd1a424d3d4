"""The configuration: the immutable object that model, gates, benches and studies are built from."""

from __future__ import annotations

import functools
import importlib.resources
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitlif.model.derive import derive
from bitlif.model.display import html_table, one_line
from bitlif.model.errors import BitlifError, BitlifTypeError, located, warn
from bitlif.model.period import check_draws
from bitlif.model.sections import Settings
from bitlif.model.text import path_text, quoted

from .remarks import remarks
from .schema import build, to_plain
from .seeds import seeds_of
from .toml import config_hash, config_to_dict, dump_config, read_source, read_tree

READY_MADE = importlib.resources.files("bitlif.configs")

CONFORMANCE = "conformance"
"""The folder of the conformance set below `READY_MADE`."""
"""Folder of the configurations that come with the package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Settings):
    """Everything that results depend on, to the bit; `bitlif.model.sections` describes the fields.

    Raises
    ------
    BitlifError
        If a field is refused; the message names the field with its section, its value and the
        accepted range.

    Examples
    --------
    >>> from bitlif.model.sections import LayerConfig
    >>> config = Config(name="small", layer=LayerConfig(inputs=4, neurons=2))
    >>> config
    <Config name='small' inputs=4 neurons=2 lanes=1 steps=64 phases=1>
    >>> config.synapse.weight, config.schedule[0].sigma
    (Format(bits=8, frac=6, signed=True), 0.2)
    """

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        # Checks across sections: every derived constant and width must exist.
        derive(self)
        check_draws(self)

    @classmethod
    def load(cls, source: Any) -> Config:
        """Read a TOML file, or a ready-made configuration by name; see `load_config`."""
        return load_config(source)

    def save(self, path: str | Path) -> None:
        """Write the configuration to a TOML file with all fields, atomically.

        `Config.load` returns an equal configuration.

        Parameters
        ----------
        path : str or Path
            A name ending in ``.toml``, as `Config.load` requires.

        Raises
        ------
        BitlifTypeError
            If `path` is not a string or a `Path`.
        BitlifError
            If the name does not end in ``.toml``.
        OSError
            If the file cannot be written, for example because it is a folder. An existing file is
            then unchanged.
        """
        save_text(path, dump_config(self))

    def _facts(self) -> dict[str, object]:
        return {
            "name": self.name, "inputs": self.layer.inputs, "neurons": self.layer.neurons,
            "lanes": self.layer.lanes, "steps": self.window.steps, "phases": len(self.schedule),
        }  # fmt: skip

    def __repr__(self) -> str:
        return one_line("Config", self._facts())

    def _repr_html_(self) -> str:
        more = {
            "weights": self.synapse.weight, "current": self.synapse.current,
            "membrane": self.membrane.format, "noise": self.noise.kind,
            "learning rule": self.error.rule, "hash": config_hash(self),
        }  # fmt: skip
        return html_table("Config", {**self._facts(), **more})

    def replace(self, **changes: Any) -> Config:
        """Return a copy with changed fields; dots in the name of a field become two underscores.

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
        """Return a copy whose LFSR seeds are derived from a number or a name.

        Layers of one configuration draw identical noise unless their seeds differ. See
        `bitlif.model.config.seeds`.

        >>> layers = [Config().seeded(name) for name in ("hidden", "output")]
        >>> layers[0].noise.lfsr.seed != layers[1].noise.lfsr.seed
        True
        """
        noise, learning = seeds_of(self, which)
        return self.replace(noise__lfsr__seed=noise, learning__lfsr__seed=learning)


def ready_made() -> list[str]:
    """Return the names of the single layers that come with the package."""
    return [name for name, network in _ready_made().items() if not network]


def ready_made_networks() -> list[str]:
    """Return the names of the networks that come with the package."""
    return [name for name, network in _ready_made().items() if network]


@functools.cache
def _ready_made() -> dict[str, bool]:
    """Return the names of all configurations that come with the package: network or not."""
    files = sorted((one.name, one) for one in READY_MADE.iterdir() if one.name.endswith(".toml"))
    return {
        name[:-5]: any(line.startswith("[[layer]]") for line in one.read_text("utf-8").splitlines())
        for name, one in files
    }


def conformance() -> list[str]:
    """Return the names of the conformance set's configurations: ``"conformance/hold"``."""
    files = READY_MADE.joinpath(CONFORMANCE).iterdir()
    return sorted(f"{CONFORMANCE}/{one.name[:-5]}" for one in files if one.name.endswith(".toml"))


def summary_of(name: str) -> str:
    """Return the description of a ready-made configuration: the first comment of its file."""
    first = (READY_MADE / f"{name}.toml").read_text("utf-8").splitlines()[0]
    return first.lstrip("# ")


def save_text(path: str | Path, text: str) -> None:
    """Write the TOML text of a configuration to a file, atomically; see `Config.save`."""
    # Files are locked while they are written, which not every system can do.
    from bitlif.model.storage.atomic import write_file

    if not isinstance(path, str | Path):
        raise BitlifTypeError(f"a configuration's file must be a path, not {quoted(path)}")
    path = Path(path)
    if path.suffix != ".toml":
        raise BitlifError(f"a configuration's file must end in .toml, not '{path_text(path)}'")
    write_file(path, text)


def read_ready_made(source: Any) -> tuple[str, str, Path | None]:
    """Return text, name and folder of a TOML file, or of a ready-made one; see `read_source`."""
    known = [*ready_made(), *ready_made_networks()]
    if str(source).startswith(f"{CONFORMANCE}/"):
        known = conformance()
    return read_source("configuration", source, READY_MADE, known)


def load_config(source: str | Path) -> Config:
    """Read a configuration from a TOML file, or a ready-made one by its name.

    Raises
    ------
    BitlifError
        If the file or name does not exist, the file is not valid TOML, or a field is refused.

    Warns
    -----
    BitlifWarning
        For each value that is legal but probably not intended; see
        `bitlif.model.config.remarks`.
    """
    content, origin, folder = read_ready_made(source)
    config = parse_config(content, origin, folder)
    for remark in remarks(config):
        warn(f"{origin}: {remark}")
    return config


def parse_config(content: str, origin: str, folder: Path | None = None) -> Config:
    """Return the configuration in TOML text.

    Parameters
    ----------
    content : str
    origin : str
        Name of the text in errors.
    folder : Path, optional
        Folder of the files that the text refers to.
    """
    tree = read_tree(content, origin, folder)
    layers = tree.get("layer")
    if isinstance(layers, list) and layers and all(isinstance(own, dict) for own in layers):
        raise BitlifError(
            f"{origin}: layer must be one table, not {len(layers)} [[layer]] tables: these "
            f"describe a network, and a single layer is needed here"
        )
    with located(origin):
        return config_from_dict(tree)


def config_from_dict(tree: dict[str, Any]) -> Config:
    """Return the configuration that a nested dictionary, such as parsed TOML, describes."""
    result = build(Config, tree, "")
    assert isinstance(result, Config)
    return result
