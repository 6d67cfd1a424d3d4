"""Faults planted in the gates of a network, one wrong line each, and where the first one shows."""

from __future__ import annotations

import inspect
import types
from typing import Any, NamedTuple

import numpy as np
from network_bench import NetworkBench, expected_results, simulated

from bitlif.hdl import (
    adjoint,
    adjoint_pass,
    bit_walk,
    credit,
    credit_pass,
    gradient_pass,
    spike_update,
    surrogate,
    sweep_pass,
    swept_layer,
    window_memories,
)  # fmt: skip
from bitlif.model.config.network import NetworkConfig, network_from_dict
from bitlif.model.events import Events
from bitlif.tasks.scenario import NetworkWork, targets_by_step

STEPS, WINDOWS = 6, 2
LATE = ("adjoints of the window before", "marks of the window before")
"""Faults that show in the second window only."""


class Fault(NamedTuple):
    """A wrong line, and the layer and the pass in which it must be found."""

    module: types.ModuleType
    line: str
    wrong: str
    update: str
    layer: int
    part: str


FAULTS = {
    "order of the sweep": Fault(
        sweep_pass, "kept.address.eq(slot_base + adjoint.slot)",
        "kept.address.eq((steps - 1) * sizes.slots - slot_base + adjoint.slot)", "window", 2,
        "sweep",
    ),
    "sign of a product": Fault(adjoint, "kept + came", "kept - came", "window", 2, "sweep"),
    "rounding of the adjoint": Fault(
        adjoint, "random[: s.random_bits]", "~random[: s.random_bits]", "window", 2, "sweep"
    ),
    "adjoints of the window before": Fault(
        sweep_pass, "[step.eq(steps - 1), fresh.eq(1)]", "[step.eq(steps - 1)]", "window", 2,
        "sweep",
    ),
    "no cut at a reset": Fault(
        adjoint_pass, "cut = fresh | pipe.delay", "cut = fresh | 0 & pipe.delay", "window", 1,
        "sweep",
    ),
    "width of the surrogate": Fault(
        surrogate, "distance < s.width", "distance >= s.width", "window", 1, "sweep"
    ),
    "surrogate of the wrong step": Fault(
        sweep_pass, "Mux(mine, base + adjoint.slot", "Mux(mine, adjoint.slot", "window", 1, "sweep"
    ),
    "credit of the wrong row": Fault(
        credit_pass, "neuron * sizes.rows + walk.row", "(neuron ^ 1) * sizes.rows + walk.row",
        "window", 1, "sweep",
    ),
    "credit of the neuron before": Fault(
        credit, "before = Mux(self.first, 0, self.total)", "before = self.total", "window", 1,
        "sweep",
    ),
    "one LFSR for noise and sweep": Fault(
        adjoint_pass, "sweep.lfsr.streams(lanes), sweep.leap",
        "self._own.config.noise.lfsr.streams(lanes), sweep.leap", "window", 2, "sweep",
    ),
    "sign of the gradient": Fault(
        gradient_pass, "self.sums[number] + self.currents[number]",
        "self.sums[number] - self.currents[number]", "window", 2, "update",
    ),
    "marks of the window before": Fault(
        window_memories, "with m.If(self.wipe):", "with m.If(self.wipe & 0):", "window", 0,
        "update",
    ),
    "stale weights": Fault(
        spike_update, "Mux(first, given, held)", "held", "spike", 2, "update"
    ),
    "draws of the first slot only": Fault(
        spike_update, "pulse(m, walk.valid, 2, \"take\")",
        "pulse(m, walk.valid & (walk.row == 0), 2, \"take\")", "spike", 2, "update",
    ),
    "spikes that are left out": Fault(
        bit_walk, "rest.eq(left & (left - 1))", "rest.eq(0)", "spike", 2, "update"
    ),
    "spikes of the wrong layer": Fault(
        swept_layer, "self.spikes.eq(forward.spikes & present)",
        "self.spikes.eq(~forward.spikes & present)", "spike", 2, "update",
    ),
}  # fmt: skip


