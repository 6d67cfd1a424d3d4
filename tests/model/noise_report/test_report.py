"""The remarks of the noise report."""

from __future__ import annotations

from noise_sources import configured

from bitlif.model.config.config import Config
from bitlif.model.noise_report.lanes import describe_lanes
from bitlif.model.noise_report.report import remarks


def remarks_of(config: Config, draws: int) -> str:
    return "\n".join(remarks(config, describe_lanes(config), draws))


def test_remarks_name_what_limits_the_numbers() -> None:
    assert remarks_of(Config.load("digits"), 1_000_000) == ""
    assert "repeat after 65535" in remarks_of(Config.load("tiny"), 1000)
    again = remarks_of(Config.load("tiny"), 2049)
    assert "lane 1 repeats the draws of lane 0 after 2048 draws" in again
    assert "lane 1" not in remarks_of(Config.load("tiny"), 2048)
    shared = configured({"kind": "sum"}, 2, sharing="shared")
    assert "identical" in remarks_of(shared, 1000)
    overlap = configured({"kind": "popcount", "overlap": True}, leap=20)
    assert "share 12 of their 32 bits" in remarks_of(overlap, 1000)
