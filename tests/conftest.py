"""Shared by all tests: an initially empty cache of compiled cores, and markers by folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest

from bitlif.model.storage.cache import VARIABLE
from bitlif.sim.compiled import build

import pythons
import selection

TESTS = Path(__file__).parent
OPTIMISE = dict(build.OPTIMISE)

# The time of an example depends on the load of the machine.
hypothesis.settings.register_profile(
    "bitlif", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("bitlif")


def pytest_configure(config: pytest.Config) -> None:
    # Workers of pytest-xdist inherit the variable from the process that starts them.
    if not hasattr(config, "workerinput"):
        quick = config.option.markexpr == selection.QUICK
        folder = selection.NO_CACHE if quick else tempfile.mkdtemp(prefix="bitlif-test-cache-")
        os.environ[VARIABLE] = folder
    # Most tests simulate few clock cycles: compiling takes longer than running.
    if config.option.markexpr != "long":
        build.OPTIMISE["rtl"] = "-O1"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder or file, before markers select tests."""
    for item in items:
        if item.path.is_relative_to(TESTS):
            for mark in selection.marks(item.path.relative_to(TESTS).as_posix()):
                item.add_marker(mark)


def pytest_report_header() -> str:
    """Name the versions of Python that `test_pythons` runs with."""
    here = [f"{version} ({path})" for version, path in pythons.found().items()]
    absent = [version for version in pythons.SUPPORTED if version not in pythons.found()]
    return f"Pythons: {', '.join(here)}; not here: {', '.join(absent) or 'none'}"


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ[VARIABLE], ignore_errors=True)


@pytest.fixture
def as_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile cores as processes do that are started by a test: they share the cache."""
    monkeypatch.setattr(build, "OPTIMISE", OPTIMISE)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile cores without optimisation, for shorter builds. Results are the same."""
    monkeypatch.setitem(build.OPTIMISE, "rtl", "-O0")
