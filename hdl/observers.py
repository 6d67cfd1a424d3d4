"""Outputs that observe a layer: signature, counters and the events of a clock cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value

from bitlif.model.sections import LayerConfig
from bitlif.model.signature import WIDTH

from .core_signals import COUNTER_BITS, WATCHED
from .counter import SaturatingCounter
from .forward import ForwardEngine
from .learning import LearningEngine
from .pipeline import present_lanes
from .signature import Signature


def connect_signature(
    m: Module,
    sizes: LayerConfig,
    forward: ForwardEngine,
    learner: Any,
    signer: Signature,
) -> None:
    """Connect membranes, spikes and updated weights to the signature.

    `learner` has ``update_enable``, ``update_slot`` and ``update_data``; None without learning.
    """
    for lane, present in enumerate(present_lanes(sizes, forward.slot)):
        word = Signal(WIDTH, name=f"potential_{lane}")
        m.d.comb += word.eq(forward.before[lane])
        with m.If(forward.slot_valid & present):
            m.d.comb += [
                signer.take[lane].eq(1),
                signer.words[lane].eq(word ^ (forward.spikes[lane] << (WIDTH - 1))),
            ]
    if learner is None:
        return
    for lane, present in enumerate(present_lanes(sizes, learner.update_slot)):
        word = Signal(WIDTH, name=f"weight_{lane}")
        m.d.comb += word.eq(learner.update_data[lane])
        with m.If(learner.update_enable & present):
            m.d.comb += [signer.take[lane].eq(1), signer.words[lane].eq(word)]


def connect_watch(
    m: Module,
    forward: ForwardEngine,
    learner: LearningEngine | None,
    step_done: Signal,
    window_done: Signal,
) -> None:
    """Add the signal ``watch`` for benches; nothing in the core depends on it."""
    flags = Signal(len(WATCHED), name="watch")
    happens = {
        "drawn": forward.drawn,
        "slot": forward.slot_valid,
        "step": step_done,
        "window": window_done,
    }
    if learner is not None:
        happens |= {
            "error": learner.push,
            "trace": learner.trace_written,
            "gradient": learner.gradient_taken,
            "update": learner.update_enable,
        }
    m.d.comb += [flags[WATCHED.index(name)].eq(value) for name, value in happens.items()]


def connect_swept_watch(
    m: Module, forward: Any, engine: Any, step_done: Signal, window_done: Signal
) -> None:
    """Add signals for benches to a layer of a network; nothing in the core depends on them.

    ``watch`` has the bits `WATCHED`, with the adjoint currents in place of the traces. Values that
    the layer has no port for are in ``watched_adjoints``, ``watched_gradient`` (only if the layer
    adds up its gradient) and ``watched_weights``.

    Parameters
    ----------
    m : Module
        Of a `SweptLayer`.
    forward : ForwardEngine
    engine : SweepEngine or None
        None in a layer that is not learned.
    step_done, window_done : Signal
    """
    flags = Signal(len(WATCHED), name="watch")
    happens: dict[str, Value] = {
        "drawn": forward.drawn,
        "slot": forward.slot_valid,
        "step": step_done,
        "window": window_done,
    }
    if hasattr(forward, "error_valid"):
        happens["error"] = forward.error_valid
    if engine is not None:
        shown = {
            "adjoints": ("trace", engine.adjoints_valid, engine.adjoints),
            "weights": ("update", engine.sign, engine.sign_data),
        }
        if hasattr(engine, "gradient_row"):
            shown["gradient"] = ("gradient", engine.gradient_taken, engine.gradient_row)
        for name, (when, valid, row) in shown.items():
            watched = Signal(row.shape(), name=f"watched_{name}")
            m.d.comb += watched.eq(row)
            happens[when] = valid
    m.d.comb += [flags[WATCHED.index(name)].eq(value) for name, value in happens.items()]


def add_counters(
    m: Module,
    sizes: LayerConfig,
    forward: ForwardEngine,
    learner: LearningEngine | None,
) -> dict[str, Signal]:
    """Add the counters of saturations and active errors; return their values by name.

    Counters that only learning increments are omitted from cores without learning hardware. A
    flag is counted `SaturatingCounter.latency` clock cycles later.
    """
    flags: dict[str, Value] = {}
    present = present_lanes(sizes, forward.slot)
    saturated = [forward.saturated.word_select(lane, 3) for lane in range(len(present))]
    here = [exists & forward.slot_valid for exists in present]
    flags["current_saturations"] = Cat(*(s[0] & h for s, h in zip(saturated, here, strict=True)))
    flags["membrane_saturations"] = Cat(
        *(s[bit] & h for s, h in zip(saturated, here, strict=True) for bit in (1, 2))
    )
    if learner is not None:
        there = present_lanes(sizes, forward.error_slot)
        pushed = [exists & learner.push for exists in there]
        updated = [
            exists & learner.update_enable for exists in present_lanes(sizes, learner.update_slot)
        ]
        flags |= {
            "error_saturations": Cat(
                *(s & p for s, p in zip(forward.error_saturated, pushed, strict=True))
            ),
            "synaptic_trace_saturations": learner.saturated[0] & learner.trace_written,
            "trace_saturations": learner.saturated[1] & learner.trace_written,
            "weight_saturations": Cat(
                *(s & u for s, u in zip(learner.weight_saturated, updated, strict=True))
            ),
            "active_errors": learner.active & learner.push.replicate(len(there)),
        }
    values = {}
    for name, bits in flags.items():
        m.submodules[f"counter_{name}"] = counter = SaturatingCounter(len(bits), COUNTER_BITS)
        m.d.comb += counter.flags.eq(bits)
        values[name] = counter.value
    return values
