"""Which golden sets notice which planted mistakes, and the tables of docs/golden.md.

python tests/support/conformance_table.py FOLDER    # of ready-made sets; prints the tables
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mistakes import ISSUE, MISTAKES, OTHERS
from planted import GoldenSet, Mistake, noticed

ROOT = Path(__file__).parents[2]
STORED = ROOT / "tests" / "golden" / "conformance"
CONFIGS = ROOT / "configs" / "conformance"

RARE = 4
"""Most sets that notice a mistake which the comments of their configurations name."""


def stored_sets() -> list[GoldenSet]:
    """Read the committed conformance set."""
    return [GoldenSet.read(folder) for folder in sorted(STORED.iterdir()) if folder.is_dir()]


Found = dict[str, dict[str, str]]
"""By mistake, the sets that notice it, each with the array in which it shows first."""


def all_noticed(sets: Sequence[GoldenSet], mistakes: dict[str, Mistake] = MISTAKES) -> Found:
    """Plant each mistake, and return what notices it."""
    return {name: noticed(mistake, sets) for name, mistake in mistakes.items()}


def comment(name: str, found: Found) -> list[str]:
    """Return the mistakes that the comment of a configuration names: rare ones, and `ISSUE`."""
    return [
        key for key, sets in found.items() if name in sets and (key in ISSUE or len(sets) <= RARE)
    ]


def tables(found: Found, ready_made: Found) -> str:
    """Return the two tables of docs/golden.md.

    `ready_made` says of the mistakes of the first table what the ready-made sets notice.
    """
    first = [
        "| mistake | first wrong array | noticed by | by ready-made sets |",
        "|---|---|---|---|",
    ]
    for name, mistake in ISSUE.items():
        row = (mistake.title, f"`{mistake.first}`", _shown(found[name]))
        first.append(f"| {' | '.join((*row, _shown(ready_made[name])))} |")
    second = ["| mistake | first wrong array | noticed by |", "|---|---|---|"]
    for name, mistake in OTHERS.items():
        row = (mistake.title, f"`{mistake.first}`", _shown(found[name]))
        second.append(f"| {' | '.join(row)} |")
    return "\n".join([*first, "", *second])


def _shown(sets: dict[str, str]) -> str:
    if len(sets) > RARE:
        return f"{len(sets)} sets"
    return ", ".join(f"`{one}`" for one in sets) or "none"


def main() -> None:
    ready_made = [GoldenSet.read(folder) for folder in sorted(Path(sys.argv[1]).iterdir())]
    print(tables(all_noticed(stored_sets()), all_noticed(ready_made, ISSUE)))


if __name__ == "__main__":
    main()
