"""The site is built without a warning, loads nothing from other hosts, and is complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bitlif.model.config.fields import FIELDS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def pages(site: Path) -> Iterator[Path]:
    """Yield all pages of the site."""
    yield from site.glob("**/*.html")


def test_site_loads_nothing_from_other_hosts(site: Path) -> None:
    tags = r"<(?:script|img|iframe|link rel=\"?stylesheet\"?)"
    loads = tags + r"[^>]*? (?:src|href)=\"?((?:https?:)?//[^\s\">]+)"
    for page in pages(site):
        assert re.findall(loads, page.read_text("utf-8")) == [], page
    for sheet in site.glob("**/*.css"):
        assert re.findall(r"@import|url\(\"?https?:", sheet.read_text("utf-8")) == [], sheet


@pytest.mark.parametrize("path", FIELDS)
def test_field_reference_lists_every_field(path: str, site: Path) -> None:
    assert f'id="{path}"' in (site / "fields.html").read_text("utf-8")


def test_every_page_of_the_documentation_is_in_the_menu(site: Path) -> None:
    menu = (site / "index.html").read_text("utf-8")
    for source in (ROOT / "docs").glob("*.md"):
        assert f'href="{source.stem}.html"' in menu, source


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("package", "bitlif.sim.backends.core.Core.learn"),
        ("package", "bitlif.sim.backends.open.open"),
        ("configuration", "bitlif.model.config.config.Config.save"),
        ("tasks-and-training", "bitlif.tasks.training.train"),
        ("data-and-encoders", "bitlif.tasks.encoding.Encoder.fit"),
        ("boards", "bitlif.fpga.boards.register_board"),
    ],
)
def test_api_reference_shows_public_names(page: str, name: str, site: Path) -> None:
    assert f'id="{name}"' in (site / "api" / f"{page}.html").read_text("utf-8")


def test_readme_is_the_first_page(site: Path) -> None:
    text = (site / "index.html").read_text("utf-8")
    assert 'href="contract.html"' in text
    assert 'src="demo.png"' in text


def test_tutorials_are_shown_with_their_outputs(site: Path) -> None:
    names = [path.stem for path in (ROOT / "docs" / "tutorials").glob("*.ipynb")]
    for name in names:
        page = (site / "tutorials" / f"{name}.html").read_text("utf-8")
        assert 'class="output"' in page
        for picture in re.findall(rf'src="({name}-\d+\.png)"', page):
            assert (site / "tutorials" / picture).stat().st_size > 1000
        assert f'href="{name}.html"' in (site / "tutorials" / "index.html").read_text("utf-8")
