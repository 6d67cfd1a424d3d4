"""Memories with one port in Verilog: no initial values, and arbitrary rows in simulation."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bitlif.hdl.export.convert import to_verilog
from bitlif.hdl.export.undefined_rows import with_undefined_rows
from bitlif.hdl.export.verilog import core_verilog
from bitlif.hdl.memories import memory_files
from bitlif.hdl.single_port import SinglePortMemory
from bitlif.model.config.config import Config
from bitlif.model.errors import BitlifError

from verilog_bench import simulated

TINY = Config.load("tiny")
SINGLE = TINY.replace(gates__single_port="all")


@pytest.mark.parametrize(("rows", "bits"), [(1, 1), (2, 40), (300, 8)])
def test_simulations_start_with_arbitrary_rows(rows: int, bits: int, tmp_path: Path) -> None:
    text = to_verilog(SinglePortMemory(rows, bits), "top")
    bench = f"""
module bench;
    reg clk = 0;
    reg [15:0] n;
    wire [{bits - 1}:0] read;
    top own (.clk(clk), .rst(1'b0), .address(n[{max(1, (rows - 1).bit_length()) - 1}:0]),
             .enable(1'b0), .data({bits}'d0), .read(read));
    initial for (n = 0; n < {rows}; n = n + 1) begin
        #1 clk = 1; #1 clk = 0; $display("%h", read);
    end
endmodule
"""
    shown = simulated(tmp_path, bench, text).split()
    assert len(shown) == rows
    values = [int(own, 16) for own in shown]
    assert sum(value != 0 for value in values) >= 0.9 * rows
    assert len(set(values)) >= min(rows, 1 << bits) / 2


def test_synthesis_sees_no_initial_values() -> None:
    text = core_verilog(SINGLE)
    assert len(re.findall("// undefined at power-up\n`ifndef SYNTHESIS\n", text)) == 2
    assert not re.search(r"single_port\[\d+\] = ", text)
    weights = core_verilog(TINY.replace(gates__single_port="weights"))
    assert weights.count("// undefined at power-up\n") == 1
    # Other memories are left alone.
    plain = core_verilog(TINY)
    assert with_undefined_rows(plain) == plain


def test_weights_of_one_port_cannot_be_built_in() -> None:
    said = "^weights must be loaded by a host, not built in, with gates.single_port = 'all'$"
    with pytest.raises(BitlifError, match=said):
        core_verilog(SINGLE, weights=np.zeros((6, 4), np.int64))
    files = memory_files(SINGLE, np.zeros((6, 4), np.int64), learning=True)
    assert set(files) == {"schedule", "table"}
