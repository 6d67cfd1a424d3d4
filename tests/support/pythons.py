"""Finds the supported Pythons on this machine, and makes environments for them."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

SUPPORTED = ("3.11", "3.12", "3.13")


@functools.cache
def found() -> dict[str, str]:
    """Return the path of each supported Python that is installed, by version."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    pythons = {}
    for version in SUPPORTED:
        places = [
            *([sys._base_executable] if version == own else []),  # type: ignore[attr-defined]
            shutil.which(f"python{version}"),
            *sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python{version}")),
            *sorted(
                (Path.home() / ".local/share/uv/python").glob(f"cpython-{version}.*/bin/python3")
            ),
        ]
        for place in places:
            if place is not None and _works(str(place), version):
                pythons[version] = str(place)
                break
    return pythons


def _works(path: str, version: str) -> bool:
    """Return whether a program is a Python of this version that can make environments."""
    code = "import sys, ensurepip, venv; print(*sys.version_info[:2], sep='.')"
    try:
        done = subprocess.run([path, "-P", "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == version


def environment(version: str) -> str:
    """Return the Python of an environment with the pinned packages; make it if missing.

    It is kept in ``build/pythons`` until the requirements change.
    """
    wanted = hashlib.sha256(found()[version].encode())
    for name in ("pyproject.toml", "constraints.txt"):
        wanted.update((ROOT / name).read_bytes())
    folder = ROOT / "build" / "pythons" / f"{version}-{wanted.hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if not (folder / "whole").exists():
        for old in folder.parent.glob(f"{version}-*"):
            shutil.rmtree(old)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pip += ["--constraint", "constraints.txt"]
        for command in (
            [found()[version], "-m", "venv", str(folder)],
            [*pip, "setuptools"],
            [*pip, "--no-build-isolation", "--editable", ".[demo]"],
        ):
            subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "PYTHONPATH": ""})
        (folder / "whole").touch()
    return str(python)
