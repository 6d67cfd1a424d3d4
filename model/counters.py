"""The counters of a layer: their names, and the place of each in an array of counters."""

from __future__ import annotations

COUNTERS = (
    "current_saturations",
    "membrane_saturations",
    "error_saturations",
    "synaptic_trace_saturations",
    "trace_saturations",
    "weight_saturations",
    "active_errors",
    "synaptic_events",
)
"""Names of the counters, in the order of the array."""

CURRENT_SATURATIONS = COUNTERS.index("current_saturations")
MEMBRANE_SATURATIONS = COUNTERS.index("membrane_saturations")
ERROR_SATURATIONS = COUNTERS.index("error_saturations")
SYNAPTIC_TRACE_SATURATIONS = COUNTERS.index("synaptic_trace_saturations")
TRACE_SATURATIONS = COUNTERS.index("trace_saturations")
WEIGHT_SATURATIONS = COUNTERS.index("weight_saturations")
ACTIVE_ERRORS = COUNTERS.index("active_errors")
SYNAPTIC_EVENTS = COUNTERS.index("synaptic_events")
