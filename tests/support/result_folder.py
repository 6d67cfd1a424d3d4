"""The content of a result folder, for comparing two of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def content(path: str) -> dict[str, Any]:
    """Return all that a result folder of ``bitlif learn`` holds, but times."""
    found: dict[str, Any] = {}
    for file in sorted(Path(path).iterdir()):
        if file.suffix == ".npz":
            with np.load(file) as data:
                found |= {f"{file.name} {name}": data[name].tolist() for name in data}
        elif file.name == "report.json":
            report = json.loads(file.read_text())
            del report["seconds"], report["learning_steps_per_second"]
            if report.get("data") == "teacher":
                # They are about the windows of the last call, which differ.
                del report["findings"]
            found |= report
        else:
            found[file.name] = file.read_bytes()
    return found
