"""Threads of a network: no bit depends on their number, nor on how windows are grouped."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import numpy as np
import pytest

from bitlif.model import network as network_module
from bitlif.model.config.network import NetworkConfig, network_from_dict
from bitlif.model.errors import BitlifError
from bitlif.model.events import Events
from bitlif.model.network import Network, NetworkResult

from strategies import stimulus

WINDOWS = 7
"""Not a multiple of 2 or 5."""


def config(**window: str) -> NetworkConfig:
    tree = {
        "name": "threads",
        "window": {"steps": 9, **window},
        "layer": [
            {"inputs": 6, "neurons": 7, "lanes": 3},
            {"neurons": 5, "lanes": 2, "noise": {"lfsr": {"sharing": "shared"}}},
            {"neurons": 4},
        ],
    }
    return network_from_dict(tree)


@pytest.fixture(autouse=True)
def any_work_is_enough_for_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_module, "THREAD_WORK", 1)


def spikes(own: NetworkConfig) -> tuple[Events, list[Any], Any]:
    drawn = [
        stimulus(layer.config, number, windows=WINDOWS) for number, layer in enumerate(own.layers)
    ]
    events, weights, targets = drawn[0][0], [raw for _, raw, _ in drawn], drawn[-1][2]
    return events, weights, targets


def everything(result: NetworkResult, network: Network) -> list[Any]:
    found: list[Any] = []
    for layer in result.layers:
        assert layer.membrane is not None
        assert layer.draws is not None
        assert layer.digests is not None
        found += [layer.raster, layer.membrane, layer.draws, layer.digests[0], layer.counters]
    return [*found, *(array for _, array in sorted(network.to_arrays().items()))]


def assert_equal(left: list[Any], right: list[Any]) -> None:
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        np.testing.assert_equal(a, b)


def threads_used(network: Network, monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Return a set that collects the threads in which the kernel is called."""
    used: set[int] = set()
    kernel = network._kernel

    def spy(*arguments: Any) -> None:
        used.add(threading.get_ident())
        kernel(*arguments)

    monkeypatch.setattr(network, "_kernel", spy)
    return used


@pytest.mark.parametrize("lfsr", ["carry", "clear"])
@pytest.mark.parametrize("state", ["clear", "carry"])
def test_threads_change_no_bit(lfsr: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = config(lfsr=lfsr, state=state)
    events, weights, targets = spikes(own)
    record = ("membrane", "draws", "digests")
    expected: list[Any] = []
    for threads in (1, 2, 5):
        network = Network(own, threads=threads)
        network.load(weights)
        network.learn(events, targets)
        used = threads_used(network, monkeypatch)
        # The second run continues from the state that the first left.
        found = [*everything(network.run(events, record=record), network)]
        found += everything(network.run(events, record=record), network)
        expected = expected or found
        assert_equal(found, expected)
        alone = used == {threading.get_ident()}
        assert alone is (threads == 1 or state == "carry")


def test_grouping_windows_into_calls_changes_no_bit() -> None:
    own = config(lfsr="carry")
    events, weights, _ = spikes(own)
    whole, parts = Network(own, threads=2), Network(own, threads=5)
    for network in (whole, parts):
        network.load(weights)
    raster = whole.run(events).output.raster
    pieces = [parts.run(events.select(own)).output.raster for own in ([0], [1, 2, 3], [4, 5, 6])]
    np.testing.assert_array_equal(raster, np.concatenate(pieces))
    assert_equal(*([a for _, a in sorted(own.to_arrays().items())] for own in (whole, parts)))


def test_learning_uses_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    own = config()
    events, weights, targets = spikes(own)
    network = Network(own, threads=5)
    network.load(weights)
    used = threads_used(network, monkeypatch)
    network.learn(events, targets)
    assert used == {threading.get_ident()}


def test_little_work_uses_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    own = config()
    network = Network(own, threads=2)
    used = threads_used(network, monkeypatch)
    network.run(spikes(own)[0])
    assert used == {threading.get_ident()}


def test_copies_keep_the_number_of_threads() -> None:
    network = pickle.loads(pickle.dumps(Network(config(), threads=3)))
    assert network._arguments()["threads"] == 3


def test_a_wrong_number_of_threads_is_refused() -> None:
    with pytest.raises(BitlifError, match=r"threads must be .*1 \.\.= 256.* not 0"):
        Network(config(), threads=0)
