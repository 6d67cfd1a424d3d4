"""A window of a network that is run step by step, for closed loops.

It calls the same function as `bitlif.model.network.Network` does for whole windows
(`bitlif.model.network_window.run_network`), so both give the same bits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .config.network import NetworkConfig
from .counters import COUNTERS
from .engine.compile import compiled, jit_disabled
from .network import NetworkSnapshot, padded, phase_constants
from .network_part import NetworkPart
from .network_result import DIGESTS, FORWARD_RECORDS, NETWORK_RECORDS
from .network_window import WindowRecords, run_network
from .snapshot import copied_streams
from .sweep import SWEEP_COUNTERS
from .window import Records


class OpenNetworkWindow(NamedTuple):
    """A window of a network of which some steps have run.

    A step writes only its own rows of the arrays, and replaces all else. So a step that is
    interrupted has either run or not, and can then be run again.
    """

    network: NetworkSnapshot
    """The network after the last step; its weights change with the last step of the window."""
    learn: bool
    step: int
    """Number of steps that have run."""
    pointers: NDArray[np.int64]
    """(T + 1,) and `addresses`: the input spikes so far"""
    addresses: NDArray[np.int32]
    targets: NDArray[Any]
    """(1, T, M) of the last layer"""
    own: tuple[Records, ...]
    """Records of the window in each layer, which later steps need"""
    records: tuple[WindowRecords, ...]
    """Records of each layer"""
    counters: tuple[dict[str, int], ...]
    sweep_counters: tuple[dict[str, int], ...]


class NetworkStepper:
    """Runs windows of a network step by step, one window at a time.

    Parameters
    ----------
    config : NetworkConfig
    interpreted : bool
        See `bitlif.model.network.Network`.
    signed : bool
        Whether to compute the digests that the signature needs.
    """

    def __init__(
        self, config: NetworkConfig, *, interpreted: bool = False, signed: bool = True
    ) -> None:
        self._interpreted = interpreted or jit_disabled()
        self._forward = ("current", "draws", *((DIGESTS,) if signed else ()))
        self._recorded = (*NETWORK_RECORDS, *((DIGESTS,) if signed else ()))
        self._parts = [
            NetworkPart(config, number, interpreted=self._interpreted)
            for number in range(len(config.layers))
        ]
        self._clear = self._parts[0].config.window.cleared
        self._kernel = run_network if self._interpreted else compiled(run_network)

    def begin(self, network: NetworkSnapshot, *, learn: bool) -> OpenNetworkWindow:
        """Return a window of a network before its first step; it records everything."""
        first, last = self._parts[0].config, self._parts[-1].config
        steps = first.window.steps
        wanted = self._recorded if learn else (*FORWARD_RECORDS, *self._forward)
        zeros = self._parts[-1].buffers.zeros
        return OpenNetworkWindow(
            network, learn, 0,
            np.zeros(steps + 1, np.int64),
            np.zeros(steps * first.layer.inputs, np.int32),
            zeros((1, steps, last.layer.neurons), np.uint16),
            tuple(part.window_records(self._forward) for part in self._parts),
            tuple(part.records(1, wanted) for part in self._parts),
            tuple(dict.fromkeys(COUNTERS, 0) for _ in self._parts),
            tuple(dict.fromkeys(SWEEP_COUNTERS, 0) for _ in self._parts),
        )  # fmt: skip

    def step(
        self,
        before: OpenNetworkWindow,
        addresses: NDArray[np.int32],
        targets: NDArray[Any] | None,
    ) -> OpenNetworkWindow:
        """Return the window after its next step; the last step updates the weights.

        Parameters
        ----------
        before : OpenNetworkWindow
            A window that has not ended. It must not be used again, except after an interrupt.
        addresses : (n,) int32
            Inputs that spike, in ascending order.
        targets : (1, 1, M) uint16 or None
            Raw targets of the step.
        """
        t, learn, now = before.step, before.learn, before.network
        start = int(before.pointers[t])
        before.pointers[t + 1] = start + len(addresses)
        before.addresses[start : start + len(addresses)] = addresses
        goals = before.targets
        none = goals[:0, :1]
        if targets is None:
            goals = none
        else:
            goals[0, t] = targets[0, 0]
        layers = [own.copied() for own in now.layers]
        streams = [copied_streams(own) for own in now.streams]
        parts = tuple(
            part.parts(own, stream, records)
            for part, own, stream, records in zip(
                self._parts, layers, streams, before.own, strict=True
            )
        )
        self._kernel(
            0, 1, t, t + 1, int(learn), len(parts), before.pointers, before.addresses, goals, none,
            padded(parts), *phase_constants(self._parts, now.learned), padded(before.records),
            self._clear,
        )  # fmt: skip
        ended = t + 1 == len(before.pointers) - 1
        learned = now.learned + int(learn and ended)
        return before._replace(
            network=NetworkSnapshot(
                tuple(own._replace(learned=learned) for own in layers), tuple(streams)
            ),
            step=t + 1,
            counters=tuple(
                _added(total, COUNTERS, part.counters)
                for total, part in zip(before.counters, parts, strict=True)
            ),
            sweep_counters=tuple(
                _added(total, SWEEP_COUNTERS, part.sweep_counters)
                for total, part in zip(before.sweep_counters, parts, strict=True)
            ),
        )


def _added(
    total: dict[str, int], names: tuple[str, ...], counters: NDArray[np.int64]
) -> dict[str, int]:
    return {name: total[name] + int(count) for name, count in zip(names, counters, strict=True)}
