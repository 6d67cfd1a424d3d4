"""Estimates of networks: the recorded calibration, the widths that suit a board, the speed."""

from __future__ import annotations

import pytest

from bitlif.fpga.boards import BOARDS, board_named
from bitlif.fpga.calibration import fitted
from bitlif.fpga.capacity import Room
from bitlif.fpga.estimate import (
    calibration,
    clock_of,
    error_of,
    estimate,
    is_calibrated,
    relative,
)
from bitlif.fpga.measure_area import (
    NETWORKS_AGAIN,
    configuration,
    core_hashes,
    recorded_sizes,
    stale_rows,
    stamp_of,
)
from bitlif.fpga.network_speed import network_speed
from bitlif.fpga.network_widths import any_suited, suited_network
from bitlif.model.config.network import NetworkConfig
from bitlif.scripts.benchmarks.estimate import cases_of

NETWORK: NetworkConfig = NetworkConfig.load("digits-96")
ROWS = recorded_sizes(networks=True)


def test_calibration_is_the_fit_of_the_measurements() -> None:
    found, known = fitted(cases_of(ROWS), networks=True), calibration(networks=True)
    assert known["core"] == stamp_of(ROWS)
    assert {family: known[family] for family in found} == found
    assert set(known) - set(found) == {"core", "clocks"}


def test_measurements_are_of_the_present_core() -> None:
    stale = stale_rows(ROWS, core_hashes(["network-4"]))
    assert not stale, f"the core has changed since {stale} was measured: run {NETWORKS_AGAIN}"


@pytest.mark.long
def test_all_measurements_are_of_the_present_core() -> None:
    stale = stale_rows(ROWS, core_hashes(dict.fromkeys(row.name for row in ROWS)))
    assert not stale, f"the core has changed since {stale} was measured: run {NETWORKS_AGAIN}"


def test_memories_are_exact_and_sizes_within_the_errors() -> None:
    for row in ROWS:
        config, learning = configuration(row.name)
        own, real = estimate(config, row.family, learning=learning), row.sizes
        assert own.total["block RAMs"] == real.total["block RAMs"], row.name
        for kind in ("cells", "flip-flops", "multipliers"):
            worst = error_of(row.family, kind, networks=True).worst
            assert abs(relative(own.total[kind], real.total[kind])) <= worst, (row.name, kind)


def test_families_of_one_fabric_share_a_calibration() -> None:
    assert is_calibrated("ice40hx", networks=True)
    assert error_of("ice40hx", "cells", networks=True) == error_of("ice40", "cells", networks=True)
    assert not is_calibrated("gowin", networks=True)


def test_clock_without_a_placement_is_that_of_layers() -> None:
    assert clock_of("ulx3s-85f", networks=True).placements == 1
    found = clock_of("tang-nano-9k", networks=True)
    assert found.mhz == clock_of("tang-nano-9k").mhz
    assert found.note.startswith("no placement of a network has been measured")


@pytest.mark.parametrize("board", ["ulx3s-85f", "orangecrab"])
def test_chosen_widths_fit_and_are_faster(board: str) -> None:
    there = board_named(board)
    found = suited_network(NETWORK, there)
    room = Room(there.family, there.limits, networks=True)
    assert not room.lacking_for(found, learning=True)
    before, after = (network_speed(own, 60.0) for own in (NETWORK, found))
    assert after.learned.sparse < before.learned.sparse
    assert after.learned.quiet <= after.learned.sparse <= after.learned.full
    assert any_suited(found, there) == found


def test_weights_get_one_port_where_nothing_else_fits() -> None:
    own = NETWORK.replace(layer__0__lanes=1, layer__1__lanes=1)
    found = suited_network(own, BOARDS["icebreaker"], learning=False)
    ports = [layer.config.gates.single_port for layer in found.layers]
    assert ports == ["weights", "none"]
    assert estimate(found, "ice40", learning=False).total["large RAMs"] <= 4
    given = own.replace(layer__0__gates__synapses=4, layer__1__gates__synapses=1)
    found = suited_network(given, BOARDS["icebreaker"], learning=False)
    assert found == given.replace(layer__0__gates__single_port="weights")
    # A network that learns needs two ports.
    assert suited_network(own, BOARDS["icebreaker"]) == own


def test_given_widths_are_kept() -> None:
    given = NETWORK.replace(layer__0__gates__synapses=8)
    found = suited_network(given, BOARDS["ulx3s-85f"])
    assert [own.config.gates.synapses for own in found.layers] == [8, 10]


def test_speed_of_a_network_that_only_runs() -> None:
    speed = network_speed(NETWORK, 60.0, learning=False)
    assert (speed.learned.full, speed.learned_per_s) == (0, 0.0)
    assert speed.runs_per_s == 60e6 / speed.run.sparse
    assert speed.run.quiet < speed.run.sparse < speed.run.full
    assert speed.operations_per_s == 60e6 * (4 + 1)
