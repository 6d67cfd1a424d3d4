"""Pages of the site that are made when it is built: README, fields, tutorials and API reference."""

from __future__ import annotations

import base64
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from bitlif.model.config.fields import FIELDS, SECTIONS, default_of

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"

ORDER = (
    "first-ten-minutes",
    "your-own-time-series",
    "which-bits-do-i-need",
    "into-my-own-verilog-top",
    "noise-and-learning",
    "train-in-pytorch",
    "bring-an-snntorch-network",
    "fine-tune-on-the-core",
)
"""Tutorials in the order of the menu."""

FIELDS_TEXT = """\
# Configuration fields

A configuration is a TOML file, or the name of a ready-made one (`bitlif config list`). A file needs
only the fields that differ from their defaults. `bitlif config show CONFIG` prints all fields, and
`bitlif config show CONFIG --derived` every constant that follows from them. In Python,
`config.replace(noise__lfsr__width=24)` changes a field, and `config.noise.lfsr.width` reads it.

`a ..= b` is the range from a to b, both included. A format `s10.6` is signed (`u`: unsigned) and
has 10 bits, of which 6 are fractional. Conditions between several fields are listed in the
[contract](contract.md#fields-and-limits).
"""

API_TEXT = """\
# API reference

`import bitlif` gives `SpikingClassifier`, `open`, `Config`, `Core`, `Events`, `Result`, `tasks`,
`BitlifError` and `BitlifWarning`. These pages show them in the modules that define them. The texts
are the docstrings, which `help(bitlif.open)` prints too.
"""

TUTORIALS_TEXT = """\
# Tutorials

Each tutorial is a notebook. The tests execute it and compare its numbers with the ones shown here.
`make test` installs what the tutorials need; to work with one, open it in Jupyter in that
environment.
"""

API = {
    "Classifier": ("bitlif.sim.classifier",),
    "Package": ("bitlif.sim.backends.open", "bitlif.sim.backends.core",
                "bitlif.sim.backends.result", "bitlif.model.events", "bitlif.model.errors"),
    "Configuration": ("bitlif.model.config.config", "bitlif.model.sections",
                      "bitlif.model.config.fields", "bitlif.model.config.commented"),
    "Tasks and training": ("bitlif.tasks.task", "bitlif.tasks.training", "bitlif.tasks.registry",
                           "bitlif.tasks.scores", "bitlif.tasks.readouts", "bitlif.tasks.labels",
                           "bitlif.tasks.temporal_targets", "bitlif.tasks.patterns",
                           "bitlif.model.targets"),
    "Data and encoders": ("bitlif.tasks.data_file", "bitlif.tasks.encoding",
                          "bitlif.tasks.encoders"),
    "Figures": ("bitlif.tasks.pictures", "bitlif.tasks.class_pictures"),
    "Integer model and float twin": ("bitlif.model.layer", "bitlif.model.floating.layer",
                                     "bitlif.model.result", "bitlif.model.state"),
    "Networks": ("bitlif.model.network", "bitlif.model.network_result",
                 "bitlif.model.floating.network", "bitlif.model.floating.following",
                 "bitlif.model.floating.network_bound"),
    "PyTorch": ("bitlif.trained.network", "bitlif.trained.float_network", "bitlif.trained.losses",
                "bitlif.trained.state", "bitlif.trained.readouts"),
    "NIR": ("bitlif.trained.nir_graph", "bitlif.trained.nir_formats",
            "bitlif.trained.nir_compare", "bitlif.trained.nir_export"),
    "Gates": ("bitlif.hdl.layer", "bitlif.hdl.export.verilog", "bitlif.hdl.bus.axi_top",
              "bitlif.hdl.uart.uart_top"),
    "Host": ("bitlif.host.driver", "bitlif.host.link"),
    "Boards": ("bitlif.fpga.boards", "bitlif.fpga.families", "bitlif.fpga.estimate",
               "bitlif.fpga.bitstream"),
    "Studies": ("bitlif.study.search.plan", "bitlif.study.search.run"),
}  # fmt: skip
"""Modules of the API reference, by page."""


SOURCES = ROOT / "build" / "api"
"""Folder in which mkdocstrings finds the package: it does not know the folder map."""


def root_page(name: str) -> str:
    """Return a page of the root folder with its links as seen from docs/."""
    text = (ROOT / name).read_text("utf-8")
    text = text.replace("](docs/", "](").replace("](CHANGELOG.md)", "](changelog.md)")
    return re.sub(r"\]\((tutorials/[\w-]+)\.ipynb\)", r"](\1.md)", text)


