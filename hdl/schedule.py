"""The schedule of a layer: the constants of its phase, and the windows that it has learned."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data
from amaranth.lib.memory import Memory

from .pipeline import NO_READ_WRITE_COLLISION


def follow_schedule(
    m: Module,
    core: Any,
    rows: list[dict[str, int]],
    layout: data.StructLayout,
    forward: Any,
    learner: Any,
    close: Signal,
) -> None:
    """Drive the constants of the phase, and count its windows.

    Parameters
    ----------
    m : Module
    core : LayerCore or SweptLayer
        Has ``host``, ``phase`` and, if it learns, ``learn``.
    rows : list of dict of str to int
        The phases.
    layout : data.StructLayout
        Of a phase.
    forward : ForwardEngine
    learner : LearningEngine, SweepEngine or None
        None without learning hardware; then the phase stays the first one.
    close : Signal
        A window ends in this clock cycle.
    """
    noisy = hasattr(forward, "noise_scale")
    m.submodules.schedule = schedule = Memory(
        shape=layout,
        depth=len(rows),
        init=rows,
        attrs=NO_READ_WRITE_COLLISION | ({"ram_style": "block"} if len(rows) > 8 else {}),
    )
    read = schedule.read_port()
    write = schedule.write_port()
    m.d.comb += [
        read.addr.eq(core.phase),
        *([forward.noise_scale.eq(read.data.noise_scale)] if noisy else []),
        core.host.schedule.eq(read.data),
        write.addr.eq(core.host.address),
        write.data.eq(core.host.schedule_data),
        write.en.eq(core.host.schedule_enable & core.host.idle),
    ]
    # The host is idle until the first event; the constants are needed only cycles later.
    with m.If(core.host.idle):
        m.d.comb += read.addr.eq(core.host.address)
    if learner is None:
        return
    if hasattr(forward, "reciprocal"):
        m.d.comb += forward.reciprocal.eq(read.data.reciprocal)
    m.d.comb += [learner.rate.eq(read.data.rate), learner.shift.eq(read.data.shift)]
    final = core.phase == len(rows) - 1
    learned = Signal.like(read.data.windows)
    windows = Signal.like(read.data.windows)
    m.d.sync += windows.eq(read.data.windows)
    with m.If(close & core.learn & ~final):
        m.d.sync += learned.eq(learned + 1)
        with m.If(learned + 1 == windows):
            m.d.sync += [learned.eq(0), core.phase.eq(core.phase + 1)]
