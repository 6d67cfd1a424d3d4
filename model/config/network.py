"""Configurations of networks: layers in a row, with one window.

A network is a TOML file with ``[[layer]]`` tables, each with the sections of a configuration and a
section ``sweep``::

    name = "digits-96"

    [window]
    steps = 64

    [[layer]]
    inputs = 65
    neurons = 96
    lanes = 4
    synapse = { weight = "s12.9" }
    sweep = { credit = "s10.6", surrogate = { width = 0.6 } }

    [[layer]]
    neurons = 10

The inputs of all layers but the first are the neurons of the layer before. A file with a table
``[layer]`` is a network of one layer, which starts with zero weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.derive import Derived, derive
from bitlif.model.derive_sweep import DerivedSweep, derive_sweep
from bitlif.model.display import html_table, one_line
from bitlif.model.errors import (
    BitlifError,
    BitlifTypeError,
    located,
    located_in_layer,
    require_kind,
    warn,
)
from bitlif.model.initial import start_weights
from bitlif.model.period import check_sweep_draws
from bitlif.model.sections import check_name
from bitlif.model.sweep_sections import NO_WEIGHTS
from bitlif.model.text import quoted

from .config import Config, config_from_dict, read_ready_made, save_text
from .network_layer import NetworkLayer, layer_from_dict, seeded_layer
from .network_remarks import network_remarks
from .network_tree import changed_tree, dump_network, network_hash, network_to_dict
from .remarks import remarks
from .toml import config_hash, dump_config, read_tree

__all__ = [
    "MAX_LAYERS", "NetworkConfig", "NetworkLayer", "any_hash", "any_text", "load_any_config",
    "network_from_dict", "outer", "parse_any_config", "single",
]  # fmt: skip

MAX_LAYERS = 16
"""Most layers of a network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Layers in a row: the output spikes of a layer are the input events of the next, at once.

    Parameters
    ----------
    name : str
    layers : tuple of NetworkLayer
        From the inputs to the outputs, 1 ..= 16. All have the same window.

    Raises
    ------
    BitlifError
        If sizes or windows of layers do not match, a hidden layer has a teacher's reset, two
        random sources start with the same state of the same polynomial, draws of a sweep do not
        vary, or a constant of the sweep cannot be derived. The message names the layer and the
        field.

    Examples
    --------
    >>> NetworkConfig.of(NetworkLayer(), NetworkLayer(config=Config().replace(layer__inputs=10)))
    <NetworkConfig name='network' sizes='64-10-10' steps=64>
    """

    name: str = "network"
    layers: tuple[NetworkLayer, ...] = (NetworkLayer(),)

    def __post_init__(self) -> None:
        check_name(self.name)
        if not isinstance(self.layers, tuple):
            raise BitlifTypeError(
                f"layers must be a tuple of NetworkLayer, not {quoted(self.layers)}"
            )
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise BitlifTypeError(
                f"a network must have 1 ..= {MAX_LAYERS} layers, not {len(self.layers)}"
            )
        for number, layer in enumerate(self.layers):
            require_kind(f"layers[{number}]", layer, NetworkLayer)
        first = self.layers[0].config
        for number in range(1, len(self.layers)):
            self._check_pair(number, first)
        for number, layer in enumerate(self.layers[:-1]):
            if layer.config.membrane.reset == "teacher":
                raise BitlifError(
                    f"layer.{number}.membrane.reset must be 'free' or 'subtract' in hidden layers, "
                    f"which have no targets, not '{layer.config.membrane.reset}'"
                )
        self._check_sources()
        for number, layer in enumerate(self.layers):
            with located_in_layer(number):
                self.derived_sweep(number)
                check_sweep_draws(layer.sweep, layer.config.layer, hidden=self.is_hidden(number))

    def _check_pair(self, number: int, first: Config) -> None:
        before, own = self.layers[number - 1].config, self.layers[number].config
        if own.layer.inputs != before.layer.neurons:
            raise BitlifError(
                f"layer.{number}.inputs must be the {before.layer.neurons} neurons of the layer "
                f"before, not {own.layer.inputs}"
            )
        if own.window != first.window:
            raise BitlifError(f"layer.{number}.window must be that of layer.0: {first.window}")

    def _check_sources(self) -> None:
        """Raise if two random sources are the same sequence at the same place."""
        seen: dict[Any, str] = {}
        for name, start in self._sources():
            if start in seen:
                raise BitlifError(
                    f"{name}.seed must differ from that of {seen[start]}: both would draw the "
                    f"same bits; leave the seeds out, or use NetworkConfig.seeded"
                )
            seen[start] = name

    def _sources(self) -> Iterator[tuple[str, Any]]:
        for number, layer in enumerate(self.layers):
            config = layer.config
            for name, source in (
                ("noise", config.noise),
                ("learning", config.learning.lfsr),
                ("sweep", layer.sweep.lfsr),
            ):
                for start in dict.fromkeys(source.streams(config.layer.lanes)):
                    yield f"layer.{number}.{name}.lfsr", start

    def derived(self, number: int) -> Derived:
        """Return what is derived from a layer's configuration."""
        return derive(self.layers[number].config)

    def derived_sweep(self, number: int) -> DerivedSweep:
        """Return what is derived for the sweep of a layer."""
        own = self.layers[number]
        if number == len(self.layers) - 1:
            return derive_sweep(own.config, own.sweep, None, None, 0)
        after = self.layers[number + 1]
        return derive_sweep(
            own.config, own.sweep, after.config.synapse.weight, after.sweep.current,
            after.config.layer.neurons,
        )  # fmt: skip

    @property
    def learned_from(self) -> int:
        """Index of the first layer that is learned: those before a feedback ``"none"`` are not."""
        return max(
            (n + 1 for n, own in enumerate(self.layers[:-1]) if own.sweep.feedback == "none"),
            default=0,
        )

    def is_hidden(self, number: int) -> bool:
        """Return whether layer `number` is hidden: not the last one."""
        return number < len(self.layers) - 1

    @property
    def outer(self) -> Config:
        """The network seen from outside: the inputs of the first layer, all else of the last."""
        first, last = self.layers[0].config, self.layers[-1].config
        sizes = replace(last.layer, inputs=first.layer.inputs)
        return replace(last, name=self.name, layer=sizes)

    def initial_weights(self) -> list[NDArray[np.int64]]:
        """Return the raw weights that the network starts with: (N, M) int64 of each layer."""
        return [start_weights(own.config, own.initial) for own in self.layers]

    @classmethod
    def of(cls, *layers: NetworkLayer, name: str = "network", seed: int | str = 0) -> NetworkConfig:
        """Return a network of these layers, with all seeds derived from a number or a name."""
        seeded = tuple(seeded_layer(own, number, seed) for number, own in enumerate(layers))
        return cls(name=name, layers=seeded)

    def seeded(self, which: int | str) -> NetworkConfig:
        """Return a copy whose seeds are all derived from a number or a name.

        These are the seeds of the LFSRs and of the start weights. The LFSRs of the first layer
        have the seeds of `Config.seeded`.
        """
        return NetworkConfig.of(*self.layers, name=self.name, seed=which)

    def replace(self, **changes: Any) -> NetworkConfig:
        """Return a copy with changed fields; dots in the name of a field become two underscores.

        The fields of layer n are ``layer__n__…``. The inputs of a layer follow the neurons of the
        layer before.

        >>> network = NetworkConfig.load("tiny").replace(layer__0__sweep__credit="s8.4")
        >>> str(network.layers[0].sweep.credit)
        's8.4'

        Raises
        ------
        BitlifError
            If a field does not exist or is refused.
        """
        return network_from_dict(changed_tree(self.to_dict(), changes))

    def to_dict(self, *, full: bool = False) -> dict[str, Any]:
        """Return all fields as a nested dictionary; `network_from_dict` is the inverse.

        Sections ``gates`` with their defaults are left out, unless `full` is true.
        """
        return network_to_dict(self.name, self.layers, full=full)

    @classmethod
    def load(cls, source: Any) -> NetworkConfig:
        """Read a network, or a single layer as a network, from a TOML file or by name.

        Errors and warnings are those of `load_any_config`.
        """
        found = load_any_config(source)
        return single(found) if isinstance(found, Config) else found

    def save(self, path: str | Path) -> None:
        """Write the network to a TOML file with all fields, atomically; see `Config.save`."""
        save_text(path, dump_network(self.to_dict()))

    def facts(self) -> dict[str, object]:
        """Return name, sizes and steps, as representations show them."""
        sizes = (own.config.layer.neurons for own in self.layers)
        inputs = self.layers[0].config.layer.inputs
        return {
            "name": self.name,
            "sizes": "-".join(str(size) for size in (inputs, *sizes)),
            "steps": self.layers[0].config.window.steps,
        }

    def __repr__(self) -> str:
        return one_line("NetworkConfig", self.facts())

    def _repr_html_(self) -> str:
        weights = ", ".join(str(own.config.synapse.weight) for own in self.layers)
        more = {"weights": weights, "hash": network_hash(self.to_dict())}
        return html_table("NetworkConfig", {**self.facts(), **more})


