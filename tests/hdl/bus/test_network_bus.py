# amaranth: UnusedElaboratable=no
"""Networks behind AXI: one register map for all layers, and the model's bits over the buses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bus_host import FLUSH, IDLE, LEARN, READY, RESET, RUN
from network_bus_host import NetworkBusHost
from network_faults import WINDOWS, faulty_network, start_weights, stimulus

import bitlif
from bitlif.hdl.bus.registers import Response
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.model.network import Network


@pytest.fixture(scope="module")
def host() -> NetworkBusHost:
    return NetworkBusHost(faulty_network("window"))


def compare(host: NetworkBusHost, core: Any, *, learning: bool = True) -> None:
    """Compare all that can be read of a core of a network with the model."""
    driver, network = host.driver, host.network
    for own, right in zip(host.do(driver.read_weights()), core.weights(), strict=True):
        np.testing.assert_array_equal(own, right)
    pairs = zip(host.do(driver.read_states()), core.state(), strict=True)
    for number, (own, right) in enumerate(pairs):
        np.testing.assert_array_equal(own.current, right.current)
        np.testing.assert_array_equal(own.membrane, right.membrane)
        assert own.noise_lfsr == right.noise_lfsr
        random_bits = network.layers[number].config.learning.random_bits
        drawn = learning and number >= network.learned_from and random_bits
        assert own.update_lfsr == (right.update_lfsr if drawn else ())
        assert own.phase == (right.phase if learning else 0)
    for own, right in zip(host.do(driver.read_counters()), core.layer_counters(), strict=True):
        assert own == {name: right[name] for name in own}
    assert host.read("SIGNATURE") == core.signature()


@pytest.mark.parametrize("update", ["window", pytest.param("spike", marks=pytest.mark.long)])
def test_network_over_axi_is_the_model(update: str) -> None:
    network = faulty_network(update)
    host = NetworkBusHost(network)
    events, targets = stimulus()
    with bitlif.open(network) as core:
        core.load(start_weights(network))
        host.set_up(core.weights())
        expected = core.run(events, targets, learn=True)
        np.testing.assert_array_equal(host.run_all(events, targets, learn=True), expected.raster)
        compare(host, core)
        # Windows that are not learned follow each other without a pause.
        expected = core.run(events, learn=False)
        np.testing.assert_array_equal(host.run_all(events, None, learn=False), expected.raster)
        compare(host, core)
        assert host.read("WINDOWS") == 2 * WINDOWS


def test_sweep_lfsrs_and_layer_signatures_are_those_of_the_model(host: NetworkBusHost) -> None:
    network = host.network
    events, targets = stimulus()
    model = Network(network)
    model.load(start_weights(network))
    model.learn(events, targets)
    host.set_up(start_weights(network))
    host.run_all(events, targets, learn=True)
    swept = model.to_arrays()
    for number, own in enumerate(host.do(host.driver.read_sweep_lfsrs())):
        assert own == tuple(swept[f"layer.{number}.sweep_lfsr"].tolist())
    digest = 0
    for number, own in enumerate(host.do(host.driver.read_signatures())):
        digest ^= (own << number | own >> 32 - number) & 0xFFFFFFFF
    assert digest == host.read("SIGNATURE")


def test_core_that_only_runs_is_the_model() -> None:
    network = faulty_network("window")
    host = NetworkBusHost(network, learning=False)
    events, _ = stimulus()
    with bitlif.open(network, learning=False) as core:
        core.load(start_weights(network))
        host.set_up(core.weights())
        expected = core.run(events)
        np.testing.assert_array_equal(host.run_all(events, None, learn=False), expected.raster)
        compare(host, core, learning=False)
    # Learning is refused, and counters that the core does not have read as 0.
    assert host.try_write(host.at["CONTROL"], LEARN) == Response.SLAVE_ERROR
    assert host.read("WEIGHT_SATURATIONS") == host.read("ACTIVE_ADJOINTS") == 0


def test_only_layers_that_exist_can_be_selected(host: NetworkBusHost) -> None:
    layers = len(host.network.layers)
    assert host.read("LAYERS") == layers
    for number in range(layers):
        host.write("LAYER", number)
        assert host.read("LAYER") == number
        assert host.read("NEURONS") == host.network.layers[number].config.layer.neurons
    for word in (layers, 15, 16, 1 << 31):
        assert host.try_write(host.at["LAYER"], word) == Response.SLAVE_ERROR
        assert host.read("LAYER") == layers - 1
    for name in ("LAYERS", "LAYER_SIGNATURE", "NEURONS"):
        assert host.try_write(host.at[name], 0) == Response.SLAVE_ERROR
    # A network has no traces, and nothing at their place.
    known = {offset >> 2 for offset in host.at.values()}
    for word in set(range(0x100 >> 2)) - known:
        assert host.try_read(4 * word) == (Response.DECODE_ERROR, 0)


def test_each_layer_keeps_its_memory_and_address(host: NetworkBusHost) -> None:
    layers = range(len(host.network.layers))
    driver = host.driver
    for number in layers:
        host.do(driver.select(number))
        host.write("MEMORY", driver.elements["noise_scale"].memory.number)
        host.write("ADDRESS", min(number, driver.elements["noise_scale"].count - 1))
    for number in layers:
        host.do(driver.select(number))
        own = driver.elements["noise_scale"]
        assert host.read("MEMORY") == own.memory.number
        assert host.read("ADDRESS") == min(number, own.count - 1)
        assert host.read("ELEMENTS") == own.count
    # Numbers of memories that this layer does not have are refused.
    host.do(driver.select(0))
    for name in ("table_a", "table_b"):
        number = driver.map.memories[name].number
        assert host.try_write(host.at["MEMORY"], number) == Response.SLAVE_ERROR


def test_elements_beyond_their_range_are_refused_in_each_layer(host: NetworkBusHost) -> None:
    for number, place in enumerate(host.driver.map.places):
        host.do(host.driver.select(number))
        for name, own in place.elements.items():
            host.write("MEMORY", own.memory.number)
            if own.memory.access == "ro":
                assert host.try_write(host.at["DATA"], 0) == Response.SLAVE_ERROR
                continue
            for word in {own.high + 1, own.low - 1} - {1 << 32}:
                response = host.try_write(host.at["DATA"], word)
                assert response == Response.SLAVE_ERROR, (number, name, word)
            assert host.read("ADDRESS") == 0
        host.write("MEMORY", 0)


def test_no_window_begins_while_a_layer_is_busy_and_run_is_0(host: NetworkBusHost) -> None:
    network = host.network
    events, _ = stimulus()
    host.set_up(start_weights(network))
    with bitlif.open(network) as core:
        core.load(start_weights(network))
        host.spikes.clear()
        # The sink stops, so the last layer cannot end its window, but the first one can.
        host.takes = False
        host.do(host.driver.start(learn=False))
        host.offer(events.select(range(1)), None)
        host.clocks(2000)
        host.write("CONTROL", 0)
        host.offer(events.select(range(1, 2)), None)
        host.clocks(2000)
        left = len(host.events)
        assert not host.read("STATUS") & IDLE
        # Memories are closed, and learning cannot be switched on.
        assert host.try_read(host.at["DATA"])[0] == Response.SLAVE_ERROR
        assert host.try_write(host.at["CONTROL"], LEARN) == Response.SLAVE_ERROR
        host.takes = True
        host.wait(IDLE, IDLE)
        np.testing.assert_array_equal(host.raster(1), core.run(events.select(range(1))).raster)
        assert len(host.events) == left > 0
        assert host.read("WINDOWS") == 1
        # An event is dropped while no window is in progress, and the next window is complete.
        host.write("CONTROL", FLUSH)
        host.clocks(left + 10)
        assert not host.events
        np.testing.assert_array_equal(
            host.run_all(events.select(range(1, 2)), None, learn=False),
            core.run(events.select(range(1, 2))).raster,
        )
        compare(host, core)


@pytest.mark.parametrize("clocks", [1, 40, 333, 700])
def test_reset_in_a_window_restores_all_but_the_weights(host: NetworkBusHost, clocks: int) -> None:
    network = host.network
    events, targets = stimulus()
    host.set_up(start_weights(network))
    host.do(host.driver.start(learn=True))
    host.offer(events, targets)
    host.clocks(clocks)
    # Events that wait must not enter a layer before all layers are ready.
    host.write("CONTROL", RESET | RUN | FLUSH)
    host.events.clear()
    host.targets.clear()
    host.wait(READY | IDLE, READY | IDLE)
    host.clocks(20)
    with bitlif.open(network) as core:
        core.load(start_weights(network))
        host.do(host.driver.load_weights(core.weights()))
        expected = core.run(events, targets, learn=True)
        np.testing.assert_array_equal(host.run_all(events, targets, learn=True), expected.raster)
        compare(host, core)


def test_core_of_another_network_is_refused(host: NetworkBusHost) -> None:
    changed: NetworkConfig = host.network.replace(layer__1__membrane__threshold=0.75)
    driver = type(host.driver)(changed, host.driver._read, host.driver._write)
    with pytest.raises(BitlifError, match="must have been built from configuration faulty"):
        host.do(driver.identify())
