"""PSP traces: the response of a membrane that is never reset to the spikes of each input."""

from __future__ import annotations

from .counters import SYNAPTIC_TRACE_SATURATIONS, TRACE_SATURATIONS
from .engine.compile import compilable
from .engine.loops import set_zero
from .neuron import leaky_sum


@compilable
def trace_steps(  # type: ignore[no-untyped-def]
    pointers, addresses, first, begin, end, state, spiked, traces, counters, c,
):  # fmt: skip
    """Compute the traces of steps ``begin ..< end`` of a window.

    Parameters
    ----------
    pointers, addresses : arrays of int
        Input events; see `bitlif.model.events`.
    first : int
        First step of the window, counted through all windows.
    begin, end : int
        Steps of the window.
    state : (trace_current, trace), each (N,) int, updated
    spiked : (N,) uint8
        Scratch.
    traces : (T, N) unsigned, written
        The trace of each step, which includes the spikes of that step.
    counters : (len(COUNTERS),) int64, updated
        The saturations of both traces are added.
    c : Constants
    """
    trace_current, trace = state
    for t in range(begin, end):
        set_zero(spiked)
        for k in range(pointers[first + t], pointers[first + t + 1]):
            spiked[addresses[k]] = 1
        current_saturated = 0
        trace_saturated = 0
        for j in range(trace.size):
            value, saturated = leaky_sum(trace_current[j], spiked[j], c.trace_current)
            trace_current[j] = value
            current_saturated += saturated
            value, saturated = leaky_sum(trace[j], value, c.trace)
            trace[j] = value
            traces[t, j] = value
            trace_saturated += saturated
        counters[SYNAPTIC_TRACE_SATURATIONS] += current_saturated
        counters[TRACE_SATURATIONS] += trace_saturated
