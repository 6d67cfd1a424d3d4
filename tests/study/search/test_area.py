"""Area and clock frequency of a point, estimated and synthesised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bitlif.fpga import synthesis, tools
from bitlif.fpga.estimate import clock_of, estimate
from bitlif.fpga.families import FAMILIES
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError
from bitlif.study.search.area import _area, area, require_board

TINY = Config.load("tiny")


def test_every_board_has_a_device_for_placement() -> None:
    from bitlif.fpga.boards import BOARDS

    for name, board in BOARDS.items():
        require_board(name)
        assert FAMILIES[board.family].device.arguments
    with pytest.raises(BitlifError, match=r"board must be 'icebreaker' or .*, not 'icebraker'"):
        require_board("icebraker")


def test_estimated_area_equals_the_estimate() -> None:
    total = estimate(TINY, "ice40").total
    values = area(TINY, "icebreaker", synthesise=False)
    assert [values[name] for name in ("cells", "flip_flops", "block_rams", "multipliers")] == [
        total[name] for name in ("cells", "flip-flops", "block RAMs", "multipliers")
    ]
    assert values["mhz"] == clock_of("icebreaker").mhz
    assert 0 < values["steps_per_s"] < 1e6 * values["mhz"]


def test_synthesised_area_is_reported_and_cached(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BITLIF_CACHE", str(tmp_path))
    asked: list[str] = []

    def place(folder: Path, family: Any, seed: int) -> synthesis.Placement:
        asked.append(family.device.title)
        assert (folder / "config.toml").exists()
        return synthesis.Placement(seed, 33.5, 3000, 2000, 5, 20, 5280, "")

    monkeypatch.setattr(synthesis, "synthesise", lambda config, family, folder: {})
    monkeypatch.setattr(synthesis, "place", place)
    monkeypatch.setattr(tools, "tool_version", lambda name: f"{name} 1")
    for _ in range(2):
        _area.cache_clear()  # as in another worker
        values = area(TINY, "icebreaker", synthesise=True)
    assert asked == ["iCE40 UP5K"]
    assert (values["cells"], values["flip_flops"], values["mhz"]) == (3000, 2000, 33.5)
    assert (values["block_rams"], values["multipliers"]) == (20, 5)
    _area.cache_clear()


@pytest.mark.long
def test_real_core_is_synthesised() -> None:
    values = area(TINY, "hx8k", synthesise=True)
    assert 500 < values["cells"] < 7680
    assert values["mhz"] > 10
