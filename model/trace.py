"""PSP traces: what each input's spikes would have done to a membrane that is never reset."""

from __future__ import annotations

from .counters import SYNAPTIC_TRACE_SATURATIONS, TRACE_SATURATIONS
from .engine.compile import compilable
from .engine.loops import set_zero
from .neuron import leaky_sum


@compilable
def trace_window(pointers, addresses, first, state, spiked, traces, counters, c):  # type: ignore[no-untyped-def]
    """Run the traces through one window.

    Parameters
    ----------
    pointers, addresses : arrays of int
        Input events; the window's first step is `first`.
    first : int
    state : (trace_current, trace), each (N,) int
        Carried on.
    spiked : (N,) uint8
        Scratch.
    traces : (T, N) unsigned
        Written: the trace after each step's own spikes.
    counters : (len(COUNTERS),) int64
        The saturations of both traces are added to it.
    c : Constants
    """
    trace_current, trace = state
    for t in range(traces.shape[0]):
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