def fields_page() -> str:
    """Return the reference of all fields of a configuration."""
    lines = [FIELDS_TEXT]
    for section in ("", *SECTIONS):
        if section:
            lines += [
                f"## `{section}`",
                "",
                f"{SECTIONS[section][0].upper()}{SECTIONS[section][1:]}.",
                "",
            ]
        lines += ["| field | meaning | accepted | unit | default |", "|---|---|---|---|---|"]
        for field in FIELDS.values():
            if field.section == section:
                anchor = f'<a id="{field.path}"></a>`{field.name}`'
                accepted = field.accepted.replace("'", '"').replace("|", "\\|")
                default = _toml(default_of(field.path))
                lines.append(
                    f"| {anchor} | {field.meaning} | {accepted} | {field.unit} | {default} |"
                )
        lines.append("")
    return "\n".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return f"`{list(value)}`"
    return f'`"{value}"`' if not isinstance(value, int | float) else f"`{value}`"


def api_pages() -> Iterator[tuple[str, str, str]]:
    """Yield path, title and text of each page of the API reference."""
    listed = []
    for title, modules in API.items():
        path = f"api/{re.sub('[^a-z]+', '-', title.lower())}.md"
        text = [f"# {title}", ""]
        for module in modules:
            text += [f"::: {module}", ""]
        yield path, title, "\n".join(text)
        listed += [f"* [{title}]({path[4:]}): {', '.join(f'`{module}`' for module in modules)}"]
    yield "api/index.md", "API reference", "\n".join([API_TEXT, *listed, ""])


def tutorial_page(name: str, images: dict[str, bytes]) -> str:
    """Return a notebook as Markdown; its pictures are added to `images` by path."""
    notebook = nbformat.read(TUTORIALS / f"{name}.ipynb", as_version=4)
    lines: list[str] = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            lines += [cell.source, ""]
            continue
        source = re.sub(r" +# fmt: skip$", "", cell.source, flags=re.MULTILINE)
        lines += ["```python", source, "```", ""]
        for output in cell.outputs:
            picture = output.get("data", {}).get("image/png")
            if picture:
                path = f"tutorials/{name}-{number}.png"
                images[path] = base64.b64decode(picture)
                about = picture_title(cell.source)
                lines += ['<div class="output" markdown>', "", f"![{about}]({name}-{number}.png)",
                          "", "</div>", ""]  # fmt: skip
                continue
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            text = re.sub(r"\x1b\[[0-9;]*m", "", text)  # colours of a terminal
            if text:
                lines += ['<div class="output" markdown>', "", "```text", text.rstrip("\n"), "```",
                          "", "</div>", ""]  # fmt: skip
    lines += [f"[Download this tutorial as a notebook]({name}.ipynb)", ""]
    return "\n".join(lines)


def picture_title(source: str) -> str:
    """Return the alternative text of a picture: the first comment of its cell."""
    found = re.search(r"^# (.*)$", source, re.MULTILINE)
    return found[1].rstrip(".") if found else "Figure"


def tutorials_page(present: list[str]) -> str:
    """Return the list of the tutorials with their first paragraphs."""
    lines = [TUTORIALS_TEXT]
    for name in present:
        cell = nbformat.read(TUTORIALS / f"{name}.ipynb", as_version=4).cells[0].source
        title, first = cell.split("\n\n")[:2]
        lines += [f"* [{title.lstrip('# ')}]({name}.md): {' '.join(first.split())}"]
    return "\n".join([*lines, ""])


def tutorials() -> list[str]:
    """Return the names of the tutorials in the order of the menu."""
    found = {path.stem for path in TUTORIALS.glob("*.ipynb")}
    return [name for name in ORDER if name in found]


def on_startup(**_: Any) -> None:
    """Link the package's folders into one folder named `bitlif`."""
    package = SOURCES / "bitlif"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    mapped = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    for module, folder in mapped["package-dir"].items():
        (package / module.removeprefix("bitlif.")).symlink_to(ROOT / folder)
    for path in (ROOT / "bitlif").glob("*.py"):
        (package / path.name).symlink_to(path)


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Replace links to folders, which a site has no pages for, by links to the files in them."""
    if page.file.src_uri != "studies.md":
        return markdown
    return re.sub(
        r"\[(studies/[\w-]+)/\]\(\1/\)",
        r"[points.csv](\1/points.csv), [results.parquet](\1/results.parquet)",
        markdown,
    )


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the generated pages to the menu."""
    api = [{title: path} for path, title, _ in api_pages() if path != "api/index.md"]
    for item in config.nav or []:
        if "Tutorials" in item:
            item["Tutorials"] = [
                "tutorials/index.md",
                *(f"tutorials/{name}.md" for name in tutorials()),
            ]
        if "API reference" in item:
            item["API reference"] = ["api/index.md", *api]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    images: dict[str, bytes] = {}
    pages: dict[str, Any] = {
        "index.md": root_page("README.md"),
        "changelog.md": root_page("CHANGELOG.md"),
        "fields.md": fields_page(),
        "tutorials/index.md": tutorials_page(tutorials()),
        **{f"tutorials/{name}.md": tutorial_page(name, images) for name in tutorials()},
        **{path: text for path, _, text in api_pages()},
        **images,
    }
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files
