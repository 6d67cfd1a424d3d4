"""Fake FPGA tools, which report a version and run the code of a test."""

from __future__ import annotations

import sys
from pathlib import Path

VERSIONS = {"-V": "Yosys 0.70", "--version": "(Version nextpnr-0.11.1)"}


def fake(folder: Path, name: str, body: str, version: str = "") -> str:
    """Write a program with lines of Python, and return its path.

    Asked for its version it prints `version`, or one of `VERSIONS`, and ends.
    """
    path = folder / name
    said = {option: version or usual for option, usual in VERSIONS.items()}
    answer = f"said = {said!r}.get(sys.argv[-1])\nif said: sys.exit(print(said))"
    path.write_text(f"#!{sys.executable}\nimport sys\n{answer}\n{body}\n")
    path.chmod(0o755)
    return str(path)
