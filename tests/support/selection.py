"""Which tests `make check` leaves out; `make test` runs all of them.

A test belongs to `make check` unless its file or folder is listed here, so a new test is part of
it by default. In `make check` no core can be compiled: a test that needs one fails, and its file
must be added to `GATES`.
"""

from __future__ import annotations

GATES = (
    "fpga",
    "hdl",
    "host/test_link.py",
    "scripts/support/test_demo_gates.py",
    "scripts/support/test_demo_network_gates.py",
    "scripts/support/test_replay.py",
    "scripts/test_backend_option.py",
    "scripts/test_build.py",
    "scripts/test_demo.py",
    "scripts/test_main.py",
    "scripts/test_outputs.py",
    "scripts/test_prove.py",
    "scripts/test_selftest.py",
    "scripts/test_verilog_network.py",
    "sim",
    "study/report/test_browser.py",
    "study/search/test_area.py",
    "whole",
)
"""Folders and files below ``tests`` that need a simulator, Yosys, nextpnr or a browser."""

SLOW = (
    "model/config/test_seeds.py",
    "model/engine/test_cache.py",
    "model/engine/test_interpreted.py",
    "model/test_extras.py",
    "model/test_gradient_range.py",
    "model/test_mutants.py",
    "model/test_network.py",
    "scripts/console/test_terminal.py",
    "scripts/drawing/test_pictures.py",
    "scripts/learning/test_own_data.py",
    "scripts/support/test_compile_network.py",
    "scripts/support/test_resume.py",
    "scripts/test_bench.py",
    "scripts/test_estimate.py",
    "scripts/test_figures.py",
    "scripts/test_golden.py",
    "scripts/test_imports.py",
    "scripts/test_learn_run.py",
    "scripts/test_report.py",
    "scripts/test_study.py",
    "sim/test_classifier_tables.py",
    "study/claims",
    "study/report/test_above_chance.py",
    "study/search/test_cluster.py",
    "study/search/test_evaluate.py",
    "study/search/test_network_runs.py",
    "study/search/test_own_data.py",
    "study/search/test_pool.py",
    "study/search/test_run.py",
    "study/search/test_search.py",
    "study/search/test_store.py",
    "study/search/test_studies.py",
    "study/test_ready_studies.py",
    "tasks/test_digits.py",
    "tasks/test_teacher.py",
    "trained",
)
"""Other folders and files below ``tests`` that take long: many processes, or whole trainings."""

QUICK = "not long and not gates and not slow"
"""The marker expression of `make check`."""

NO_CACHE = "/proc/tests-that-compile-cores-belong-to-GATES-in-tests/support/selection.py"
"""The cache of compiled cores during `make check`: it cannot be created, so builds fail."""


def marks(path: str) -> list[str]:
    """Return the markers of a test file.

    Parameters
    ----------
    path : str
        Of the file, relative to ``tests``.
    """
    groups = {"gates": GATES, "slow": SLOW}
    return [
        mark
        for mark, places in groups.items()
        if any(path == place or path.startswith(f"{place}/") for place in places)
    ]