def single(config: Config) -> NetworkConfig:
    """Return a single layer as a network, which starts with zero weights as the layer does."""
    layer = NetworkLayer(config=config, initial=NO_WEIGHTS)
    return NetworkConfig(name=config.name, layers=(layer,))


def outer(config: Config | NetworkConfig) -> Config:
    """Return a layer unchanged, or a network as it is seen from outside: `NetworkConfig.outer`."""
    return config.outer if isinstance(config, NetworkConfig) else config


def any_hash(config: Config | NetworkConfig) -> str:
    """Return 16 hexadecimal digits of a hash of all fields that results depend on.

    These are all but the names and the sections ``gates``.
    """
    return (
        network_hash(config.to_dict()) if isinstance(config, NetworkConfig) else config_hash(config)
    )


def any_text(config: Config | NetworkConfig) -> str:
    """Return a configuration as TOML with all fields, as `save` writes it."""
    if isinstance(config, NetworkConfig):
        return dump_network(config.to_dict())
    return dump_config(config)


def load_any_config(source: Any) -> Config | NetworkConfig:
    """Read a configuration of a layer or of a network from a TOML file, or by name.

    A file with ``[[layer]]`` tables describes a network.

    Raises
    ------
    BitlifError
        If the file or name does not exist, the file is not valid TOML, or a field is refused.

    Warns
    -----
    BitlifWarning
        For each value that is legal but probably not intended.
    """
    content, origin, folder = read_ready_made(source)
    found = parse_any_config(content, origin, folder)
    noted = network_remarks(found.layers) if isinstance(found, NetworkConfig) else remarks(found)
    for remark in noted:
        warn(f"{origin}: {remark}")
    return found


