"""PSP traces: what each input's spikes would have done to a membrane that is never reset."""

from __future__ import annotations

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
    counters : (2,) int64
        Saturations of the synaptic and the PSP trace, added to.
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
        counters[0] += current_saturated
        counters[1] += trace_saturated
