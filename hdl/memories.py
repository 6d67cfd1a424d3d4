"""Initial contents of the memories of a core, for tools that load them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from amaranth.lib import data
from numpy.typing import NDArray

from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.gate_sizes import gate_sizes

from .host_port import entry_layout, phase_layout
from .loadable import phase_rows
from .row_memory import weight_layout

BLOCK = 4096
"""Rows that are packed at a time; limits the memory that this takes."""


def weight_rows(config: Config, weights: NDArray[Any]) -> list[list[int]]:
    """Return raw weights (N, M) as rows of S, in the order ``input * rows + row``.

    Weights without a neuron are zero.
    """
    sizes = gate_sizes(config)
    padded = np.zeros((sizes.inputs, sizes.rows * sizes.synapses), weights.dtype)
    padded[:, : sizes.neurons] = weights
    rows: list[list[int]] = padded.reshape(-1, sizes.synapses).tolist()
    return rows


def by_slot(config: Config, values: NDArray[Any]) -> NDArray[Any]:
    """Return values per neuron, (..., M), by slot and lane, (..., K, P).

    Lanes without a neuron are zero.
    """
    sizes = config.layer
    padded = np.zeros((*values.shape[:-1], sizes.slots * sizes.lanes), values.dtype)
    padded[..., : sizes.neurons] = values
    return padded.reshape(*values.shape[:-1], sizes.slots, sizes.lanes)


def packed(layout: data.Layout, rows: Iterable[Any]) -> list[int]:
    """Return rows as integers, with the first field of the layout in the lowest bits."""
    if isinstance(layout, data.ArrayLayout) and not isinstance(layout.elem_shape, data.Layout):
        # Much faster than one by one, which matters for a million weights.
        return _packed_fields(np.asarray(rows, np.int64), layout.size // layout.length)
    return [int(layout.const(row).as_bits()) for row in rows]


def _packed_fields(rows: NDArray[np.int64], bits: int) -> list[int]:
    """Return rows of fields of `bits` bits, (R, count), as integers."""
    found: list[int] = []
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        bit = (block[:, :, None] >> np.arange(bits)) & 1
        octets = np.packbits(bit.reshape(len(block), -1).astype(np.uint8), 1, bitorder="little")
        found += [int.from_bytes(row.tobytes(), "little") for row in octets]
    return found


def memory_names(config: Config, *, learning: bool) -> tuple[str, ...]:
    """Return the names of the memories with contents.

    Weights are not among them if their memory has one port, which cannot be initialised.
    """
    weights = ("weights",) if config.gates.single_port == "none" else ()
    return (*weights, "schedule", *(("table",) if learning else ()))


def memory_files(
    config: Config, weights: NDArray[Any], *, learning: bool, names: Collection[str] | None = None
) -> dict[str, str]:
    """Return the contents of the memories in the format of ``$readmemh``, one row per line.

    Parameters
    ----------
    config : Config
    weights : (N, M) int
        Raw weights.
    learning : bool
        Whether the core has learning hardware, and thus a table.
    names : collection of str or None
        Those of `memory_names` that are wanted; None for all.
    """
    texts = {}
    for name in memory_names(config, learning=learning):
        if names is None or name in names:
            layout, rows = _contents(config, weights, name)
            digits = -(-layout.size // 4)
            texts[name] = "".join(f"{row:0{digits}x}\n" for row in packed(layout, rows))
    return texts


def _contents(config: Config, weights: NDArray[Any], name: str) -> tuple[data.Layout, list[Any]]:
    """Return the layout and the rows of a memory."""
    if name == "weights":
        return weight_layout(config), weight_rows(config, weights)
    if name == "schedule":
        return phase_layout(config), phase_rows(config)
    entries = [{"a": a, "b": b} for a, b in zip(*derive(config).table, strict=True)]
    return entry_layout(config), entries
