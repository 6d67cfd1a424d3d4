"""Networks in NIR: read as layers of our equations in real numbers, or refused in words.

NIR's equations of a current-based neuron, by Euler's method with a step of `dt`::

    I[t]  = (1 - dt/tau_syn) I[t-1] + k sum of w s[t]          k = w_in dt/tau_syn
    V[t]  = (1 - dt/tau_mem) V[t-1] + r dt/tau_mem I[t]         0 instead of V[t-1] after a spike
    spike = V[t] > v_threshold

They are ours with a threshold of 1 and a gain of 1 if each neuron's weights are multiplied by
``k r dt / (tau_mem v_threshold)``. A LIF node has no synaptic filter: its I[t] is the sum itself.
An IF node has no leak either::

    V[t]  = V[t-1] + r dt I[t]

An Affine node adds its bias to the sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitlif.model.errors import BitlifError, require_choice, require_real
from bitlif.model.extras import require_extra
from bitlif.model.text import path_text, quoted

GAINS = ("nir", "jump")
"""Meaning of an input spike: NIR's own, by `dt`; or a jump without it, of the current by w_in w.

The membrane of an IF node then jumps by r w.
"""

RESETS = ("free", "subtract")
"""What a spike does: it sets the membrane potential to 0, or subtracts the threshold from it."""

TIMES = {"CubaLIF": ("tau_syn", "tau_mem"), "LIF": ("tau",), "IF": ()}
"""Time constants of the neurons that are read."""

UNIFORM = 1e-5
"""Relative difference up to which time constants of a layer are equal: files hold float32."""


@dataclass(frozen=True, eq=False)
class RealLayer:
    """A layer of our equations in real numbers, with gain 1 and threshold 1.

    Attributes
    ----------
    name : str
        Of its neurons in the file.
    weights : (N, M) float64
        All factors folded in.
    leak_s, leak_m : float
        Factors per step. `leak_s` is 0 without a synaptic filter, `leak_m` 1 without a leak.
    reset : str
        One of `RESETS`.
    folded : tuple of str
        What was folded into the weights and the bias.
    bias : (M,) float64 or None
        Added to the sum of each step, all factors folded in; None if all are 0.
    """

    name: str
    weights: NDArray[np.float64]
    leak_s: float
    leak_m: float
    reset: str = "free"
    folded: tuple[str, ...] = field(default=())
    bias: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class RealNetwork:
    """Layers in a row, and how their time was made discrete.

    Attributes
    ----------
    layers : tuple of RealLayer
    dt : float
        Seconds per step.
    gain : str
        One of `GAINS`.
    notes : tuple of str
        What was found in the file or assumed.
    """

    layers: tuple[RealLayer, ...]
    dt: float
    gain: str
    notes: tuple[str, ...]


def read_graph(path: str | Path) -> Any:
    """Return the graph in a NIR file.

    Raises
    ------
    BitlifError
        If the package nir is missing, or the file cannot be read.
    """
    require_extra("NIR files need the package {}", "nir", "nir")
    import nir

    if not Path(path).is_file():
        raise BitlifError(f"NIR file '{path_text(Path(path))}' does not exist")
    try:
        # Its own check refuses what some frameworks write, such as the batch in the shape of the
        # input. `read_layers` checks the sizes that matter.
        return nir.read(path, type_check=False)
    except Exception as error:
        # The package raises whatever h5py and its own assertions do.
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BitlifError(f"NIR file '{path_text(Path(path))}' cannot be read: {line}") from error


def read_layers(
    graph: Any, *, dt: float | None = None, gain: str | None = None, reset: str = "free"
) -> RealNetwork:
    """Return the layers of a chain of nodes.

    Parameters
    ----------
    graph : nir.NIRGraph
        Input, then Linear or Affine and CubaLIF, LIF or IF in turn, then Output, with Flatten
        anywhere between them.
    dt : float or None
        Seconds per step. None: found in the file, where ``tau_syn / w_in`` (of LIF, ``tau / r``; of
        IF, ``1 / r``) is the same in all neurons, as snnTorch, SpikingJelly and `export_nir` write
        it. A network of IF only does not depend on it with ``"jump"``; it is 1 then.
    gain : str or None
        One of `GAINS`. None: ``"nir"``, or ``"jump"`` where all w_in and r of CubaLIF and IF are 1,
        as Norse writes it. LIF has no current, so `gain` does not matter for it.
    reset : str
        One of `RESETS`. Files do not tell it.

    Raises
    ------
    BitlifError
        If a node, an edge or a field is not one that our neurons can compute; the message names
        it, its value, and what is accepted.
    """
    if dt is not None:
        dt = require_real("dt", dt, 0.0, 1e3, open_low=True)
    if gain is not None:
        require_choice("gain", gain, GAINS)
    require_choice("reset", reset, RESETS)
    pairs = _pairs(graph)
    notes: list[str] = []
    neurons = [(name, node) for _, _, name, node in pairs]
    if gain is None:
        own = [node for _, node in neurons if _kind(node) != "LIF"]
        plain = all(np.all(node.r == 1) and np.all(getattr(node, "w_in", 1) == 1) for node in own)
        plain = plain and bool(own)
        gain = "jump" if plain else "nir"
        ones = "r and w_in" if any(_kind(node) == "CubaLIF" for node in own) else "r"
        notes.append(f"gain '{gain}', " + (f"since all {ones} are 1" if plain else "NIR's own"))
    if gain == "jump":
        neurons = [(name, node) for name, node in neurons if _kind(node) != "IF"]
    if dt is None and not neurons:
        dt = 1.0
        notes.append("dt does not matter to IF with gain 'jump'")
    if dt is None:
        dt = _found_step(neurons)
        told = " and ".join(dict.fromkeys(_step_of(node)[0] for _, node in neurons))
        notes.append(f"dt = {dt:.4g} s, found as {told}")
    layers: list[RealLayer] = []
    for weight_name, weight, name, node in pairs:
        layers.append(_layer(weight_name, weight, name, node, dt, gain, reset))
        inputs, before = layers[-1].weights.shape[0], layers[-2:-1]
        if before and inputs != before[0].weights.shape[1]:
            raise BitlifError(
                f"node {quoted(weight_name)}: weight must have {before[0].weights.shape[1]} "
                f"columns, one for each neuron before it, not {inputs}"
            )
    return RealNetwork(tuple(layers), dt, gain, tuple(notes))


def _pairs(graph: Any) -> list[tuple[str, Any, str, Any]]:
    """Return the weights and the neurons of each layer, with their names."""
    chain = [(name, node) for name, node in _chain(graph) if _kind(node) != "Flatten"]
    kinds = [_kind(node) for _, node in chain]
    if kinds[:1] != ["Input"] or kinds[-1:] != ["Output"]:
        raise BitlifError(f"the chain must go from Input to Output, not {' - '.join(kinds)}")
    inner = chain[1:-1]
    if not inner:
        raise BitlifError("the chain must have Linear and CubaLIF nodes, not Input and Output only")
    pairs = []
    for number, (name, node) in enumerate(inner):
        kind = _kind(node)
        if number % 2 == 0:
            if kind not in ("Linear", "Affine"):
                raise BitlifError(f"node {quoted(name)} must be Linear or Affine, not {kind}")
            continue
        if kind not in TIMES:
            raise BitlifError(f"node {quoted(name)} must be CubaLIF, LIF or IF, not {kind}")
        pairs.append((*inner[number - 1], name, node))
    if len(inner) % 2:
        raise BitlifError(f"node {quoted(inner[-1][0])} must be followed by CubaLIF, not Output")
    return pairs


def _chain(graph: Any) -> list[tuple[str, Any]]:
    """Return the nodes in the order of their edges."""
    after: dict[str, str] = {}
    before: dict[str, str] = {}
    for source, target in graph.edges:
        for known, node in ((after, source), (before, target)):
            if node in known:
                raise BitlifError(
                    f"node {quoted(node)} must have one edge on each side: only chains are "
                    f"supported, with no recurrent connection"
                )
        after[source], before[target] = target, source
    starts = [name for name in graph.nodes if name not in before]
    if len(starts) != 1:
        raise BitlifError(f"the graph must have one first node, not {len(starts)}")
    found = [starts[0]]
    while found[-1] in after:
        found.append(after[found[-1]])
    if len(found) != len(graph.nodes):
        raise BitlifError("all nodes must be in one chain from Input to Output")
    return [(name, graph.nodes[name]) for name in found]


def _kind(node: Any) -> str:
    return type(node).__name__


def _step_of(node: Any) -> tuple[str, Any, Any]:
    """Return the fields whose ratio is `dt` in files that tell it: in words, and both values."""
    if _kind(node) == "LIF":
        return "tau / r", node.tau, node.r
    if _kind(node) == "IF":
        return "1 / r", np.ones(1), node.r
    return "tau_syn / w_in", node.tau_syn, node.w_in


def _found_step(neurons: list[tuple[str, Any]]) -> float:
    told = [_step_of(node) for _, node in neurons]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.concatenate([np.ravel(tau / scale) for _, tau, scale in told])
    low, high = float(ratios.min()), float(ratios.max())
    names = list(dict.fromkeys(name for name, _, _ in told))
    ratio, ones = " and ".join(names), " and ".join(name.split()[-1] for name in names)
    plain = all(np.all(scale == 1) for _, _, scale in told)
    if plain or not 0 < low <= high <= low * (1 + UNIFORM):
        raise BitlifError(
            f"dt must be given: the file does not tell it, with {ratio} of "
            f"{low:.4g} ..= {high:.4g} and {ones} of 1"
            if plain
            else f"dt must be given: {ratio} must be the same in all neurons to tell it, "
            f"not {low:.4g} ..= {high:.4g}"
        )
    return float(np.median(ratios))


def _uniform(name: str, key: str, values: Any) -> float:
    values = np.ravel(np.asarray(values, np.float64))
    low, high = float(values.min()), float(values.max())
    if not 0 < low <= high <= low * (1 + UNIFORM):
        raise BitlifError(
            f"node {quoted(name)}: {key} must be above 0 and the same in all neurons, "
            f"not {low:.6g} ..= {high:.6g}"
        )
    return float(np.median(values))


def _require_zero(name: str, key: str, values: Any) -> None:
    values = np.ravel(np.asarray(values, np.float64))
    if values.any():
        raise BitlifError(
            f"node {quoted(name)}: {key} must be 0, not {float(values[np.argmax(values != 0)]):.6g}"
        )


def _require_values(name: str, key: str, values: Any, neurons: int) -> None:
    values = np.ravel(np.asarray(values, np.float64))
    if values.size not in (1, neurons):
        raise BitlifError(
            f"node {quoted(name)}: {key} must have 1 or {neurons} values, not {values.size}"
        )
    if not np.isfinite(values).all():
        raise BitlifError(f"node {quoted(name)}: {key} must be finite")


def _layer(
    weight_name: str, weight: Any, name: str, node: Any, dt: float, gain: str, reset: str
) -> RealLayer:
    weights = np.asarray(weight.weight, np.float64)
    if weights.ndim != 2 or not np.isfinite(weights).all():
        raise BitlifError(
            f"node {quoted(weight_name)}: weight must be a matrix of finite numbers, "
            f"not of shape {weights.shape}"
        )
    bias = np.zeros(weights.shape[0])
    if _kind(weight) == "Affine":
        bias = np.ravel(np.asarray(weight.bias, np.float64))
        if bias.size != weights.shape[0] or not np.isfinite(bias).all():
            raise BitlifError(
                f"node {quoted(weight_name)}: bias must be {weights.shape[0]} finite numbers, "
                f"not of shape {np.shape(weight.bias)}"
            )
    times, filtered = TIMES[_kind(node)], _kind(node) == "CubaLIF"
    zeros = ("v_leak", "v_reset") if times else ("v_reset",)
    for key in (*times, "r", "v_threshold", *zeros, *(["w_in"] * filtered)):
        _require_values(name, key, getattr(node, key), weights.shape[0])
    for key in zeros:
        _require_zero(name, key, getattr(node, key))
    leaks = []
    for key in times:
        tau = _uniform(name, key, getattr(node, key))
        if tau <= dt * (1 + UNIFORM):
            raise BitlifError(
                f"node {quoted(name)}: {key} must be longer than dt = {dt:.4g}, not {tau:.4g}"
            )
        leaks.append((tau, 1.0 - dt / tau))
    tau_m, leak_m = leaks[-1] if times else (1.0, 1.0)
    leak_s, jump = 0.0, np.ones(1)
    if filtered:
        tau_s, leak_s = leaks[0]
        jump = np.ravel(np.asarray(node.w_in, np.float64))
        jump = jump * dt / tau_s if gain == "nir" else jump
    drive = np.ravel(np.asarray(node.r, np.float64))
    if times or gain == "nir":
        drive = drive * dt / tau_m
    threshold = np.ravel(np.asarray(node.v_threshold, np.float64))
    if threshold.min() <= 0:
        raise BitlifError(
            f"node {quoted(name)}: v_threshold must be above 0, not {threshold.min():.6g}"
        )
    factor = np.broadcast_to(jump * drive / threshold, (weights.shape[0],))
    parts = {"the input's gain": jump, "the membrane's gain": drive, "1 / threshold": 1 / threshold}
    folded = tuple(text for text, own in parts.items() if not np.allclose(own, 1.0, rtol=UNIFORM))
    own = bias * factor if bias.any() else None
    return RealLayer(name, weights.T * factor, leak_s, leak_m, reset, folded, own)
