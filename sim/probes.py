"""What a bench sees inside a core: the names, and where each stands in the Verilog."""

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

MISSING = int(np.iinfo(np.int64).min)
"""Stands where a core should have shown a value and did not."""


RECORDED = {
    "current": "synaptic current",
    "membrane": "membrane potential",
    "draws": "noise draw",
    "errors": "error",
    "traces": "PSP trace",
    "gradient": "gradient",
}
"""Of `bitlif.model.result.RECORDS`, the observable of each."""


@dataclass(frozen=True, slots=True)
class Observable:
    """A signal of the core, in rows that come with a bit of its ``watch``.

    Attributes
    ----------
    name : str
        In the field's terms.
    when : str
        The bit, of `bitlif.hdl.core_signals.WATCHED`.
    path : str
        Dotted, from the top module.
    bits : int
        Of one value.
    signed : bool
    count : int
        Values of a row, lowest first.
    offset, stride : int
        Bits before the first value, and from one to the next.
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
        """The bit of ``watch``."""
        return WATCHED.index(self.when)

    def as_task(self) -> dict[str, Any]:
        """Return what the bench needs, in plain types."""
        return {**asdict(self), "flag": self.flag, "stride": self.stride or self.bits}


def observables(config: Config, *, learning: bool, learn: bool) -> tuple[Observable, ...]:
    """Return what a core shows, in the order in which a step and then a window computes it.

    Parameters
    ----------
    config : Config
    learning : bool
        Whether the core has learning hardware.
    learn : bool
        Whether it is used.
    """
    lanes, ranges = config.layer.lanes, derive(config).ranges

    def lane_values(name: str, when: str, path: str, shape: Format | Interval) -> Observable:
        return Observable(name, when, path, shape.bits, shape.signed, lanes)

    membrane, levels = config.membrane.format, config.noise.pmf.levels
    draw = Interval(levels[0], levels[-1])
    seen = [
        lane_values("weight sum", "drawn", "forward.weight_sums", ranges["weight sum"]),
        lane_values("synaptic current", "slot", "forward.currents", config.synapse.current),
        lane_values("membrane potential", "slot", "forward.before", membrane),
        lane_values("noise draw", "drawn", "forward.draws", draw),
        Observable("spike", "slot", "forward.spikes", 1, False, lanes),
        lane_values("kept membrane", "slot", "forward.kept", membrane),
    ]
    noise, update = lfsr_counts(config)
    lfsr = config.noise.lfsr.width
    if learn:
        current, trace = config.trace.current.bits, config.trace.format.bits
        seen += [
            lane_values("error", "error", "forward.errors", config.error.format),
            Observable("synaptic trace", "trace", "learner.trace_row", current, False, 1),
            Observable("PSP trace", "trace", "learner.trace_row", trace, False, 1, current),
            lane_values("gradient", "gradient", "learner.gradient_row", ranges["gradient"]),
            lane_values("weight", "update", "learner.update_data", config.synapse.weight),
        ]
    seen.append(Observable("noise LFSR", "window", "host__noise_lfsr", lfsr, False, noise))
    if learning and update:
        width = config.learning.lfsr.width
        seen.append(Observable("update LFSR", "window", "host__update_lfsr", width, False, update))
    seen.append(Observable("signature", "window", "digest", WIDTH, False, 1))
    return tuple(seen)


def state_layouts(config: Config, *, learning: bool) -> dict[str, Observable]:
    """Return where state and traces stand in the rows of the host's ports, by record name."""
    neuron = (config.synapse.current, config.membrane.format)
    trace = (config.trace.current, config.trace.format)
    width = neuron[0].bits + neuron[1].bits
    found = {}
    for names, path, formats, count in (
        (("current", "membrane"), "state", neuron, config.layer.lanes),
        (("trace_current", "trace"), "trace", trace, 1),
    ):
        offset = 0
        for name, fmt in zip(names, formats, strict=True):
            if path == "state" or learning:
                found[name] = Observable(
                    name, "window", path, fmt.bits, fmt.signed, count, offset, width
                )
            offset += fmt.bits
    return found


def rows_of_window(config: Config, observable: Observable) -> int:
    """Return how many rows of an observable a window shows."""
    return prod(_shape(config, observable, 1)[:-1])


def _shape(config: Config, observable: Observable, windows: int) -> tuple[int, ...]:
    """Return the axes of the rows as they come, the values of a row last."""
    sizes, steps = config.layer, config.window.steps
    inputs, slots, lanes = sizes.inputs, sizes.slots, sizes.lanes
    return {
        "drawn": (windows, steps, slots, lanes),
        "slot": (windows, steps, slots, lanes),
        "error": (windows, steps, slots, lanes),
        "trace": (windows, steps, inputs, 1),
        "gradient": (windows, slots, inputs, lanes),
        "update": (windows, slots, inputs, lanes),
        "window": (windows, observable.count),
    }[observable.when]


def arrange(
    config: Config, observable: Observable, rows: NDArray[Any], windows: int
) -> NDArray[Any]:
    """Return a bench's rows (R, count) by the axes of the model's records.

    Neurons (W, T, M), traces (W, T, N), gradient and weights (W, N, M), else (W, count). What did
    not come is `MISSING`; what came beyond the windows is not looked at here.
    """
    sizes, steps = config.layer, config.window.steps
    shape = _shape(config, observable, windows)
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
    return values.reshape(windows, steps, -1)[..., : sizes.neurons]
