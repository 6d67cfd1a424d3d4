"""Tutorials: notebooks made from scripts with cells, executed, and compared with the stored ones.

A tutorial is a script `docs/tutorials/NAME.py` in the percent format of Jupytext: cells begin with
``# %%``, those with text with ``# %% [markdown]``. This program makes `NAME.ipynb` beside it, with
the outputs that the site shows. Cells whose output depends on the machine or the time begin with
``# %% varies``; the output of all others must never change.

    python docs/site/notebooks.py            # execute all tutorials and write their notebooks
    python docs/site/notebooks.py NAME ...   # some of them
    python docs/site/notebooks.py --check NAME   # compare with the stored notebook instead
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

TUTORIALS = Path(__file__).resolve().parents[1] / "tutorials"
TIMEOUT = 600
"""Seconds that a cell may take."""


def names() -> list[str]:
    """Return the names of all tutorials."""
    return sorted(path.stem for path in TUTORIALS.glob("*.py"))


def read_script(script: str) -> Any:
    """Return the notebook, without outputs, of a script with cells."""
    cells = []
    for number, (head, body) in enumerate(
        re.findall(r"^# %%([^\n]*)\n(.*?)(?=^# %%|\Z)", script, re.MULTILINE | re.DOTALL)
    ):
        if "[markdown]" in head:
            text = re.sub(r"^# ?", "", body, flags=re.MULTILINE).strip()
            cell = nbformat.v4.new_markdown_cell(text)
        else:
            cell = nbformat.v4.new_code_cell(body.strip())
            if "varies" in head:
                cell.metadata["tags"] = ["varies"]
        cell["id"] = f"cell-{number}"
        cells.append(cell)
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {
        "display_name": "Python 3", "language": "python", "name": "python3",
    }  # fmt: skip
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def execute(name: str) -> Any:
    """Execute a tutorial in a new folder and return its notebook with outputs.

    Raises
    ------
    CellExecutionError
        If a cell raises.
    """
    notebook = read_script((TUTORIALS / f"{name}.py").read_text("utf-8"))
    with tempfile.TemporaryDirectory(prefix="bitlif-tutorial-") as folder:
        os.environ["BITLIF_TUTORIALS"] = str(TUTORIALS)
        client = NotebookClient(
            notebook, timeout=TIMEOUT, kernel_name="python3",
            resources={"metadata": {"path": folder}},
        )  # fmt: skip
        client.execute()
    for cell in notebook.cells:
        # Times and process numbers would change with every run.
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.pop("execution_count", None)
            if output.output_type == "execute_result":
                output["execution_count"] = None
        if cell.cell_type == "code":
            cell["execution_count"] = None
    return notebook


def text_of(cell: Any) -> str:
    """Return the text that a cell printed or returned."""
    parts = []
    for output in cell.get("outputs", []):
        parts.append(output.get("text") or output.get("data", {}).get("text/plain", ""))
    return "".join(parts)


def difference(stored: Any, executed: Any) -> str:
    """Return the first difference between two notebooks, in words; empty if there is none.

    Sources must be equal, and so must the text of all outputs except in cells marked ``varies``.
    """
    if len(stored.cells) != len(executed.cells):
        return f"{len(stored.cells)} cells are stored, the script has {len(executed.cells)}"
    for number, (old, new) in enumerate(zip(stored.cells, executed.cells, strict=True)):
        if (old.cell_type, old.source) != (new.cell_type, new.source):
            return f"cell {number} differs from the script:\n{old.source}\n--\n{new.source}"
        if "varies" not in new.metadata.get("tags", []) and text_of(old) != text_of(new):
            return f"cell {number} printed\n{text_of(new)}\n-- instead of\n{text_of(old)}"
    return ""


def main() -> int:
    """Execute tutorials; write or compare their notebooks."""
    parser = argparse.ArgumentParser(description="Execute the tutorials.")
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of {', '.join(names())}")
    parser.add_argument("--check", action="store_true", help="compare with the stored notebooks")
    args = parser.parse_args()
    for name in args.names or names():
        began = time.monotonic()
        try:
            notebook = execute(name)
        except CellExecutionError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        path = TUTORIALS / f"{name}.ipynb"
        if not args.check:
            nbformat.write(notebook, path)
        elif found := difference(nbformat.read(path, as_version=4), notebook):
            print(f"{name}: {found}", file=sys.stderr)
            return 1
        print(f"{name}: {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
