"""Initial contents of the memories of a core, for tools that load them."""

from __future__ import annotations

from collections.abc import Iterable
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
    return [int(layout.const(row).as_bits()) for row in rows]


def memory_files(config: Config, weights: NDArray[Any], *, learning: bool) -> dict[str, str]:
    """Return the contents of the memories in the format of ``$readmemh``, one row per line.

    The keys are ``weights``, ``schedule`` and, for a learning core, ``table``; no ``weights`` if
    their memory has one port, which cannot be initialised.
    """
    rows: dict[str, tuple[data.Layout, list[Any]]] = {}
    if config.gates.single_port == "none":
        rows["weights"] = weight_layout(config), weight_rows(config, weights)
    rows["schedule"] = phase_layout(config), phase_rows(config)
    if learning:
        entries = [{"a": a, "b": b} for a, b in zip(*derive(config).table, strict=True)]
        rows["table"] = (entry_layout(config), entries)
    texts = {}
    for name, (layout, values) in rows.items():
        digits = -(-layout.size // 4)
        texts[name] = "".join(f"{value:0{digits}x}\n" for value in packed(layout, values))
    return texts
