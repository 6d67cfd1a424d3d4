"""What all tests share: one cache of compiled cores, empty at first, for every worker."""

from __future__ import annotations

import os
import shutil
import tempfile

import hypothesis
import pytest

from bitlif.model.storage.cache import VARIABLE
from bitlif.sim.compiled import build

import pythons

# How long an example takes says how busy the machine is, and nothing of what is tested.
hypothesis.settings.register_profile(
    "bitlif", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("bitlif")


def pytest_configure(config: pytest.Config) -> None:
    # Workers of pytest-xdist inherit the variable from the process that starts them.
    if not hasattr(config, "workerinput"):
        os.environ[VARIABLE] = tempfile.mkdtemp(prefix="bitlif-test-cache-")


def pytest_report_header() -> str:
    """Say on which Pythons `test_pythons` runs."""
    here = [f"{version} ({path})" for version, path in pythons.found().items()]
    absent = [version for version in pythons.SUPPORTED if version not in pythons.found()]
    return f"Pythons: {', '.join(here)}; not here: {', '.join(absent) or 'none'}"


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile cores as fast as possible: what they do is the same."""
    monkeypatch.setitem(build.OPTIMISE, "rtl", "-O0")
