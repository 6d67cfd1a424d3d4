"""Threads of a network: each runs a block of windows on a copy of the state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from .lfsr import Streams
from .network_part import NetworkPart
from .network_window import LayerParts
from .snapshot import Snapshot, copied_streams
from .window import State


class Seat(NamedTuple):
    """What one thread of a run reads and writes, per layer."""

    layers: tuple[Snapshot, ...]
    """The state, which the run changes."""
    streams: tuple[Streams, ...]
    """LFSRs of the sweeps."""
    parts: tuple[LayerParts, ...]
    """Arguments of the kernel: the arrays of `layers` and `streams`, and work arrays."""


def first_seat(
    parts: Sequence[NetworkPart],
    layers: Sequence[Snapshot],
    streams: Sequence[Streams],
    wanted: Sequence[str],
) -> Seat:
    """Return the seat of a run's first thread, or of its only one."""
    own = tuple(layer.copied() for layer in layers)
    return _seat(parts, own, streams, wanted, new=False)


def seat_ahead(
    parts: Sequence[NetworkPart],
    layers: Sequence[Snapshot],
    streams: Sequence[Streams],
    wanted: Sequence[str],
    windows: int,
) -> Seat:
    """Return a seat for windows that are run, not learned, some windows later.

    The windows must not depend on each other's state. The weights are shared, not copied.
    """
    own = tuple(
        layer._replace(
            state=State(*(array.copy() for array in layer.state)),
            streams=part.opener.ahead(layer.streams, windows),
            update_streams=copied_streams(layer.update_streams),
        )
        for part, layer in zip(parts, layers, strict=True)
    )
    return _seat(parts, own, streams, wanted, new=True)


def _seat(
    parts: Sequence[NetworkPart],
    layers: tuple[Snapshot, ...],
    streams: Sequence[Streams],
    wanted: Sequence[str],
    *,
    new: bool,
) -> Seat:
    sweeps = tuple(copied_streams(stream) for stream in streams)
    arguments = tuple(
        part.parts(layer, sweep, part.window_records(wanted), new=new)
        for part, layer, sweep in zip(parts, layers, sweeps, strict=True)
    )
    return Seat(layers, sweeps, arguments)


def on_threads(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> None:
    """Call a function with each of the arguments, each time on a thread of its own."""
    if len(calls) == 1:
        function(*calls[0])
        return
    with ThreadPoolExecutor(len(calls)) as pool:
        for job in [pool.submit(function, *call) for call in calls]:
            job.result()
