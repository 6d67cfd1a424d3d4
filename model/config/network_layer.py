"""A layer of a network: its sections, and its seeds."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from bitlif.model.errors import BitlifError, require_kind
from bitlif.model.sweep_sections import InitialConfig, SweepConfig

from .config import Config, config_from_dict
from .schema import build, to_plain, unknown_field
from .seeds import states_of
from .toml import config_to_dict

SIZES = ("inputs", "neurons", "lanes")
"""Fields that are in a section ``layer`` of a single layer, and at the top of one of a network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLayer:
    """A layer of a network: its configuration, its backward sweep, and the weights it starts with.

    Parameters
    ----------
    config : Config
    sweep : SweepConfig
    initial : InitialConfig
    """

    config: Config = field(default_factory=Config)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    initial: InitialConfig = field(default_factory=InitialConfig)

    def __post_init__(self) -> None:
        require_kind("config", self.config, Config)
        require_kind("sweep", self.sweep, SweepConfig)
        require_kind("initial", self.initial, InitialConfig)
        try:
            self.sweep.lfsr.check_lanes(self.config.layer.lanes)
        except BitlifError as error:
            raise BitlifError(f"layer.{error}") from error


def seeded_layer(own: NetworkLayer, number: int, which: int | str) -> NetworkLayer:
    """Return layer `number` of a network with seeds derived from a number or a name."""
    config = own.config.seeded(which if number == 0 else f"{which}/layer.{number}")
    tree = to_plain(own.sweep)
    (tree["lfsr"]["seed"],) = states_of(f"{which}/sweep.{number}", own.sweep.lfsr.width)
    (start,) = states_of(f"{which}/initial.{number}", 32)
    return NetworkLayer(
        config=config,
        sweep=build(SweepConfig, tree, "sweep."),
        initial=replace(own.initial, seed=start),
    )


def layer_from_dict(
    given: dict[str, Any], number: int, window: Any, before: int | None, name: str
) -> NetworkLayer:
    """Return layer `number` of a network from its table; errors name fields as in a single layer.

    Parameters
    ----------
    given : dict
        Its sizes and sections.
    number : int
    window : dict
        That of the network.
    before : int or None
        Neurons of the layer before; None in the first layer.
    name : str
        Name of the network.
    """
    _check_fields(given)
    sizes = {key: given[key] for key in SIZES if key in given}
    if before is not None:
        sizes.setdefault("inputs", before)
    sections = {key: given[key] for key in given if key not in (*SIZES, "sweep", "initial")}
    config = build(
        Config, {"name": f"{name}.{number}", "layer": sizes, "window": window, **sections}, ""
    )
    sweep = build(SweepConfig, given.get("sweep", {}), "sweep.")
    initial = build(InitialConfig, given.get("initial", {}), "initial.")
    own = NetworkLayer(config=config, sweep=sweep, initial=initial)
    other = seeded_layer(own, number, name)
    tree, drawn = config_to_dict(config), config_to_dict(other.config)
    for section in ("noise", "learning"):
        if number and "seed" not in sections.get(section, {}).get("lfsr", {}):
            tree[section]["lfsr"]["seed"] = drawn[section]["lfsr"]["seed"]
    if "seed" not in given.get("sweep", {}).get("lfsr", {}):
        sweep = other.sweep
    if "seed" not in given.get("initial", {}):
        initial = other.initial
    return NetworkLayer(config=config_from_dict(tree), sweep=sweep, initial=initial)


def _check_fields(given: dict[str, Any]) -> None:
    """Raise if a table of a layer of a network has a field that is unknown there."""
    sections = (
        item.name for item in fields(Config) if item.name not in ("name", "layer", "window")
    )
    known = (*SIZES, "initial", "sweep", *sections, "name")
    for key in given:
        if key not in known:
            raise BitlifError(unknown_field(key, known))
