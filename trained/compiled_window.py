"""The forward pass of the contract by the compiled engine of the integer model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from bitlif.model.config.network import NetworkConfig
from bitlif.model.events import Events
from bitlif.model.network import Network

from .state import LayerSignals, NetworkState

RECORDS = ("current", "membrane", "draws")


class CompiledWindow:
    """The integer model, placed at the state that each forward pass starts from.

    Parameters
    ----------
    config : NetworkConfig
    threads : int
        For windows that do not depend on each other.
    """

    def __init__(self, config: NetworkConfig, threads: int) -> None:
        self._config = config
        self._network = Network(config, threads=threads)
        self._at = NetworkState()

    def run(
        self,
        weights: Sequence[Any],
        given: Any,
        levels: Any,
        state: NetworkState,
        *,
        all_signals: bool,
    ) -> list[LayerSignals]:
        """Run windows through all layers; parameters are those of `run_tensors`.

        Without `all_signals`, currents and draws are left out.
        """
        if not self._stands_at(state):
            self._move(state)
        self._network.load([own.numpy() for own in weights])
        events = Events.from_raster(np.ascontiguousarray(given.numpy().astype(bool).swapaxes(0, 1)))
        goals = None if levels is None else levels.numpy().swapaxes(0, 1)
        if goals is not None and goals.shape[1] == 1:
            goals = goals[:, 0]
        out = self._network.run(events, goals, record=RECORDS if all_signals else ("membrane",))
        found = []
        for own, after in zip(out.layers, self._network.states(), strict=True):
            raster = _by_step(own.raster)
            signals = (
                None if array is None else _by_step(array)
                for array in (own.current, own.membrane, own.draws)
            )
            last = (torch.from_numpy(array) for array in (after.current, after.membrane))
            found.append(LayerSignals(raster, *signals, *last))
        self._at = NetworkState(
            state.windows + events.windows, state.windows_learned,
            tuple(own.last_current for own in found), tuple(own.last_membrane for own in found),
        )  # fmt: skip
        return found

    def _stands_at(self, state: NetworkState) -> bool:
        at = self._at
        if (at.windows, at.windows_learned) != (state.windows, state.windows_learned):
            return False
        if self._config.layers[0].config.window.state == "clear":
            return True
        pairs = ((at.currents, state.currents), (at.membranes, state.membranes))
        return all(
            len(own) == len(wanted)
            and all(torch.equal(a, b.cpu()) for a, b in zip(own, wanted, strict=True))
            for own, wanted in pairs
        )

    def _move(self, state: NetworkState) -> None:
        """Place the model after `state.windows` windows, with the currents and membranes."""
        self._network.reset()
        arrays = dict(self._network.to_arrays())
        for number, layer in enumerate(self._config.layers):
            name, own = f"layer.{number}.", layer.config
            arrays[f"{name}windows_learned"] = np.array(state.windows_learned, np.int64)
            if state.currents:
                arrays[f"{name}current"] = state.currents[number].cpu().numpy()
            if state.membranes:
                arrays[f"{name}membrane"] = state.membranes[number].cpu().numpy()
            if own.window.lfsr == "carry" and own.noise.drawn:
                draws = state.windows * own.window.steps * own.layer.slots
                sources = dict.fromkeys(own.noise.lfsr.streams(own.layer.lanes))
                states = [source.jump(draws * own.noise.leap).state for source in sources]
                arrays[f"{name}noise_lfsr"] = np.array(states, np.uint64)
        self._network.restore(self._network.from_arrays(arrays))
        self._at = state.carried()


def _by_step(array: Any) -> Any:
    """Return an array of (B, T, M) as a tensor of (T, B, M)."""
    return torch.from_numpy(np.ascontiguousarray(array.swapaxes(0, 1)))
