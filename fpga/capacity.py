"""The largest layers that fit a board, by estimate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError

from .estimate import Estimate, error_of, estimate

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

    def lacks(number: int) -> str:
        try:
            tried = config.replace(**{f"layer__{what}": number})
        except BitlifError as error:
            return str(error)
        return ", ".join(room.lacking(estimate(tried, room.family, learning=learning)))

    found, why = largest_number(lacks, least, most)
    return None if found is None else config.replace(**{f"layer__{what}": found}), why


def largest_number(lacks: Callable[[int], str], least: int, most: int) -> tuple[int | None, str]:
    """Return the largest number of a range that fits, and why no larger one does.

    Parameters
    ----------
    lacks : callable
        Takes a number and returns what it lacks, "" if it fits.
    least, most : int

    Returns
    -------
    int or None, str
        None if not even the least fits.
    """
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
    return (low if low >= least else None), why


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
