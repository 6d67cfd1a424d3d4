"""Changes by rule to the naive program: the conformance set notices all but equivalent ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from bitlif.scripts.main import main

from conformance_table import ROOT, all_noticed, stored_sets, tables
from equivalents import EQUIVALENT
from mistakes import ISSUE
from mutants import mutants, survivors
from planted import GoldenSet


def test_only_equivalent_changes_are_not_noticed() -> None:
    assert len(list(mutants())) > 900
    reasons = [text for texts in EQUIVALENT.values() for text in texts]
    assert sorted(survivors(stored_sets())) == sorted(reasons)


def test_ready_made_sets_miss_the_mistakes_as_the_document_says(tmp_path: Path) -> None:
    sets = []
    for name in ("tiny", "digits", "digits-4bit", "teacher"):
        assert main(["golden", name, "-o", str(tmp_path / name)]) == 0
        sets.append(GoldenSet.read(tmp_path / name))
    missed = all_noticed(sets, ISSUE)
    assert missed == {name: {} for name in ISSUE}
    table = tables(all_noticed(stored_sets()), missed).split("\n\n")[0]
    assert table in (ROOT / "docs" / "golden.md").read_text("utf-8")


@pytest.mark.parametrize("reason", EQUIVALENT)
def test_reasons_are_sentences(reason: str) -> None:
    assert reason.endswith(".")
