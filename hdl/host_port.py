"""The port through which a host reads and loads a core between windows, and its layouts."""

from __future__ import annotations

from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from bitlif.model.config.config import Config
from bitlif.model.gate_sizes import gate_sizes
from bitlif.model.state import state_variables

from .core_signals import lfsr_counts
from .fixed import shape_of
from .loadable import rate_shifts


def row_layout(config: Config) -> data.ArrayLayout:
    """Return a row of P weights."""
    return data.ArrayLayout(shape_of(config.synapse.weight), config.layer.lanes)


def state_layout(config: Config) -> data.ArrayLayout:
    """Return the state of P neurons: all state variables per neuron."""
    return data.ArrayLayout(_variables_layout(config, "neuron"), config.layer.lanes)


def trace_layout(config: Config) -> data.StructLayout:
    """Return the state of one input: both traces."""
    return _variables_layout(config, "input")


def _variables_layout(config: Config, per: str) -> data.StructLayout:
    return data.StructLayout(
        {own.field: shape_of(own.format(config)) for own in state_variables(per)}
    )


def entry_layout(config: Config) -> data.StructLayout:
    """Return a bin of the error table."""
    bits = config.error.entry.bits
    return data.StructLayout({"a": bits, "b": bits})


def phase_layout(config: Config, shifts: int | None = None) -> data.StructLayout:
    """Return a phase of the schedule: the integers that `bitlif.model.derive` returns for it.

    ``noise_scale`` is there only with noise. ``shift`` is an index in `rate_shifts`, or one of so
    many `shifts`; ``windows`` is 0 for a phase that never ends.
    """
    shifts = len(rate_shifts(config)) if shifts is None else shifts
    scale = {"noise_scale": config.noise.scale_bits} if config.noise.drawn else {}
    return data.StructLayout(
        {
            **scale,
            "reciprocal": config.error.reciprocal_bits,
            "rate": config.learning.rate_bits,
            "shift": range(shifts),
            "windows": range(max(phase.windows for phase in config.schedule) + 1),
        }
    )


class HostSignature(wiring.Signature):
    """Host access to the memories of a core, from the side of the host.

    All memories share one ``address``. Reads take one clock cycle, those of weights `READ_CLOCKS`.
    They are valid only while the core is ``idle``. Writes happen at the next clock edge.

    Members
    -------
    idle : In(1)
        No window is in progress.
    address : Out
        weights: `bitlif.model.gate_sizes.GateSizes.weight_address`, the row of the memory with the
        slot within it in the lowest bits; state: slot; traces: input; table: bin; schedule: phase.
    weights, state, trace, entry : In
        P weights, or a row, at the address; trace and entry only in learning cores.
    weights_enable : Out(lanes)
        Write ``weights_data`` in these lanes.
    entry_enable, entry_data : Out
        Write a bin of the error table.
    schedule, schedule_enable, schedule_data : In, Out, Out
        The phase at the address; write a phase.
    state_blank, trace_blank : In(1)
        State and traces are zero whatever their memories hold, as nothing has run since the reset.
    noise_lfsr, update_lfsr : In(array of states)
        One state per distinct stream, in the order of the lanes; noise_lfsr only in cores with
        noise, update_lfsr only in those with stochastic rounding.
    """

    def __init__(self, config: Config, *, learning: bool) -> None:
        sizes = config.layer
        # A port has at least one bit: in Verilog, a width of zero would mean two bits.
        depth = max(2, gate_sizes(config).weight_addresses, sizes.slots, len(config.schedule))
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
        }
        if noise:
            members["noise_lfsr"] = In(data.ArrayLayout(config.noise.lfsr.width, noise))
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
