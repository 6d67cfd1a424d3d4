"""No result depends on a read from an address that is being written.

The memories in question carry `bitlif.hdl.pipeline.NO_READ_WRITE_COLLISION`. Block RAM returns an
undefined word on such a read. Here it returns the stored word with every bit inverted, and the core
must still match the model.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import bitlif.sim
from bitlif.hdl.export.verilog import core_verilog
from bitlif.model.config.config import Config
from bitlif.sim.backends.gates import GateCore
from bitlif.sim.compare.crosscheck import crosscheck
from bitlif.tasks.stimulus import random_work

MEMORY = re.compile(
    r"  \(\* no_rw_check = 32'd1 \*\)\n(?:  \(\*.*\*\)\n)*  reg (?:\[\d+:0\] )?(\S+) +\[\d+:0\];\n"
)
WRITE = r"    if \((.+)\)\n      {name} ?\[(.+?)\](?:\[[^\]]*\])? <= .+;\n"
READ = r"    (\S+) <= {name} ?\[(.+)\];\n"


def garbage_on_collisions(text: str) -> tuple[str, int]:
    """Return Verilog in which colliding reads return garbage, and the number of memories."""
    found = list(MEMORY.finditer(text))
    for memory in reversed(found):
        start, name = memory.end(), re.escape(memory.group(1))
        stop = text.find("endmodule", start)
        body = text[start:stop]
        writes = re.findall(WRITE.format(name=name), body)
        assert writes, memory.group()
        assert re.search(READ.format(name=name), body), memory.group()

        def guarded(read: re.Match[str], writes: Any = writes, own: str = memory.group(1)) -> str:
            register, address = read.groups()
            meet = " || ".join(f"(({enable}) && ({at}) == ({address}))" for enable, at in writes)
            return f"    {register} <= ({meet}) ? ~{own} [{address}] : {own} [{address}];\n"

        body = re.sub(READ.format(name=name), guarded, body)
        text = text[:start] + body + text[stop:]
    return text, len(found)


CONFIGS = {
    "tiny": Config.load("tiny"),
    "one of each": Config.load("tiny").replace(
        layer__inputs=1, layer__neurons=1, layer__lanes=1, window__steps=3
    ),
    "one slot": Config.load("tiny").replace(layer__neurons=2, layer__lanes=2),
    "rows of two slots": Config.load("tiny").replace(
        layer__neurons=7, layer__lanes=1, gates={"synapses": 2, "products": 3}
    ),
    "a row of all slots": Config.load("tiny").replace(gates={"synapses": 4, "products": 2}),
    # The weights of a slot are written while those of the next slot are read, in one row.
    "seven inputs": Config.load("tiny").replace(
        layer__inputs=7, layer__neurons=3, layer__lanes=1, gates={"synapses": 3}
    ),
    "one input, wide": Config.load("tiny").replace(
        layer__inputs=1, layer__neurons=9, layer__lanes=1, gates={"synapses": 9}
    ),
    "one port": Config.load("tiny").replace(
        layer__inputs=3,
        layer__neurons=7,
        layer__lanes=2,
        gates={"synapses": 6, "products": 4, "single_port": "all"},
    ),
    "block RAM": Config.load("tiny").replace(
        layer__inputs=40, layer__neurons=11, layer__lanes=2, membrane__reset="teacher"
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("learning", [True, False])
def test_results_do_not_depend_on_read_write_collisions(name: str, learning: bool) -> None:
    config = CONFIGS[name]
    text, count = garbage_on_collisions(core_verilog(config, learning=learning))
    # Weights, currents, membranes, stored spikes; with learning also gradient, traces, three times
    # marks, targets and one table per lane. Sums and errors are memories if an input has several
    # rows and groups. A schedule of one phase is not a memory.
    assert count >= (10 + config.layer.lanes if learning else 4)
    work = random_work(config, seed=4, windows=6)
    targets = work.targets if learning or config.membrane.reset == "teacher" else None
    with (
        bitlif.sim.open(config, learning=learning) as model,
        GateCore(config, "rtl", learning=learning, verilog=text) as core,
    ):
        for each in (model, core):
            each.load(work.weights)
        for part in range(3):
            some = work.events.select(range(2 * part, 2 * part + 2))
            levels = None if targets is None else targets[2 * part : 2 * part + 2]
            ours, theirs = (each.run(some, levels, learn=learning) for each in (core, model))
            np.testing.assert_array_equal(ours.raster, theirs.raster)
            np.testing.assert_array_equal(core.weights(), model.weights())
            np.testing.assert_array_equal(ours.window_clocks, theirs.window_clocks)
            assert core.signature() == model.signature()
            for field in ("current", "membrane", "trace_current", "trace"):
                values = [getattr(each.state(), field) for each in (core, model)]
                np.testing.assert_array_equal(*values)


def test_garbage_in_used_read_data_is_detected() -> None:
    config = CONFIGS["tiny"]
    text, count = garbage_on_collisions(core_verilog(config))
    before, weights, after = text.partition("module \\bitlif_tiny.weights ")
    always, changed = re.subn(r"<= \((.+)\) \? ~(memory \[)", r"<= 1 ? ~\2", after, count=1)
    assert changed == 1 < count
    assert weights
    always = before + weights + always
    with bitlif.sim.open(config) as model, GateCore(config, "rtl", verilog=always) as core:
        (_, outcome) = crosscheck([model, core], random_work(config, 0, 2))
    assert not outcome.agrees
