"""Networks in which each fault of `bitlif.sim.compare.network_faults` shows, and where.

``"window"`` and ``"spike"`` are three layers with this update, stochastic rounding, and adjoints in
every step. ``"sparse"`` is what these are not: a slow hidden layer before a fast last one, so that
credit waits; rounding toward zero, and steps without adjoints after steps with them; neurons that
do not fill their lanes; errors and weights that saturate.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from amaranth.hdl import Fragment
from network_bench import NetworkBench, expected_results, simulated

from bitlif.hdl.core_signals import SWEPT_COUNTERS
from bitlif.model import network_clocks
from bitlif.model.config.network import NetworkConfig, network_from_dict
from bitlif.model.events import Events
from bitlif.model.network import Network
from bitlif.model.network_clocks import sweep_constants
from bitlif.sim.compare.network_faults import NETWORK_FAULTS
from bitlif.tasks.scenario import NetworkWork, targets_by_step

STEPS, WINDOWS = 6, 2
KINDS = ("window", "spike", "sparse")
SPARSE_STEPS, SPARSE_SEED = 8, 0

LATE = ("adjoint-stale", "marks-stale", "gradient-kept")
"""Faults that show in the second window only."""

SPARSE = (
    "adjoint-floor", "active-stale", "surrogate-absent", "credit-stale", "credit-overrun",
    "mute-never", "spikes-absent", "error-absent", "flags-lost", "errors-lost",
)  # fmt: skip
"""Faults that the sparse network shows."""


def kind_of(name: str) -> str:
    """Return the kind of network that shows a fault."""
    if name in SPARSE:
        return "sparse"
    fault = NETWORK_FAULTS[name]
    by_spike = fault.no_effect(faulty_network("window")) or name == "spikes-inverted"
    return "spike" if by_spike else "window"


@cache
def faulty_network(kind: str) -> NetworkConfig:
    """Return a network of a kind, with two or three layers, all of them learned."""
    if kind == "sparse":
        return _sparse_network()
    sweep = {"update": kind, "surrogate": {"width": 0.8}}
    learning = {"rate": 0.01}
    common = {"sweep": sweep, "learning": learning}
    layers: list[dict[str, Any]] = [
        {"inputs": 5, "neurons": 4, "lanes": 2, "gates": {"synapses": 4}, **common},
        {"neurons": 5, "lanes": 2, "gates": {"synapses": 4}, **common},
        {"neurons": 4, "lanes": 1, "gates": {"synapses": 2}, **common},
    ]
    return network_from_dict({"name": "faulty", "window": {"steps": STEPS}, "layer": layers})


def _sparse_network() -> NetworkConfig:
    sweep = dict.fromkeys(("membrane", "current", "credit"), "s8.2")
    common = {
        # The surrogate is open where there is no neuron: there, the potential stays 0.
        "sweep": {**sweep, "rounding": "toward_zero", "surrogate": {"width": 1.2}},
        "learning": {"rate": 0.2}, "gates": {"synapses": 2}, "lanes": 2,
        # Fast decay leaves no adjoints; the noise lets lanes without neuron spike.
        "membrane": {"decay": {"tau": 2.0}}, "synapse": {"decay": {"tau": 1.0}},
        "schedule": [{"sigma": 0.8}],
    }  # fmt: skip
    layers: list[dict[str, Any]] = [
        # With this seed, the lane without neuron does spike.
        {"inputs": 12, "neurons": 7, **common, "noise": {"lfsr": {"seed": 7919}}},
        {"neurons": 3, **common, "schedule": [{"sigma": 0.15}], "error": {"format": "s3.2"}},
    ]
    return network_from_dict({"name": "sparse", "window": {"steps": SPARSE_STEPS}, "layer": layers})


def stimulus(windows: int = WINDOWS) -> tuple[Events, np.ndarray]:
    """Return the spikes and the targets that the networks of three layers learn."""
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


def active_work(kind: str, windows: int = WINDOWS) -> NetworkWork:
    """Return a network, weights, spikes and targets with which all layers spike and are swept."""
    config = faulty_network(kind)
    if kind == "sparse":
        return _sparse_work(config)
    events, targets = stimulus(windows)
    by_step = np.repeat(targets[:, None].astype(np.uint16), events.steps, axis=1)
    return NetworkWork(config, start_weights(config), events, by_step)


def _sparse_work(config: NetworkConfig) -> NetworkWork:
    """Return a window with targets in two steps, and weights at both ends of their format."""
    random = np.random.default_rng(SPARSE_SEED)
    raster = random.random((1, SPARSE_STEPS, 12)) < 0.25
    targets = np.zeros((1, SPARSE_STEPS, 3), np.uint16)
    targets[:, -1], targets[:, 2] = [1024, 1024, 0], [0, 1024, 0]
    weights = []
    for own in config.layers:
        fmt, sizes = own.config.synapse.weight, own.config.layer
        one = 1 << fmt.frac
        drawn = random.integers(-one // 4, one // 2, (sizes.inputs, sizes.neurons))
        drawn[0], drawn[1] = fmt.raw_max, fmt.raw_min
        weights.append(drawn)
    return NetworkWork(config, weights, Events.from_raster(raster), targets)


PASSES = {"adjoint": "done", "credit_pass": "handed", "update": "done"}
"""The passes of a sweep, and the pulse at their end."""


class LoggedBench(NetworkBench):
    """A bench that logs how long each pass of each layer's sweep takes."""

    def __init__(self, work: NetworkWork, most: int) -> None:
        config, events = work.network, work.events
        goals = targets_by_step(config.layers[-1].config, events, work.targets)
        super().__init__(
            config, work.weights, events, goals,
            learns=[True] * events.windows, stalls=(0.0, 0.0, 0.0), seed=0,
        )  # fmt: skip
        self.most = most
        self.design = Fragment.get(self.core, None)
        self.watching.append(self.log)
        self.passes: list[list[tuple[str, int]]] = [[] for _ in config.layers]

    async def log(self, ctx: Any) -> None:
        """Log passes in the order in which they end."""
        units = []
        for number in range(len(self.passes)):
            sweep = self.design.find_subfragment(f"layer_{number}").find_subfragment("sweep")
            for fragment, name, _ in sweep.subfragments:
                if name in PASSES:
                    units.append((number, name, fragment.origins[0]))
        ports = []
        for _, name, unit in units:
            ends = unit.before if name == "credit_pass" else unit
            ports += [unit.start, getattr(ends, PASSES[name])]
        clock, began = 0, [0] * len(units)
        while True:
            values = (await ctx.tick().sample(*ports))[-len(ports) :]
            for place, (number, name, _) in enumerate(units):
                start, end = values[2 * place : 2 * place + 2]
                if start:
                    began[place] = clock
                if end:
                    self.passes[number].append((name, clock - began[place]))
            clock += 1


