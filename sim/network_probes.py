"""The signals inside a layer of a network that a bench records, and their places in the Verilog."""

from __future__ import annotations

from bitlif.model.config.network import NetworkConfig
from bitlif.model.derive import derive
from bitlif.model.interval import Interval
from bitlif.model.state import state_variables

from .probes import Observable


def network_observables(
    network: NetworkConfig, number: int, *, learning: bool
) -> tuple[Observable, ...]:
    """Return the observables of a layer of a network, in the order in which a window computes them.

    Paths are relative to the layer's module, and so are the bits of ``watch``, where the adjoint
    currents have the bit of the traces (`bitlif.hdl.observers.connect_swept_watch`). The adjoint
    currents come from the last step to the first. The weights are those after the update.

    Parameters
    ----------
    network : NetworkConfig
    number : int
        Of the layer.
    learning : bool
        Whether the core has learning hardware.
    """
    own = network.layers[number]
    config = own.config
    lanes, ranges = config.layer.lanes, derive(config).ranges
    levels = config.noise.pmf.levels

    def of_lanes(name: str, when: str, path: str, shape: object) -> Observable:
        return Observable(name, when, path, shape.bits, shape.signed, lanes)  # type: ignore[attr-defined]

    draw = Interval(levels[0], levels[-1])
    draws = [of_lanes("noise draw", "drawn", "forward.draws", draw)] * config.noise.drawn
    seen = [
        of_lanes("weight sum", "drawn", "forward.weight_sums", ranges["weight sum"]),
        *draws,
        *(
            of_lanes(variable.title, "slot", f"forward.{variable.signal}", variable.format(config))
            for variable in state_variables("neuron")
        ),
        Observable("spike", "slot", "forward.spikes", 1, False, lanes),
        of_lanes("kept membrane", "slot", "forward.kept", config.membrane.format),
    ]
    if not learning:
        return tuple(seen)
    if number == len(network.layers) - 1:
        seen.append(of_lanes("error", "error", "forward.errors", config.error.format))
    if number >= network.learned_from:
        seen.append(of_lanes("adjoint current", "adjoint", "watched_adjoints", own.sweep.current))
        if own.sweep.update == "window":
            sums = network.derived_sweep(number).ranges["sweep gradient"]
            seen.append(of_lanes("gradient", "gradient", "watched_gradient", sums))
        seen.append(of_lanes("weight", "update", "watched_weights", config.synapse.weight))
    return tuple(seen)


RECORDS = {
    "spike": "spikes",
    "noise draw": "draws",
    "error": "errors",
    "adjoint current": "adjoints",
    "gradient": "gradient",
    **{own.title: own.record for own in state_variables("neuron") if own.record is not None},
}
"""For each observable that a compiled core records, the name of its record."""


def network_probes(network: NetworkConfig, number: int, *, learning: bool) -> dict[str, Observable]:
    """Return the observables of a layer that a compiled core records, by the names of records."""
    found = network_observables(network, number, learning=learning)
    return {RECORDS[one.name]: one for one in found if one.name in RECORDS}
