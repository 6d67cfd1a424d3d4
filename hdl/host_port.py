"""What a host may read and load in a core between windows: ports and layouts."""

from __future__ import annotations

from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.state import state_variables

from .core_signals import lfsr_counts
from .fixed import shape_of
from .loadable import rate_shifts


def row_layout(config: Config) -> data.ArrayLayout:
    """Return a row of P weights."""
    return data.ArrayLayout(shape_of(config.synapse.weight), config.layer.lanes)


def state_layout(config: Config) -> data.ArrayLayout:
    """Return the state of P neurons: synaptic current, and membrane potential after the reset."""
    return data.ArrayLayout(_variables_layout(config, "neuron"), config.layer.lanes)


def trace_layout(config: Config) -> data.StructLayout:
    """Return the traces of one input."""
    return _variables_layout(config, "input")


def _variables_layout(config: Config, per: str) -> data.StructLayout:
    return data.StructLayout(
        {own.field: shape_of(own.format(config)) for own in state_variables(per)}
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
