"""Sizes of the gates: rows of weights, groups of products, and where a weight lies in memory."""

from __future__ import annotations

from dataclasses import dataclass

from bitlif.model.sections import Settings

KEPT_ERRORS = 128
"""Most bits of the errors of a step that are kept in registers."""
UPDATE = 7
"""Clock cycles from the read of a weight to its write, in an update."""


@dataclass(frozen=True, slots=True)
class GateSizes:
    """Sizes of the core of a layer with N inputs and K slots of P neurons.

    Attributes
    ----------
    inputs, neurons, lanes, slots : int
        N, M, P and K, as in ``config.layer``.
    synapses, products : int
        Weights S of a row, and products L of the gradient in one clock cycle.
    row_slots, group_slots : int
        Slots G of a row of weights, S / P, and H of a group of products, L / P.
    rows, groups : int
        Rows R of the weights of an input, and groups Q of the products of an input.
    single_weights, single_gradient : bool
        Whether the memory has one port for reads and writes.
    keeps_errors : bool
        Whether a shift register keeps the errors of a step, rather than a memory those of two.
    """

    inputs: int
    neurons: int
    lanes: int
    slots: int
    synapses: int
    products: int
    row_slots: int
    group_slots: int
    rows: int
    groups: int
    single_weights: bool
    single_gradient: bool
    keeps_errors: bool

    @property
    def pace(self) -> int:
        """Clock cycles per row of the gradient in a pass over the inputs."""
        return 2 if self.single_gradient else 1

    @property
    def update_pace(self) -> int:
        """Clock cycles per P synapses of the update.

        They are 2 with a memory of one port, and where a row would be read for one of its slots in
        the clock cycle in which another slot of it is written: block RAM may not return it.
        """
        distance, rest = divmod(UPDATE, self.inputs)
        meets = not rest and 0 < distance < self.row_slots
        return 2 if self.single_gradient or self.single_weights or meets else 1

    @property
    def update_clocks(self) -> int:
        """Clock cycles from the start of an update of all weights to its last write."""
        return self.update_pace * self.inputs * self.slots + UPDATE

    @property
    def place_bits(self) -> int:
        """Low bits of the host's address of a weight: the slot within its row."""
        return (self.row_slots - 1).bit_length()

    @property
    def weight_addresses(self) -> int:
        """Number of addresses of weights at the host's port, unused ones included."""
        return self.inputs * self.rows << self.place_bits

    def weight_address(self, number: int, slot: int) -> int:
        """Return the host's address of the P weights from an input to a slot.

        The upper bits are the row of the memory, the lower `place_bits` the slot within it.
        """
        row, place = divmod(slot, self.row_slots)
        return (number * self.rows + row) << self.place_bits | place

    def addresses_in_order(self) -> list[int]:
        """Return the host's addresses of all weights, by input and then by slot."""
        return [
            self.weight_address(number, slot)
            for number in range(self.inputs)
            for slot in range(self.slots)
        ]


def gate_sizes(config: Settings) -> GateSizes:
    """Return the sizes of the core that a configuration describes.

    >>> from bitlif.model.config.config import Config
    >>> sizes = gate_sizes(Config.load("digits").replace(gates__synapses=10))
    >>> sizes.row_slots, sizes.rows, sizes.products, sizes.weight_address(3, 4)
    (5, 1, 10, 28)
    """
    layer, gates = config.layer, config.gates
    synapses = gates.synapses or layer.lanes
    products = gates.products or synapses
    error, groups = config.error.format.bits, -(-layer.slots * layer.lanes // products)
    row_slots, group_slots = synapses // layer.lanes, products // layer.lanes
    return GateSizes(
        inputs=layer.inputs,
        neurons=layer.neurons,
        lanes=layer.lanes,
        slots=layer.slots,
        synapses=synapses,
        products=products,
        row_slots=row_slots,
        group_slots=group_slots,
        rows=-(-layer.slots // row_slots),
        groups=groups,
        single_weights=gates.single_port != "none",
        single_gradient=gates.single_port == "all",
        keeps_errors=groups == 1 or layer.slots * layer.lanes * error <= KEPT_ERRORS,
    )
