"""Events, targets and spikes as the items of the UART bridge (docs/uart.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events

from .frames import MOST_ITEMS


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Input items in a row, and where they may be cut.

    Attributes
    ----------
    data : bytes
    ends : (n,) int64
        Where each item ends, ascending.
    step_ends : (W * T,) int64
        Where each item that ends a step does, ascending.
    """

    data: bytes
    ends: NDArray[np.int64]
    step_ends: NDArray[np.int64]

    def piece(self, begin: int) -> bytes:
        """Return the whole items from `begin` on that one frame takes."""
        fitting = np.searchsorted(self.ends, begin + MOST_ITEMS, "right")
        return self.data[begin : int(self.ends[fitting - 1]) if fitting else begin]

    def steps(self, consumed: int) -> int:
        """Return how many steps the first `consumed` bytes end."""
        return int(np.searchsorted(self.step_ends, consumed, "right"))


def input_items(config: Config, events: Events, targets: NDArray[Any] | None) -> Items:
    """Return the items of windows.

    Parameters
    ----------
    config : Config
    events : Events
    targets : (W, 1 or T, M) int or None
        Raw; None if the layer takes none.

    Raises
    ------
    BitlifError
        If a slot's targets do not fit a frame.
    """
    sizes, number = config.layer, bytes_of(config.layer.inputs)
    # A row for every event and every step's end, steps in their order, the end last in each.
    count = events.pointers.size - 1
    counts = np.diff(events.pointers)
    numbers = np.full(events.count + count, sizes.inputs, np.int64)
    is_end = np.zeros(numbers.size, bool)
    is_end[np.cumsum(counts + 1) - 1] = True
    numbers[~is_end] = events.addresses
    lengths = np.full(numbers.size, number, np.int64)
    if targets is None:
        ends = np.cumsum(lengths)
        return Items(_packed(numbers, number), ends, ends[is_end])
    target = bytes_of(1 << config.error.target_bits)
    slot = sizes.lanes * target
    if slot > MOST_ITEMS:
        raise BitlifError(
            f"layer.lanes must be at most {MOST_ITEMS // target} over a serial line, as the "
            f"targets of a slot go in one frame, not {sizes.lanes}"
        )
    padded = np.zeros((events.windows, events.steps, sizes.slots * sizes.lanes), np.int64)
    padded[:, :, : sizes.neurons] = targets
    rows = np.frombuffer(_packed(padded.ravel(), target), np.uint8).reshape(count, -1)
    # Each step's numbers, then its targets: both are placed where they begin.
    width = rows.shape[1]
    begins = np.arange(numbers.size) * number + (np.cumsum(is_end) - is_end) * width
    data = np.zeros(numbers.size * number + count * width, np.uint8)
    spoken = np.frombuffer(_packed(numbers, number), np.uint8).reshape(-1, number)
    data[begins[:, None] + np.arange(number)] = spoken
    after = begins[is_end] + number
    data[after[:, None] + np.arange(width)] = rows
    slots = after[:, None] + slot * np.arange(1, sizes.slots + 1)
    ends = np.sort(np.concatenate([begins + number, slots.ravel()]))
    return Items(data.tobytes(), ends, after)


def output_raster(config: Config, windows: int, items: bytes) -> NDArray[np.uint8]:
    """Return the spikes that output items say: (W, T, M).

    Raises
    ------
    BitlifError
        If they cannot be those of so many windows.
    """
    neurons, steps = config.layer.neurons, windows * config.window.steps
    number = bytes_of(neurons)
    if len(items) % number:
        raise BitlifError(f"the board must send whole numbers of {number} bytes, not half ones")
    raw = np.frombuffer(items, np.uint8).reshape(-1, number).astype(np.int64)
    numbers = raw @ (1 << 8 * np.arange(number))
    is_end = numbers == neurons
    if (ends := int(is_end.sum())) != steps or not (steps and is_end[-1]):
        raise BitlifError(f"the board must send the ends of {steps} steps, not of {ends}")
    spikes, places = numbers[~is_end], np.cumsum(is_end)[~is_end]
    if spikes.size and spikes.max() > neurons:
        raise BitlifError(
            f"the board must send numbers of neurons below {neurons}, not {spikes.max()}"
        )
    raster = np.zeros((steps, neurons), np.uint8)
    np.add.at(raster, (places, spikes), 1)
    if raster.max(initial=0) > 1:
        step, neuron = np.argwhere(raster > 1)[0].tolist()
        raise BitlifError(f"the board must send a spike once, not neuron {neuron}'s of step {step}")
    return raster.reshape(windows, config.window.steps, neurons)


def most_output(config: Config, steps: int) -> int:
    """Return the bytes of output items of so many steps in which every neuron spikes."""
    return steps * (config.layer.neurons + 1) * bytes_of(config.layer.neurons)


def ends_in(config: Config, items: bytes) -> int:
    """Return how many steps end in output items, which may be cut anywhere behind whole ones."""
    number = bytes_of(config.layer.neurons)
    end = config.layer.neurons.to_bytes(number, "little")
    return sum(items[k : k + number] == end for k in range(0, len(items), number))


def bytes_of(most: int) -> int:
    """Return the bytes that numbers up to `most` take.

    >>> [bytes_of(most) for most in (1, 255, 256, 65535, 65536)]
    [1, 1, 2, 2, 3]
    """
    return (most.bit_length() + 7) // 8


def _packed(numbers: NDArray[np.int64], size: int) -> bytes:
    """Return numbers of `size` bytes each, lowest byte first."""
    return numbers.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :size].tobytes()
