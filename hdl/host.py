"""What a host may read and load in a core between windows, and the rows of its schedule."""

from __future__ import annotations

from typing import Any

from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config import Config
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError

from .fixed import shape_of
from .update import rate_shifts

LOADABLE = (
    "name", "learning.rate", "error.rule", "error.a", "error.b", "error.limit", "error.guard",
)  # fmt: skip
"""Fields, besides the schedule's, that only the loaded memories depend on."""


def row_layout(config: Config) -> data.ArrayLayout:
    """Return a row of P weights."""
    return data.ArrayLayout(shape_of(config.synapse.weight), config.layer.lanes)


def state_layout(config: Config) -> data.ArrayLayout:
    """Return the state of P neurons: synaptic current, and membrane potential after the reset."""
    neuron = data.StructLayout(
        {
            "current": shape_of(config.synapse.current),
            "membrane": shape_of(config.membrane.format),
        }
    )
    return data.ArrayLayout(neuron, config.layer.lanes)


def trace_layout(config: Config) -> data.StructLayout:
    """Return the traces of one input."""
    return data.StructLayout(
        {"current": shape_of(config.trace.current), "trace": shape_of(config.trace.format)}
    )


def entry_layout(config: Config) -> data.StructLayout:
    """Return a bin of the error table."""
    bits = config.error.entry.bits
    return data.StructLayout({"a": bits, "b": bits})


def phase_layout(config: Config) -> data.StructLayout:
    """Return a phase of the schedule: the integers that `bitlif.model.derive` makes of it.

    ``shift`` is an index among `rate_shifts`; ``windows`` is 0 for a phase without an end.
    """
    return data.StructLayout(
        {
            "noise_scale": config.noise.scale_bits,
            "reciprocal": config.error.reciprocal_bits,
            "rate": config.learning.rate_bits,
            "shift": range(len(rate_shifts(config))),
            "windows": range(max(phase.windows for phase in config.schedule) + 1),
        }
    )


def lfsr_counts(config: Config) -> tuple[int, int]:
    """Return how many LFSRs make the noise and the updates' draws (lanes may share one)."""
    lanes, learning = config.layer.lanes, config.learning
    noise = len(dict.fromkeys(config.noise.lfsr.streams(lanes)))
    update = len(dict.fromkeys(learning.lfsr.streams(lanes))) if learning.random_bits else 0
    return noise, update


def phase_rows(core: Config, config: Config | None = None) -> list[dict[str, int]]:
    """Return the schedule of `config` (default: the core's own) as rows for a core of `core`.

    A core has as many rows as its own configuration has phases; when there are fewer, the last one
    is repeated.

    Raises
    ------
    BitlifError
        If the core cannot run the schedule: more phases, a shift that it was not built with, a
        number of windows that its counter does not hold.
    """
    config = core if config is None else config
    shifts, rows = rate_shifts(core), []
    if len(config.schedule) > len(core.schedule):
        raise BitlifError(
            f"schedule must have at most {len(core.schedule)} phases, as the core was built, "
            f"not {len(config.schedule)}"
        )
    most = (1 << phase_layout(core)["windows"].width) - 1
    pairs = zip(config.schedule, derive(config).phases, strict=True)
    for number, (phase, made) in enumerate(pairs):
        shift = (made.rate_left, made.rate_bias, made.rate_right)
        if shift not in shifts:
            raise BitlifError(
                f"schedule[{number}].rate needs another shift than the core was built with"
            )
        if phase.windows > most:
            raise BitlifError(
                f"schedule[{number}].windows must be at most {most}, as the core was built, "
                f"not {phase.windows}"
            )
        rows.append(
            {
                "noise_scale": made.noise_scale,
                "reciprocal": made.reciprocal,
                "rate": made.rate,
                "shift": shifts.index(shift),
                "windows": phase.windows,
            }
        )
    rows += [{**rows[-1], "windows": 0}] * (len(core.schedule) - len(rows))
    return rows


def require_loadable(core: Config, config: Config) -> None:
    """Raise unless a core of `core` becomes one of `config` by loading table and schedule.

    Raises
    ------
    BitlifError
        Naming what else differs.
    """
    ours, theirs = (_fixed_fields(each) for each in (core, config))
    differ = [path for path in ours if ours[path] != theirs[path]]
    if differ:
        path = differ[0]
        raise BitlifError(
            f"{path} must be {ours[path]}, as the core was built, not {theirs[path]}: only the "
            f"error table and the schedule can be loaded"
        )
    own, other = derive(core).constants, derive(config).constants
    if own != other:
        names = [name for name in own._fields if getattr(own, name) != getattr(other, name)]
        raise BitlifError(
            f"schedule must leave the core's {' and '.join(names)} as they are: choose its largest "
            f"and smallest sigma nearer to the core's own"
        )
    phase_rows(core, config)


def _fixed_fields(config: Config) -> dict[str, Any]:
    """Return the fields that are built into a core."""
    return {
        path: value
        for path, value in config.flat().items()
        if path not in LOADABLE and not path.startswith("schedule[")
    }


class HostSignature(wiring.Signature):
    """The host's access to a core's memories, from the host's side.

    All memories answer to one ``address``, each read a clock later, and only while the core is
    ``idle``. What is written is written with the clock's edge.

    Members
    -------
    idle : In(1)
        No window is under way.
    address : Out
        weights: ``input * slots + slot``; state: slot; traces: input; table: bin; schedule: phase.
    weights, state, trace, entry : In
        Rows at the address; trace and entry of learning cores only.
    weights_enable : Out(lanes)
        Write ``weights_data`` in these lanes.
    entry_enable, entry_data : Out
        Write a bin of the table.
    schedule, schedule_enable, schedule_data : In, Out, Out
        A phase of the schedule, and to write one.
    state_blank, trace_blank : In(1)
        State and traces count as zero, whatever their memories hold: nothing has run since the
        reset.
    noise_lfsr, update_lfsr : In(array of states)
        One for each distinct stream, in the order of the lanes; update_lfsr of cores with
        stochastic rounding only.
    """

    def __init__(self, config: Config, *, learning: bool) -> None:
        sizes = config.layer
        # A port has at least one bit, or Verilog would take it for two.
        depth = max(2, sizes.inputs * sizes.slots, len(config.schedule))
        if learning:
            depth = max(depth, config.error.entries)
        noise, update = lfsr_counts(config)
        phase = phase_layout(config)
        members = {
            "idle": In(1),
            "address": Out(range(depth)),
            "weights": In(row_layout(config)),
            "weights_enable": Out(sizes.lanes),
            "weights_data": Out(row_layout(config)),
            "state": In(state_layout(config)),
            "state_blank": In(1),
            "schedule": In(phase),
            "schedule_enable": Out(1),
            "schedule_data": Out(phase),
            "noise_lfsr": In(data.ArrayLayout(config.noise.lfsr.width, noise)),
        }
        if learning:
            entry = entry_layout(config)
            members |= {
                "trace": In(trace_layout(config)),
                "trace_blank": In(1),
                "entry": In(entry),
                "entry_enable": Out(1),
                "entry_data": Out(entry),
            }
            if update:
                width = config.learning.lfsr.width
                members["update_lfsr"] = In(data.ArrayLayout(width, update))
        super().__init__(members)