def faulty_network(update: str) -> NetworkConfig:
    """Return a network in which every fault shows: three layers, all of them learned."""
    sweep = {"update": update, "surrogate": {"width": 0.8}}
    learning = {"rate": 0.01}
    common = {"sweep": sweep, "learning": learning}
    layers: list[dict[str, Any]] = [
        {"inputs": 5, "neurons": 4, "lanes": 2, "gates": {"synapses": 4}, **common},
        {"neurons": 5, "lanes": 2, "gates": {"synapses": 4}, **common},
        {"neurons": 4, "lanes": 1, "gates": {"synapses": 2}, **common},
    ]
    return network_from_dict({"name": "faulty", "window": {"steps": STEPS}, "layer": layers})


def plant(monkeypatch: Any, fault: Fault) -> None:
    """Replace a line of a module: its classes and functions are those of the changed source."""
    source = inspect.getsource(fault.module)
    assert source.count(fault.line) == 1, fault.line
    changed: dict[str, Any] = {**vars(fault.module)}
    exec(compile(source.replace(fault.line, fault.wrong), fault.module.__name__, "exec"), changed)
    for name, own in vars(fault.module).items():
        if getattr(own, "__module__", None) != fault.module.__name__:
            continue
        if inspect.isfunction(own):
            monkeypatch.setattr(fault.module, name, changed[name])
        elif inspect.isclass(own) and "elaborate" in vars(own):
            for method, new in vars(changed[name]).items():
                if inspect.isfunction(new) and method != "__init__":
                    monkeypatch.setattr(own, method, new)


def stimulus(windows: int = WINDOWS) -> tuple[Events, np.ndarray]:
    """Return the spikes and the targets that a faulty network learns."""
    random = np.random.default_rng(5)
    raster = random.random((WINDOWS, STEPS, 5)) < 0.5
    targets = random.integers(0, 1025, (WINDOWS, 4))
    return Events.from_raster(raster[:windows]), targets[:windows]


def start_weights(config: NetworkConfig) -> list[np.ndarray]:
    """Return weights with which all layers spike and learn."""
    random = np.random.default_rng(6)
    found = []
    for own in config.layers:
        one, sizes = 1 << own.config.synapse.weight.frac, own.config.layer
        found.append(random.integers(-one // 10, one // 3, (sizes.inputs, sizes.neurons)))
    return found


def active_work(update: str) -> NetworkWork:
    """Return a network, weights, spikes and targets with which all layers spike and are swept."""
    config = faulty_network(update)
    events, targets = stimulus()
    by_step = np.repeat(targets[:, None].astype(np.uint16), events.steps, axis=1)
    return NetworkWork(config, start_weights(config), events, by_step)


def first_difference(update: str, windows: int = 1) -> tuple[int, str] | None:
    """Return the layer and the pass in which the gates first differ from the model.

    The steps of all layers are compared first. Then each layer, from the last one, is compared in
    its sweep, and then in its weights and the LFSRs of its updates, because its sweep depends on
    nothing of the layers before it. None if all agree.
    """
    config = faulty_network(update)
    events, targets = stimulus(windows)
    weights, learns = start_weights(config), [True] * windows
    goals = targets_by_step(config.layers[-1].config, events, targets)
    bench = NetworkBench(
        config, weights, events, goals, learns=learns, stalls=(0.0, 0.0, 0.0), seed=0
    )
    found = simulated(bench, taught=True)
    if not found:
        return 0, "forward"
    expected = expected_results(config, weights, events, targets, learns, bench)
    layers = range(len(config.layers))
    order = [(number, "forward", name) for number in layers for name in ("raster", "noise")]
    for number in reversed(layers):
        order += [(number, "sweep", name) for name in ("adjoints", "sweep")]
        order += [(number, "update", name) for name in ("weights", "update")]
    for number, part, name in order:
        key = f"{name} {number}"
        if not np.array_equal(found[key], expected[key]):
            return number, part
    return None
