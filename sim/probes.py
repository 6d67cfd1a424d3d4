"""The signals inside a core that a bench records: their names and places in the Verilog."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.hdl.core_signals import WATCHED, lfsr_counts
from bitlif.model.config.config import Config
from bitlif.model.derive import derive
from bitlif.model.fixed import Format
from bitlif.model.interval import Interval
from bitlif.model.signature import WIDTH
from bitlif.model.state import StateVariable, state_variables

MISSING = int(np.iinfo(np.int64).min)
"""Replaces a value that a core did not show, or that has undefined bits (X)."""


RECORDED = {
    **{own.record: own.title for own in state_variables() if own.record is not None},
    "draws": "noise draw",
    "errors": "error",
    "gradient": "gradient",
}
"""For each name in `bitlif.model.result.RECORDS`, the name of its observable."""


@dataclass(frozen=True, slots=True)
class Observable:
    """A signal of the core; a bit of the core's ``watch`` is high when it holds a row of values.

    Attributes
    ----------
    name : str
        Standard name of the quantity.
    when : str
        Name of the bit, one of `bitlif.hdl.core_signals.WATCHED`, or ``"adjoint"``.
    path : str
        Dotted path from the top module.
    bits : int
        Width of one value.
    signed : bool
    count : int
        Number of values in a row; the first value is in the lowest bits.
    offset, stride : int
        Bits before the first value, and bits from one value to the next.
    """

    name: str
    when: str
    path: str
    bits: int
    signed: bool
    count: int
    offset: int = 0
    stride: int = 0

    @property
    def flag(self) -> int:
        """Number of the bit in ``watch``; a layer of a network has adjoints in place of traces."""
        return WATCHED.index("trace" if self.when == "adjoint" else self.when)

    def as_task(self) -> dict[str, Any]:
        """Return the attributes that the bench needs, in plain types."""
        return {**asdict(self), "flag": self.flag, "stride": self.stride or self.bits}


def observables(config: Config, *, learning: bool, learn: bool) -> tuple[Observable, ...]:
    """Return the observables of a core, in the order in which a window computes them.

    Parameters
    ----------
    config : Config
    learning : bool
        Whether the core has learning hardware.
    learn : bool
        Whether it learns from the windows.
    """
    lanes, ranges = config.layer.lanes, derive(config).ranges

    def lane_values(name: str, when: str, path: str, shape: Format | Interval) -> Observable:
        return Observable(name, when, path, shape.bits, shape.signed, lanes)

    membrane, levels = config.membrane.format, config.noise.pmf.levels
    draw = Interval(levels[0], levels[-1])
    draws = [lane_values("noise draw", "drawn", "forward.draws", draw)] * config.noise.drawn
    seen = [
        lane_values("weight sum", "drawn", "forward.weight_sums", ranges["weight sum"]),
        *(
            lane_values(own.title, "slot", f"forward.{own.signal}", own.format(config))
            for own in state_variables("neuron")
        ),
        *draws,
        Observable("spike", "slot", "forward.spikes", 1, False, lanes),
        lane_values("kept membrane", "slot", "forward.kept", membrane),
    ]
    noise, update = lfsr_counts(config)
    lfsr = config.noise.lfsr.width
    if learn:
        seen += [
            lane_values("error", "error", "forward.errors", config.error.format),
            *(
                Observable(own.title, "trace", "learner.trace_row", fmt.bits, fmt.signed, 1, offset)
                for own, fmt, offset in _row_fields(config, "input")
            ),
            lane_values("gradient", "gradient", "learner.gradient_row", ranges["gradient"]),
            lane_values("weight", "update", "learner.update_data", config.synapse.weight),
        ]
    if noise:
        seen.append(Observable("noise LFSR", "window", "host__noise_lfsr", lfsr, False, noise))
    if learning and update:
        width = config.learning.lfsr.width
        seen.append(Observable("update LFSR", "window", "host__update_lfsr", width, False, update))
    seen.append(Observable("signature", "window", "digest", WIDTH, False, 1))
    return tuple(seen)


def state_layouts(config: Config, *, learning: bool) -> dict[str, Observable]:
    """Return the places of state variables in the rows of the host's ports, by their names."""
    found = {}
    for per, path, count in (("neuron", "state", config.layer.lanes), ("input", "trace", 1)):
        if not state_variables(per, learning=learning):
            continue
        fields = _row_fields(config, per)
        width = sum(fmt.bits for _, fmt, _ in fields)
        for own, fmt, offset in fields:
            found[own.name] = Observable(
                own.name, "window", path, fmt.bits, fmt.signed, count, offset, width
            )
    return found


def _row_fields(config: Config, per: str) -> list[tuple[StateVariable, Format, int]]:
    """Return the state variables in a row of a host port, with the bits below each."""
    fields, offset = [], 0
    for own in state_variables(per):
        fmt = own.format(config)
        fields.append((own, fmt, offset))
        offset += fmt.bits
    return fields


def rows_of_window(config: Config, observable: Observable, steps: int | None = None) -> int:
    """Return the number of rows that a window, or `steps` steps of it, shows of an observable."""
    return prod(_shape(config, observable, 1, steps)[:-1])


def _shape(
    config: Config, observable: Observable, windows: int, steps: int | None
) -> tuple[int, ...]:
    """Return the shape of the rows in the order of the core; the last axis is the row's values."""
    sizes, steps = config.layer, steps or config.window.steps
    inputs, slots, lanes = sizes.inputs, sizes.slots, sizes.lanes
    return {
        "drawn": (windows, steps, slots, lanes),
        "slot": (windows, steps, slots, lanes),
        "error": (windows, steps, slots, lanes),
        "adjoint": (windows, steps, slots, lanes),
        "trace": (windows, steps, inputs, 1),
        "gradient": (windows, slots, inputs, lanes),
        "update": (windows, slots, inputs, lanes),
        "window": (windows, observable.count),
    }[observable.when]


def arrange(
    config: Config,
    observable: Observable,
    rows: NDArray[Any],
    windows: int,
    steps: int | None = None,
) -> NDArray[Any]:
    """Return rows (R, count) from a bench, rearranged as the model records them.

    The result has shape (W, T, M) for neurons, (W, T, N) for traces, (W, N, M) for gradient and
    weights, and (W, count) for all others. Adjoints come from the last step to the first. Missing
    rows are filled with `MISSING`; rows after the last window are ignored. T is `steps`, by default
    that of the configuration.
    """
    sizes, steps = config.layer, steps or config.window.steps
    shape = _shape(config, observable, windows, steps)
    full = np.full((int(np.prod(shape[:-1])), shape[-1]), MISSING, rows.dtype)
    given = rows[: len(full)]
    full[: len(given)] = given
    values = full.reshape(shape)
    if observable.when in ("gradient", "update"):
        values = values.transpose(0, 2, 1, 3).reshape(windows, sizes.inputs, -1)
        return values[..., : sizes.neurons]
    if observable.when == "trace":
        return values[..., 0]
    if observable.when == "window":
        return values
    if observable.when == "adjoint":
        values = values[:, ::-1]  # a sweep goes back
    return values.reshape(windows, steps, -1)[..., : sizes.neurons]