def parse_any_config(
    content: str, origin: str, folder: Path | None = None
) -> Config | NetworkConfig:
    """Return the layer or the network in TOML text; parameters are those of `parse_config`."""
    tree = read_tree(content, origin, folder)
    with located(origin):
        if isinstance(tree.get("layer"), list):
            return network_from_dict(tree)
        return config_from_dict(tree)


def network_from_dict(tree: dict[str, Any]) -> NetworkConfig:
    """Return the network that a nested dictionary, such as parsed TOML, describes.

    Seeds that are left out are those of ``seeded("NAME OF THE NETWORK")`` in all layers but the
    first.
    """
    layers = tree.get("layer")
    if not isinstance(layers, list):
        return single(config_from_dict(tree))
    for name in tree:
        if name not in ("name", "window", "layer"):
            raise BitlifError(f"{name} is not a field of a network; known are name, window, layer")
    if not 1 <= len(layers) <= MAX_LAYERS:
        raise BitlifError(
            f"a network must have 1 ..= {MAX_LAYERS} [[layer]] tables, not {len(layers)}"
        )
    name = tree.get("name", "network")
    check_name(name)
    made: list[NetworkLayer] = []
    for number, given in enumerate(layers):
        if not isinstance(given, dict):
            raise BitlifTypeError(f"layer.{number} must be a table, not {quoted(given)}")
        before = made[-1].config.layer.neurons if made else None
        with located_in_layer(number):
            made.append(layer_from_dict(given, number, tree.get("window", {}), before, str(name)))
    return NetworkConfig(name=name, layers=tuple(made))
