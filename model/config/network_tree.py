"""Networks as nested dictionaries and TOML text; the inverse is `network_from_dict`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import tomli_w

from bitlif.model.errors import BitlifError
from bitlif.model.sections import Settings
from bitlif.model.sweep_sections import InitialConfig, SweepConfig

from .schema import to_plain
from .toml import config_to_dict


class LayerSections(Protocol):
    """What is read of a layer: `bitlif.model.config.network.NetworkLayer`."""

    @property
    def config(self) -> Settings:
        """The sections of a layer."""

    @property
    def sweep(self) -> SweepConfig:
        """Its backward sweep."""

    @property
    def initial(self) -> InitialConfig:
        """Its start weights."""


def network_to_dict(
    name: str, layers: Sequence[LayerSections], *, full: bool = False
) -> dict[str, Any]:
    """Return all fields of a network as a nested dictionary.

    The inputs of all layers but the first are left out: they are the neurons of the layer before.
    So is a section ``gates`` with its defaults, unless `full` is true.
    """
    tables = []
    for number, own in enumerate(layers):
        tree = config_to_dict(own.config, full=full)
        sizes = tree.pop("layer")
        if number:
            del sizes["inputs"]
        del tree["window"]
        if tree["name"] == f"{name}.{number}":
            del tree["name"]
        tables.append(
            {**sizes, **tree, "sweep": to_plain(own.sweep), "initial": to_plain(own.initial)}
        )
    return {"name": name, "window": to_plain(layers[0].config.window), "layer": tables}


def dump_network(tree: dict[str, Any]) -> str:
    """Return the dictionary of a network as TOML text."""
    return tomli_w.dumps(tree)


def network_hash(tree: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits of a hash of all fields that results depend on.

    These are all but the names and the sections ``gates``.
    """
    layers = [
        {key: value for key, value in own.items() if key not in ("name", "gates")}
        for own in tree["layer"]
    ]
    fields = {"window": tree["window"], "layer": layers}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def flat_network(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a network by their dotted names: ``layer.0.synapse.weight``."""
    found: dict[str, Any] = {}

    def visit(node: Any, path: str) -> None:
        tables = isinstance(node, list) and node and all(isinstance(n, dict) for n in node)
        if isinstance(node, dict) or tables:
            items = node.items() if isinstance(node, dict) else enumerate(node)
            for key, value in items:
                visit(value, f"{path}.{key}" if path else str(key))
        else:
            found[path] = node

    visit(tree, "")
    return found


def changed_tree(tree: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dictionary of a network with changed fields.

    Parameters
    ----------
    tree : dict
        It is modified.
    changes : mapping
        By the names of fields, with two underscores for each dot.

    Raises
    ------
    BitlifError
        If a path leads through a field that is no table, or to a layer that does not exist.
    """
    for path, value in changes.items():
        *sections, last = path.split("__")
        node: Any = tree
        for section in sections:
            if isinstance(node, list):
                if not section.isdecimal() or int(section) >= len(node):
                    raise BitlifError(
                        f"{path.replace('__', '.')} must name one of the {len(node)} layers, from "
                        f"layer.0, not '{section}'"
                    )
                node = node[int(section)]
            else:
                node = node.setdefault(section, {})
            if not isinstance(node, (dict, list)):
                raise BitlifError(f"{path.replace('__', '.')} is not a field")
        if not isinstance(node, dict):
            raise BitlifError(f"{path.replace('__', '.')} is not a field")
        node[last] = to_plain(value)
    return tree
