"""The Verilog that is written: read by its consumers, explained in its header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitlif.scripts.main import main


def test_verilog_command_explains_every_port(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "tiny.sv"
    assert main(["verilog", "tiny", "--out", str(out)]) == 0
    header = [line for line in out.read_text().splitlines() if line.startswith("// ")]
    for port in ("clk", "i_events__payload", "o_events__ready", "digest", "host__weights"):
        assert any(f" {port} " in line for line in header), port
    assert np.all([len(line) < 130 for line in header])
