"""Periods and distances of the lanes against LFSRs advanced draw by draw."""

from __future__ import annotations

import itertools

import pytest
from noise_sources import configured

from bitlif.model.errors import BitlifError
from bitlif.model.lfsr import Lfsr
from bitlif.model.noise_report.lanes import describe_lanes


def draws_until(start: Lfsr, goal: Lfsr, leap: int) -> int | None:
    """Return the number of leaps from one state to another, found by walking the whole cycle."""
    seen: dict[int, int] = {}
    here = start
    while here.state not in seen:
        seen[here.state] = len(seen)
        here = here.leap(leap)
    return seen.get(goal.state)


# The period is 255 = 3 * 5 * 17: some of these leaps share a factor with it.
@pytest.mark.parametrize("leap", [8, 9, 30, 34, 85])
@pytest.mark.parametrize("lanes", [2, 3, 5])
def test_lane_distances_and_periods_match_a_walk(leap: int, lanes: int) -> None:
    config = configured({"words": 1, "word_bits": 8}, lanes, width=8, leap=leap)
    sources = config.noise.lfsr.streams(lanes)
    found = describe_lanes(config)
    around = draws_until(sources[0].leap(leap), sources[0], leap)
    assert around is not None
    for lane, row in enumerate(found["lanes"]):
        following = sources[(lane + 1) % lanes]
        assert row["state"] == sources[lane].state
        assert sources[0].leap(row["position"]) == sources[lane]
        assert sources[lane].leap(row["bits_to_next_lane"]) == following
        assert 0 < row["bits_to_next_lane"] < row["stream_period_bits"] == 255
        assert row["draws_to_next_lane"] == draws_until(sources[lane], following, leap)
        assert row["period_draws"] == around + 1
    ways = [draws_until(a, b, leap) for a, b in itertools.permutations(sources, 2)]
    least = min((way for way in ways if way is not None), default=None)
    soonest = found["soonest_repeat"]
    assert (soonest and soonest["draws"]) == least
    if soonest:
        a, b = (sources[lane] for lane in soonest["lanes"])
        assert draws_until(a, b, leap) == least


def test_lanes_with_different_polynomials_have_no_distance() -> None:
    found = describe_lanes(configured({"words": 1}, 3, width=10, sharing="polynomial"))
    taps = [tuple(row["taps"]) for row in found["lanes"]]
    assert len(set(taps)) == 3
    assert found["soonest_repeat"] is None
    for row in found["lanes"]:
        assert row["position"] is row["bits_to_next_lane"] is row["draws_to_next_lane"] is None


def test_leap_of_a_whole_period_is_refused() -> None:
    with pytest.raises(BitlifError, match=r"^noise\.lfsr\.leap must .* not 255\b"):
        configured({"words": 1, "word_bits": 8}, width=8, leap=255)
