"""Hashes of everything that must not change when code only moves; printed as JSON.

``python tests/support/result_hashes.py > after.json`` on two commits, then compare the files. It
covers golden vectors, the Verilog of cores (comments left out), the netlists of the digits core,
learning in the integer model and the float twin, and the shipped sets in this checkout.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bitlif.fpga.netlist import mapped_core
from bitlif.hdl.export.verilog import core_name, core_verilog
from bitlif.model.config.config import Config
from bitlif.model.events import Events
from bitlif.model.floating.layer import FloatLayer
from bitlif.model.layer import Layer

ROOT = Path(__file__).parents[2]
NAMES = ("tiny", "teacher", "digits", "digits-4bit")
SHIPPED = ("tests/golden", "tests/regressions", "docs/studies", "docs/figures")


def hash_of(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def tree_hash(folder: Path) -> str:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return hash_of(
        *(f"{path.relative_to(folder)}\n".encode() + path.read_bytes() for path in files)
    )


def golden(name: str, folder: Path) -> str:
    """Return the hash of all files of a golden set but its manifest, whose text describes them."""
    command = [sys.executable, "-m", "bitlif", "golden", name, "--windows", "2", "--out", folder]
    subprocess.run(command, check=True, capture_output=True)
    texts = (path for path in sorted(folder.rglob("*")) if path.suffix in (".txt", ".toml"))
    return hash_of(*(path.read_bytes() for path in texts))


def verilog(config: Config, *, learning: bool) -> str:
    text = core_verilog(config, learning=learning)
    return hash_of(re.sub(r"\s*//.*", "", text).encode())


def netlist(config: Config, family: str) -> str:
    """Return the hash of a core's cells and connections; attributes name lines of Verilog."""
    text = core_verilog(config)
    top = core_name(config)
    tree = json.loads(mapped_core(text, top, family).read_text("utf-8"))["modules"][top]
    for cell in tree["cells"].values():
        cell.pop("attributes", None)
    kept = {key: tree[key] for key in ("ports", "cells")}
    return hash_of(json.dumps(kept, sort_keys=True).encode())


def learned(layer: Any, config: Config) -> str:
    """Return the hash of what a layer learns from random spikes: spikes, membranes and weights."""
    random = np.random.default_rng(14)
    windows, steps, inputs = 6, config.window.steps, config.layer.inputs
    events = Events.from_raster(random.random((windows, steps, inputs)) < 0.1)
    top = 1 << config.error.target_bits
    targets = random.integers(0, top + 1, (windows, steps, config.layer.neurons), dtype=np.uint16)
    weight = config.synapse.weight
    shape = (inputs, config.layer.neurons)
    weights = random.integers(weight.raw_min, weight.raw_max + 1, shape)
    if isinstance(layer, FloatLayer):
        layer.load(weights / 2.0**weight.frac)
        result = layer.learn(events, targets / top, record=("membrane",))
    else:
        layer.load(weights)
        result = layer.learn(events, targets, record=("membrane",))
    arrays = (result.raster, result.membrane, layer.weights)
    return hash_of(*(np.ascontiguousarray(own).tobytes() for own in arrays))


def main() -> None:
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            config = Config.load(name)
            found[f"golden {name}"] = golden(name, Path(folder) / name)
            found[f"verilog {name}"] = verilog(config, learning=True)
            found[f"verilog {name}, inference"] = verilog(config, learning=False)
            found[f"integer model {name}"] = learned(Layer(config), config)
            found[f"float twin {name}"] = learned(FloatLayer(config, seed=3), config)
    for family in ("ice40", "ecp5"):
        found[f"netlist digits {family}"] = netlist(Config.load("digits"), family)
    for shipped in SHIPPED:
        found[shipped] = tree_hash(ROOT / shipped)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