@cache
def expected_passes(kind: str, windows: int) -> list[list[tuple[str, int]]]:
    """Return what a bench logs, by the formulas of `bitlif.model.network_clocks`."""
    work = active_work(kind, windows)
    config, events = work.network, work.events
    network = Network(config)
    network.load(work.weights)
    result = network.learn(events, work.targets, record=("adjoints", "membrane"))
    logged: list[list[tuple[str, int]]] = [[] for _ in config.layers]
    spikes = np.diff(events.pointers).reshape(events.windows, events.steps)
    opened = np.zeros_like(spikes)
    for number, own in enumerate(result.layers):
        c = sweep_constants(config, number)
        active = result.adjoints[number].any(axis=2)
        for window, step in np.ndindex(active.shape):
            step = events.steps - 1 - step
            some = bool(active[window, step])
            # The first slot is issued one clock cycle after the start.
            logged[number].append(("adjoint", 1 + c.adjoints))
            if c.passes and some:
                credit = c.slots_before + int(opened[window, step]) * c.rows + c.tree
                logged[number].append(("credit_pass", credit))
            if some or c.always:
                taken = int(spikes[window, step]) * c.taken * (some or c.each)
                logged[number].append(("update", c.words + taken + c.latency))
        spikes = own.raster.sum(axis=2)
        if number < len(config.layers) - 1:
            distance = own.membrane - config.derived(number).constants.threshold
            surrogate = config.derived_sweep(number).constants.surrogate
            opened = network_clocks._open(distance, surrogate).sum(axis=2)
    return logged


@cache
def expected_of(kind: str, windows: int) -> dict[str, Any]:
    """Return what the model says that a bench must find."""
    work = active_work(kind, windows)
    return expected_results(
        work.network, work.weights, work.events, work.targets, [True] * work.events.windows
    )


AT_END = (
    *(("counters", name) for name in (*SWEPT_COUNTERS, "phase", "current", "membrane")),
    # A learned window ends in all layers at once: only the passes tell which one is late.
    ("clocks", "passes"), ("clocks", "clocks"), ("signature", "digest"),
)  # fmt: skip
"""What is compared after the steps, sweeps and updates, in this order, each in all layers."""


def first_difference(kind: str, windows: int = 1) -> tuple[int | None, str] | None:
    """Return the layer and the pass in which the gates first differ from the model.

    The steps of all layers are compared first. Then each layer, from the last one, is compared in
    its sweep, and then in its weights and the LFSRs of its updates, because its sweep depends on
    nothing of the layers before it. Then come the counters of all layers, the clock cycles of their
    passes and windows, and their signatures. Of a core that does not end, the spikes and adjoint
    currents until then are compared. The layer is None if only the signature of the network
    differs. None if all agree.
    """
    work, expected = active_work(kind, windows), dict(expected_of(kind, windows))
    layers = range(len(work.network.layers))
    for number, own in enumerate(expected_passes(kind, windows)):
        expected[f"passes {number}"] = own
    bench = LoggedBench(work, 2000 + 2 * max(expected[f"clocks {number}"][-1] for number in layers))
    found = simulated(bench, taught=True)
    for number in layers:
        found[f"raster {number}"] = bench.rasters[number]
        found[f"adjoints {number}"] = bench.adjoints[number]
        if "digest" in found:
            found[f"clocks {number}"] = bench.ends[number]
            found[f"passes {number}"] = bench.passes[number]
    order = [(number, "forward", name) for number in layers for name in ("raster", "noise")]
    for number in reversed(layers):
        order += [(number, "sweep", name) for name in ("adjoints", "sweep")]
        order += [(number, "update", name) for name in ("weights", "update")]
    order += [(number, part, name) for part, name in AT_END for number in layers]
    for number, part, name in order:
        key = f"{name} {number}"
        if key in found and not np.array_equal(found[key], expected[key]):
            return number, part
    if found.get("digest") != expected["digest"]:
        return None, "signature"
    return None
