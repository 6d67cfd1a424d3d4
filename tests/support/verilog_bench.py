"""Test benches in Verilog, run by Icarus."""

from __future__ import annotations

import subprocess
from pathlib import Path


def simulated(folder: Path, *sources: str) -> str:
    """Return the output of Icarus for the module ``bench``."""
    paths = []
    for place, text in enumerate(sources):
        paths.append(folder / f"source{place}.v")
        paths[-1].write_text(text)
    program = folder / "bench"
    call = ["iverilog", "-g2012", "-s", "bench", "-o", program, *paths]
    subprocess.run(call, check=True, capture_output=True)
    done = subprocess.run(["vvp", "-n", program], check=True, capture_output=True, text=True)
    return done.stdout
