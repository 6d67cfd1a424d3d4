"""Faults of the passes that overlap, and of rows of synapses that are wider than the lanes."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal

from bitlif.hdl import forward, gather, learning
from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes

from .patches import Fault, Patch, rewire

WIDE = {"synapses": 4, "products": 4}
"""Gates of `tiny` with rows of two slots."""


def _stale_sums(config: Config) -> list[Patch]:
    # The only choice in the module is that of the first event of a step.
    return [(gather, "Mux", lambda fresh, new, old: old)]


def _unseen_silence(m: Module, own: Any, true: Any) -> None:
    m.d.comb += own.none.eq(0)


def _late_marks(m: Module, own: Any, true: Any) -> None:
    late = Signal(3)
    m.d.sync += late.eq(Cat(own.ended, late))
    m.d.comb += true.ended.eq(late[-1])


def _stuck_bank(m: Module, own: Any, true: Any) -> None:
    m.d.comb += true.take.eq(0)


def _other_row_cleared(m: Module, own: Any, true: Any) -> None:
    place = true.clear_address
    m.d.comb += own.clear_address.eq(Mux(place == 0, 1, place))


def _first_place(m: Module, own: Any, true: Any) -> None:
    m.d.comb += own.write_place.eq(0)


def _several_rows(config: Config) -> str:
    return "" if gate_sizes(config).rows > 1 else "all weights of an input must not be one row"


def _several_groups(config: Config) -> str:
    fits = gate_sizes(config).groups > 1
    return "" if fits else "all products of an input must not be one group"


def _wide_rows(config: Config) -> str:
    fits = gate_sizes(config).row_slots > 1
    return "" if fits else "gates.synapses must be above layer.lanes"


PASS_FAULTS: dict[str, Fault] = {
    "sums-stale": Fault(
        "gather", "the first event of a step adds to the sums of an earlier step", "weight sum",
        _stale_sums, _several_rows,
    ),
    "silence-unseen": Fault(
        "gather", "a step without events keeps the sums of an earlier step", "weight sum",
        rewire(forward, "EventGather", _unseen_silence), _several_rows,
    ),
    "marks-late": Fault(
        "marks", "the first events of a step count for the traces of the step before",
        "synaptic trace", rewire(learning, "SpikeMarks", _late_marks),
    ),
    "errors-bank": Fault(
        "error_groups", "every other step adds the errors of the step before", "gradient",
        rewire(learning, "ErrorGroups", _stuck_bank), _several_groups,
    ),
    "clear-other": Fault(
        "update_pass", "the second row of the gradient is cleared instead of the first",
        "gradient", rewire(learning, "UpdatePass", _other_row_cleared),
    ),
    "place-first": Fault(
        "update_pass", "all new weights of a row are written to its first slot", "weight sum",
        rewire(learning, "UpdatePass", _first_place), _wide_rows, gates=WIDE,
    ),
}  # fmt: skip
"""The faults by name."""
