"""A layer of a network: its sections, and its seeds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bitlif.model.errors import BitlifError, require_kind
from bitlif.model.sweep_sections import InitialConfig, SweepConfig

from .config import Config
from .schema import build, to_plain
from .seeds import states_of


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
