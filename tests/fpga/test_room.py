"""Builds that are far too large fail before any tool runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitlif.fpga import bitstream
from bitlif.fpga.bitstream import BuildRequest, build, require_room
from bitlif.fpga.boards import BOARDS
from bitlif.fpga.estimate import estimate
from bitlif.fpga.synthesis import DoesNotFit
from bitlif.model.config.config import Config

TINY = Config.load("tiny")


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("learning", [True, False])
def test_far_too_large_design_fails_before_any_work(
    name: str, learning: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: object, **named: object) -> str:
        raise AssertionError("made")

    monkeypatch.setattr(bitstream, "core_verilog", never)
    huge = TINY.replace(layer__inputs=4096, layer__neurons=4096)
    with pytest.raises(
        DoesNotFit, match=r"^tiny does not fit the .* \(about [\d,]+ .*\): take fewer "
    ) as info:
        build(BuildRequest(config=huge, board=name, learning=learning), tmp_path / "out")
    assert len(str(info.value)) < 200
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", BOARDS)
def test_borderline_design_is_left_to_the_tools(name: str) -> None:
    board = BOARDS[name]
    fitting = 0
    for config in (Config.load(own) for own in ("tiny", "digits", "digits-4bit", "teacher")):
        sizes = estimate(config, board.family).total
        limits = {kind: board.limit(kind) for kind in sizes}
        # Up to 1.5 times too large, nextpnr decides.
        if all(used <= 1.5 * limits[kind] for kind, used in sizes.items()):
            require_room(config, board, learning=True)
            fitting += 1
    assert fitting
