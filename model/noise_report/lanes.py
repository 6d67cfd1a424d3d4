"""The LFSR of each lane: period, position on the stream, and distance to the other lanes."""

from __future__ import annotations

import itertools
import math
from typing import Any

from bitlif.model.config.config import Config
from bitlif.model.period import draw_period, periods


def describe_lanes(config: Config) -> dict[str, Any]:
    """Return the LFSRs of the lanes, their periods, and the distances between them.

    Returns
    -------
    dict
        One row per lane under ``lanes``, and ``neuron_period_steps``. Among a row's fields:

        ``position``
            Position of the lane's first draw on the stream of lane 0, in bits. None where each
            lane has its own polynomial.
        ``bits_to_next_lane``
            Distance to the position of the next lane, in bits. The first lane follows the last.
        ``draws_to_next_lane``
            Number of draws until the lane reaches the first draw of the next lane; None if it
            never does.

        ``soonest_repeat`` is the minimum number of draws over all pairs of lanes, with the pair.
    """
    noise, lanes = config.noise, config.layer.lanes
    sources = noise.lfsr.streams(lanes)
    period = sources[0].period
    own = noise.lfsr.sharing == "polynomial"
    distance = 0 if noise.lfsr.sharing == "shared" else period // lanes
    rows = []
    for lane, source in enumerate(sources):
        ahead = ((lane + 1) % lanes - lane) * distance % period
        alone = own or lanes == 1
        rows.append(
            {
                "lane": lane,
                "width": source.width,
                "taps": list(source.taps),
                "leap": noise.leap,
                "state": source.state,
                "stream_period_bits": period,
                "period_draws": draw_period(noise.leap, period),
                "position": None if own else lane * distance,
                "bits_to_next_lane": None if alone else ahead,
                "draws_to_next_lane": None if alone else draws_ahead(ahead, noise.leap, period),
            }
        )
    soonest = None
    if not own:
        ways = [
            (draws, (a, b))
            for a, b in itertools.permutations(range(lanes), 2)
            if (draws := draws_ahead((b - a) * distance % period, noise.leap, period)) is not None
        ]
        if ways:
            draws, pair = min(ways)
            soonest = {"draws": draws, "lanes": list(pair)}
    return {
        "sharing": noise.lfsr.sharing,
        "draw_bits": noise.draw_bits,
        "bits_shared_with_next_draw": max(0, noise.draw_bits - noise.leap),
        "lanes": rows,
        "neuron_period_steps": periods(config).neuron_steps,
        "soonest_repeat": soonest,
    }


def draws_ahead(distance: int, leap: int, period: int) -> int | None:
    """Return how many draws advance a stream by `distance` bits, or None if no number does.

    >>> draws_ahead(64, 32, 255), draws_ahead(1, 32, 255), draws_ahead(1, 34, 255)
    (2, 8, None)
    """
    common = math.gcd(leap, period)
    if distance % common:
        return None
    turn = period // common
    return distance // common * pow(leap // common, -1, turn) % turn
