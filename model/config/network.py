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
``[layer]`` is a network of one layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bitlif.model.derive import Derived, derive
from bitlif.model.derive_sweep import DerivedSweep, derive_sweep
from bitlif.model.display import one_line
from bitlif.model.errors import BitlifError, BitlifTypeError, located, require_kind
from bitlif.model.sweep_sections import SweepConfig
from bitlif.model.text import quoted

from .config import READY_MADE, Config, config_from_dict, ready_made
from .schema import build, to_plain
from .seeds import states_of
from .toml import config_to_dict, read_source, read_tree

MAX_LAYERS = 16
"""Most layers of a network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLayer:
    """A layer of a network: its configuration, and that of its backward sweep."""

    config: Config = field(default_factory=Config)
    sweep: SweepConfig = field(default_factory=SweepConfig)

    def __post_init__(self) -> None:
        require_kind("config", self.config, Config)
        require_kind("sweep", self.sweep, SweepConfig)
        try:
            self.sweep.lfsr.check_lanes(self.config.layer.lanes)
        except BitlifError as error:
            raise BitlifError(f"layer.{error}") from error


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
        random sources start with the same state of the same polynomial, or a constant of the sweep
        cannot be derived. The message names the layer and the field.
    """

    name: str = "network"
    layers: tuple[NetworkLayer, ...] = (NetworkLayer(),)

    def __post_init__(self) -> None:
        if not isinstance(self.layers, tuple) or not 1 <= len(self.layers) <= MAX_LAYERS:
            raise BitlifTypeError(
                f"layers must be a tuple of 1 ..= {MAX_LAYERS} NetworkLayer, "
                f"not {quoted(self.layers)}"
            )
        for number, layer in enumerate(self.layers):
            require_kind(f"layers[{number}]", layer, NetworkLayer)
        first = self.layers[0].config
        for number in range(1, len(self.layers)):
            self._check_pair(number, first)
        for number, layer in enumerate(self.layers[:-1]):
            if layer.config.membrane.reset != "free":
                raise BitlifError(
                    f"layer.{number}.membrane.reset must be 'free' in hidden layers, which have "
                    f"no targets, not '{layer.config.membrane.reset}'"
                )
        self._check_sources()
        for number in range(len(self.layers)):
            with located(f"layer.{number}"):
                self.derived_sweep(number)

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
            for name, lfsr in (
                ("noise", config.noise.lfsr),
                ("learning", config.learning.lfsr),
                ("sweep", layer.sweep.lfsr),
            ):
                for start in dict.fromkeys(lfsr.streams(config.layer.lanes)):
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

    @classmethod
    def of(cls, *layers: NetworkLayer, name: str = "network", seed: int | str = 0) -> NetworkConfig:
        """Return a network of these layers, with all LFSR seeds derived from a number or a name."""
        seeded = tuple(_seeded(own, number, seed) for number, own in enumerate(layers))
        return cls(name=name, layers=seeded)

    def seeded(self, which: int | str) -> NetworkConfig:
        """Return a copy whose LFSR seeds are all derived from a number or a name.

        The first layer's are those of `Config.seeded`.
        """
        return NetworkConfig.of(*self.layers, name=self.name, seed=which)

    @classmethod
    def load(cls, source: Any) -> NetworkConfig:
        """Read a network, or a single layer as a network, from a TOML file or by name."""
        content, origin, folder = read_source("configuration", source, READY_MADE, ready_made())
        tree = read_tree(content, origin, folder)
        with located(origin):
            return network_from_dict(tree)

    def __repr__(self) -> str:
        sizes = "-".join(
            str(size)
            for size in (
                self.layers[0].config.layer.inputs,
                *(own.config.layer.neurons for own in self.layers),
            )
        )
        steps = self.layers[0].config.window.steps
        return one_line("NetworkConfig", {"name": self.name, "sizes": sizes, "steps": steps})


def _seeded(own: NetworkLayer, number: int, which: int | str) -> NetworkLayer:
    config = own.config.seeded(which if number == 0 else f"{which}/layer.{number}")
    tree = to_plain(own.sweep)
    (tree["lfsr"]["seed"],) = states_of(f"{which}/sweep.{number}", own.sweep.lfsr.width)
    return NetworkLayer(config=config, sweep=build(SweepConfig, tree, "sweep."))


def network_from_dict(tree: dict[str, Any]) -> NetworkConfig:
    """Return the network that a nested dictionary, such as parsed TOML, describes.

    Seeds that are left out are those of ``seeded("NAME OF THE NETWORK")`` in all layers but the
    first.
    """
    layers = tree.get("layer")
    if not isinstance(layers, list):
        config = config_from_dict(tree)
        return NetworkConfig(name=config.name, layers=(NetworkLayer(config=config),))
    for name in tree:
        if name not in ("name", "window", "layer"):
            raise BitlifError(f"{name} is not a field of a network; known are name, window, layer")
    name = tree.get("name", "network")
    made: list[NetworkLayer] = []
    for number, given in enumerate(layers):
        if not isinstance(given, dict):
            raise BitlifTypeError(f"layer.{number} must be a table, not {quoted(given)}")
        before = made[-1].config.layer.neurons if made else None
        made.append(_layer(given, number, tree.get("window", {}), before, str(name)))
    return NetworkConfig(name=name, layers=tuple(made))


def _layer(
    given: dict[str, Any], number: int, window: Any, before: int | None, name: str
) -> NetworkLayer:
    sizes = {key: given[key] for key in ("inputs", "neurons", "lanes") if key in given}
    if before is not None:
        sizes.setdefault("inputs", before)
    sections = {key: given[key] for key in given if key not in (*sizes, "sweep")}
    for key in ("layer", "window", "name"):
        if key in sections:
            raise BitlifError(f"layer.{number}.{key} is not a field of a layer of a network")
    prefix = f"layer.{number}."
    config = build(
        Config,
        {"name": f"{name}.{number}", "layer": sizes, "window": window, **sections},
        prefix,
    )
    sweep = build(SweepConfig, given.get("sweep", {}), f"{prefix}sweep.")
    own = NetworkLayer(config=config, sweep=sweep)
    other = _seeded(own, number, name)
    tree, drawn = config_to_dict(config), config_to_dict(other.config)
    for section in ("noise", "learning"):
        if number and "seed" not in sections.get(section, {}).get("lfsr", {}):
            tree[section]["lfsr"]["seed"] = drawn[section]["lfsr"]["seed"]
    if "seed" not in given.get("sweep", {}).get("lfsr", {}):
        sweep = other.sweep
    return NetworkLayer(config=config_from_dict(tree), sweep=sweep)
