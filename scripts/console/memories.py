"""The table of the memories of a core on an FPGA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .terminal import result_table


def memory_table(memories: Sequence[Mapping[str, Any]]) -> Any:
    """Return the table of a core's memories, from the rows of `bitlif.fpga.memory_table`."""
    listed = [
        (own["memory"], f"{own['rows']} x {own['bits']}", own["copies"], own["ports"], own["kind"],
         own["blocks"] or "-")
        for own in memories
    ]  # fmt: skip
    return result_table(
        "memories", ("", "rows x bits", "copies", "ports", "kind", "blocks"), listed
    )
