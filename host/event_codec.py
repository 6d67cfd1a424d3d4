"""Encodes events and targets as input items of the UART bridge, and decodes spikes from its output.

The format is documented in docs/uart.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events

from .frames import MAX_ITEM_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class EncodedInput:
    """A sequence of input items, and the positions at which it may be split into frames.

    Attributes
    ----------
    data : bytes
        All items.
    ends : (n,) int64
        Byte position after each item, ascending.
    step_ends : (W * T,) int64
        Byte position after each end-of-step item, ascending.
    """

    data: bytes
    ends: NDArray[np.int64]
    step_ends: NDArray[np.int64]

    def chunk(self, begin: int) -> bytes:
        """Return as many whole items from position `begin` as fit into one frame."""
        fitting = np.searchsorted(self.ends, begin + MAX_ITEM_BYTES, "right")
        return self.data[begin : int(self.ends[fitting - 1]) if fitting else begin]

    def steps_ended(self, consumed: int) -> int:
        """Return how many steps end within the first `consumed` bytes."""
        return int(np.searchsorted(self.step_ends, consumed, "right"))


def encode_input(config: Config, events: Events, targets: NDArray[Any] | None) -> EncodedInput:
    """Encode the input events and targets of whole windows.

    Parameters
    ----------
    config : Config
    events : Events
        W windows of T steps.
    targets : (W, 1 or T, M) int or None
        Raw targets; None if the layer takes none in this run.

    Returns
    -------
    EncodedInput

    Raises
    ------
    BitlifError
        If the targets of one slot do not fit into a frame.
    """
    sizes, number = config.layer, bytes_for(config.layer.inputs)
    # One item per event and per end of a step, step by step; the end is the last item of its step.
    count = events.pointers.size - 1
    counts = np.diff(events.pointers)
    numbers = np.full(events.count + count, sizes.inputs, np.int64)
    is_end = np.zeros(numbers.size, bool)
    is_end[np.cumsum(counts + 1) - 1] = True
    numbers[~is_end] = events.addresses
    lengths = np.full(numbers.size, number, np.int64)
    if targets is None:
        ends = np.cumsum(lengths)
        return EncodedInput(_packed(numbers, number), ends, ends[is_end])
    target = bytes_for(1 << config.error.target_bits)
    slot = sizes.lanes * target
    if slot > MAX_ITEM_BYTES:
        raise BitlifError(
            f"layer.lanes must be at most {MAX_ITEM_BYTES // target} over a serial line, where the "
            f"targets of a slot are sent in one frame, not {sizes.lanes}"
        )
    padded = np.zeros((events.windows, events.steps, sizes.slots * sizes.lanes), np.int64)
    padded[:, :, : sizes.neurons] = targets
    rows = np.frombuffer(_packed(padded.ravel(), target), np.uint8).reshape(count, -1)
    # The addresses of a step come first, then its targets. Both are copied to their positions.
    width = rows.shape[1]
    begins = np.arange(numbers.size) * number + (np.cumsum(is_end) - is_end) * width
    data = np.zeros(numbers.size * number + count * width, np.uint8)
    addresses = np.frombuffer(_packed(numbers, number), np.uint8).reshape(-1, number)
    data[begins[:, None] + np.arange(number)] = addresses
    after = begins[is_end] + number
    data[after[:, None] + np.arange(width)] = rows
    slots = after[:, None] + slot * np.arange(1, sizes.slots + 1)
    ends = np.sort(np.concatenate([begins + number, slots.ravel()]))
    return EncodedInput(data.tobytes(), ends, after)


def decode_raster(config: Config, items: bytes, windows: int, steps_each: int) -> NDArray[np.uint8]:
    """Decode output items into spikes.

    Parameters
    ----------
    config : Config
    items : bytes
        Output items of all windows.
    windows, steps_each : int
        Number of windows W, and of steps T in each.

    Returns
    -------
    (W, T, M) uint8 array

    Raises
    ------
    BitlifError
        If the items are not a valid output of that many windows.
    """
    neurons, steps = config.layer.neurons, windows * steps_each
    number = bytes_for(neurons)
    if len(items) % number:
        raise BitlifError(f"the board must send items of {number} bytes, not {len(items)} bytes")
    raw = np.frombuffer(items, np.uint8).reshape(-1, number).astype(np.int64)
    numbers = raw @ (1 << 8 * np.arange(number))
    is_end = numbers == neurons
    if (ends := int(is_end.sum())) != steps or not (steps and is_end[-1]):
        raise BitlifError(f"the board must send {steps} ends of steps, not {ends}")
    spikes, places = numbers[~is_end], np.cumsum(is_end)[~is_end]
    if spikes.size and spikes.max() > neurons:
        raise BitlifError(
            f"the board must send addresses of neurons below {neurons}, not {spikes.max()}"
        )
    raster = np.zeros((steps, neurons), np.uint8)
    np.add.at(raster, (places, spikes), 1)
    if raster.max(initial=0) > 1:
        step, neuron = np.argwhere(raster > 1)[0].tolist()
        raise BitlifError(
            f"the board must send each spike once: neuron {neuron} has two in step {step}"
        )
    return raster.reshape(windows, steps_each, neurons)


def max_output_bytes(config: Config, steps: int) -> int:
    """Return the most bytes of output that `steps` steps can produce: every neuron spikes."""
    return steps * (config.layer.neurons + 1) * bytes_for(config.layer.neurons)


def count_step_ends(config: Config, items: bytes) -> int:
    """Return how many steps end within a sequence of whole output items."""
    number = bytes_for(config.layer.neurons)
    end = config.layer.neurons.to_bytes(number, "little")
    return sum(items[k : k + number] == end for k in range(0, len(items), number))


def bytes_for(largest: int) -> int:
    """Return the number of bytes per item for values up to `largest`.

    >>> [bytes_for(largest) for largest in (1, 255, 256, 65535, 65536)]
    [1, 1, 2, 2, 3]
    """
    return (largest.bit_length() + 7) // 8


def _packed(numbers: NDArray[np.int64], size: int) -> bytes:
    """Return integers as `size` bytes each, least significant byte first."""
    return numbers.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :size].tobytes()
