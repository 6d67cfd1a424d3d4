"""The largest layers that fit a board, by estimate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError

from .estimate import Estimate, error_of, estimate

Sized = TypeVar("Sized", Config, NetworkConfig)

SMALL = 72
"""Words above which no memory is in registers. Below, a larger layer can take fewer cells."""


@dataclass(frozen=True, slots=True)
class Room:
    """The resources for a layer or a network.

    Attributes
    ----------
    family : str
    limits : dict of str to int
        By kind of resource.
    margin : float or None
        Fraction that is added to each estimate; None: the worst measured error of each kind.
    networks : bool
        Whether the estimates, and so their errors, are those of networks.
    """

    family: str
    limits: Mapping[str, int]
    margin: float | None = None
    networks: bool = False

    def margin_of(self, kind: str) -> float:
        """Return the fraction that is added for a kind of resource."""
        if self.margin is not None:
            return self.margin
        return error_of(self.family, kind, networks=self.networks).worst

    def lacking(self, size: Estimate) -> list[str]:
        """Return the kinds of resources that an estimate exceeds."""
        return [
            kind
            for kind, used in size.total.items()
            if kind in self.limits and used * (1 + self.margin_of(kind)) > self.limits[kind]
        ]

    def lacking_for(self, config: Config | NetworkConfig, *, learning: bool) -> list[str]:
        """Return the kinds of resources that a layer or a network exceeds by estimate."""
        return self.lacking(estimate(config, self.family, learning=learning))


def largest(
    config: Config, room: Room, what: str, most: int, *, learning: bool = True
) -> tuple[Config | None, str]:
    """Return the largest configuration that fits, and why no larger one does.

    Parameters
    ----------
    config : Config
        Its other sizes are kept.
    room : Room
    what : str
        ``"inputs"``, ``"neurons"`` or ``"lanes"``.
    most : int
        Upper limit of the search.
    learning : bool

    Returns
    -------
    Config or None, str
        None if not even the smallest fits; the resources that the next larger one exceeds.
    """
    least = config.layer.lanes if what == "neurons" else 1
    most = min(most, config.layer.neurons) if what == "lanes" else most

    def sized(number: int) -> Config:
        return config.replace(**{f"layer__{what}": number})

    return largest_sized(sized, room, least, most, learning=learning)


def largest_sized(
    sized: Callable[[int], Sized], room: Room, least: int, most: int, *, learning: bool
) -> tuple[Sized | None, str]:
    """Return the largest layer or network of a range of sizes that fits, and why no larger one.

    Parameters
    ----------
    sized : callable
        Takes a size and returns the layer or network of that size.
    room : Room
    least, most : int
    learning : bool

    Returns
    -------
    Config or NetworkConfig or None, str
        As for `largest`.
    """

    def lacks(number: int) -> str:
        try:
            tried = sized(number)
        except BitlifError as error:
            return str(error)
        return ", ".join(room.lacking_for(tried, learning=learning))

    low, high, why = least - 1, most + 1, f"more than {most} not tried"
    while high - low > 1:
        middle = (low + high) // 2
        lacking = lacks(middle)
        if lacking:
            high, why = middle, lacking
        else:
            low = middle
    # A memory that moves from registers to RAM makes a layer smaller, which misleads the search.
    # Only small memories are in registers.
    for number in range(min(most, SMALL), high, -1):
        if not lacks(number):
            low, why = number, lacks(number + 1)
            break
    return (sized(low) if low >= least else None), why


def frontier(
    config: Config, room: Room, counts: Sequence[int], most: int, *, learning: bool = True
) -> tuple[int, list[tuple[int, Config | None]]]:
    """Return the configuration with the most neurons that fit, for each number of inputs.

    Parameters
    ----------
    config : Config
        Everything but its sizes is kept.
    room : Room
    counts : sequence of int
        Numbers of inputs.
    most : int
        Upper limit of the neurons.
    learning : bool

    Returns
    -------
    int, list of (int, Config or None)
        The lanes of all of them, which is the most with which the given layer fits (1 if it never
        does), and each number of inputs with its configuration.
    """
    widest, _ = largest(config, room, "lanes", config.layer.neurons, learning=learning)
    lanes = widest.layer.lanes if widest else 1
    found: list[tuple[int, Config | None]] = []
    for inputs in counts:
        try:
            own = config.replace(layer__inputs=inputs, layer__lanes=lanes)
        except BitlifError:
            found.append((inputs, None))
            continue
        found.append((inputs, largest(own, room, "neurons", most, learning=learning)[0]))
    return lanes, found
