"""The section ``gates`` of a configuration: widths and memories of the gates."""

from __future__ import annotations

from dataclasses import dataclass

from bitlif.model.errors import BitlifError, plain_fields, require_choice, require_int

MAX_WIDTH = 1024
SINGLE_PORTS = ("none", "weights", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatesConfig:
    """Widths and memories of the gates: clock cycles and area depend on them, results never do.

    Parameters
    ----------
    synapses : int
        Weights S of a row, added in one clock cycle: a multiple of the lanes, or 0 for as many as
        lanes.
    products : int
        Products L of the gradient in one clock cycle: a multiple of the lanes, or 0 for as many as
        `synapses`.
    single_port : str
        Memories with one port for reads and writes, such as the large RAM of a UP5K: ``"none"``,
        ``"weights"``, or ``"all"``, the gradient too. A pass that reads and writes one of them
        takes two clock cycles per row.
    """

    synapses: int = 0
    products: int = 0
    single_port: str = "none"

    def __post_init__(self) -> None:
        plain_fields(self)
        require_int("synapses", self.synapses, 0, MAX_WIDTH)
        require_int("products", self.products, 0, MAX_WIDTH)
        require_choice("single_port", self.single_port, SINGLE_PORTS)

    def check_lanes(self, lanes: int, slots: int) -> None:
        """Raise unless the widths are multiples of the lanes and no wider than all slots.

        Raises
        ------
        BitlifError
            The message names the field.
        """
        most = slots * lanes
        for name, width in (("synapses", self.synapses), ("products", self.products)):
            if width % lanes or width > most:
                raise BitlifError(
                    f"{name} must be 0 or a multiple of layer.lanes = {lanes}, at most {most}, "
                    f"not {width}"
                )
