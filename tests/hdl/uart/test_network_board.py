# amaranth: UnusedElaboratable=no
"""A complete board with a network in compiled RTL, driven through its serial port."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from network_faults import faulty_network, start_weights, stimulus
from networks import assert_same_core

import bitlif
from bitlif.host.link import Link
from bitlif.host.serial_port import open_serial
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.sim.backends.network_serial import NetworkSerialCore
from bitlif.sim.compiled.board_sim import SimulatedBoard
from bitlif.sim.compiled.pseudo_terminal import PseudoTerminal

NETWORK = faulty_network("window")

PATIENCE = 600.0
"""Seconds to wait for an answer of the simulated board."""


@pytest.fixture(scope="module")
def board() -> SimulatedBoard:
    return SimulatedBoard(NETWORK)


class Shown:
    """The model, without what a board does not show."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def layer_counters(self) -> tuple[dict[str, int], ...]:
        found = [dict(own) for own in self._model.layer_counters()]
        for own in found[1:]:
            del own["synaptic_events"]
        return tuple(found)


def same(core: Any, model: Any) -> None:
    assert_same_core(core, Shown(model))
    assert core.layer_signatures() == model.layer_signatures()
    assert core.sweep_lfsr() == model.sweep_lfsr()
    assert core.windows_learned() == model.windows_learned()


def opened(path: str) -> NetworkSerialCore:
    """Open the board, which a busy machine may simulate slowly: nothing is sent twice."""
    link = Link(open_serial(path, 1_000_000), timeout=PATIENCE)
    return NetworkSerialCore(NETWORK, f"serial:{path}", link=link, stall_timeout=PATIENCE)


def agree_with_the_model(path: str) -> None:
    events, targets = stimulus()
    with opened(path) as core, bitlif.open(NETWORK) as model:
        same(core, model)  # the start weights of the network
        for each in (core, model):
            each.load(start_weights(NETWORK))
        for learn in (True, False):
            ours, theirs = (
                each.run(events, targets if learn else None, learn=learn) for each in (core, model)
            )
            np.testing.assert_array_equal(ours.raster, theirs.raster)
            np.testing.assert_array_equal(ours.layers[-1].raster, theirs.layers[-1].raster)
            assert ours.layers[0].raster.shape == (0, *theirs.layers[0].raster.shape[1:])
            same(core, model)
        core.reset()
        model.reset()
        same(core, model)


def test_network_on_a_board_is_the_model(board: SimulatedBoard) -> None:
    with PseudoTerminal(board) as terminal:
        agree_with_the_model(terminal.path)


def test_steps_of_a_network_on_a_board_are_those_of_the_model(board: SimulatedBoard) -> None:
    events, targets = stimulus()
    with (
        PseudoTerminal(board) as terminal,
        opened(terminal.path) as core,
        bitlif.open(NETWORK) as model,
    ):
        for each in (core, model):
            each.load(start_weights(NETWORK))
        for step in range(events.windows * events.steps):
            first, last = events.pointers[step : step + 2]
            given = events.addresses[first:last]
            ours, theirs = (
                each.step(given, targets[step // events.steps], learn=True)
                for each in (core, model)
            )
            np.testing.assert_array_equal(ours.spikes, theirs.spikes)
            assert (ours.step, ours.ended) == (theirs.step, theirs.ended)
        same(core, model)


def test_tables_of_another_schedule_are_loaded(board: SimulatedBoard) -> None:
    events, targets = stimulus()
    last = len(NETWORK.layers) - 1
    other: NetworkConfig = NETWORK.replace(
        **{f"layer__{last}__error__limit": NETWORK.layers[last].config.error.limit / 2}
    )
    with (
        PseudoTerminal(board) as terminal,
        opened(terminal.path) as core,
        bitlif.open(NETWORK) as model,
    ):
        for each in (core, model):
            each.load_tables(other)
            each.load(start_weights(NETWORK))
        ours, theirs = (each.learn(events, targets) for each in (core, model))
        np.testing.assert_array_equal(ours.raster, theirs.raster)
        same(core, model)
        assert model.weights()[last].tolist() != _learned(events, targets)[last].tolist()


def _learned(events: Any, targets: np.ndarray) -> list[np.ndarray]:
    """Return the weights that the network learns with its own tables."""
    with bitlif.open(NETWORK) as model:
        model.load(start_weights(NETWORK))
        model.learn(events, targets)
        return model.weights()


def test_layer_and_network_refuse_the_board_of_the_other(board: SimulatedBoard) -> None:
    with PseudoTerminal(board) as terminal:
        with pytest.raises(BitlifError, match="no bitlif core was found: IDENTITY must be"):
            bitlif.open(Config.load("tiny"), f"serial:{terminal.path}")
        changed: NetworkConfig = NETWORK.replace(layer__1__membrane__threshold=0.75)
        with pytest.raises(BitlifError, match="must have been built from configuration"):
            bitlif.open(changed, f"serial:{terminal.path}")
        with pytest.raises(BitlifError, match="was built with learning=True"):
            bitlif.open(NETWORK, f"serial:{terminal.path}", learning=False)
