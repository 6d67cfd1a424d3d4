"""The command ``bitlif figures``."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from bitlif.model.errors import BitlifError
from bitlif.scripts import figures
from bitlif.scripts.figures import TOPICS, selected_names
from bitlif.scripts.main import build_parser

ROOT = Path(__file__).parents[2]
SMALL = ("--quick", "--only", "bins,probability")


def bitlif(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="bitlif")
    figures.add_parser(parser.add_subparsers(dest="command", required=True))
    args = parser.parse_args(["figures", *arguments])
    code = args.run(args)
    assert isinstance(code, int)
    return code


def refuse(word: str) -> None:
    raise AssertionError(f"JSON has no {word}")


def strict_json(text: str) -> Any:
    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every figure, from one seed."""
    out = tmp_path_factory.mktemp("quick") / "all"
    assert bitlif("--quick", "--seeds", "1", "--out", str(out)) == 0
    return out


def test_every_figure_has_a_picture_and_numbers(quick: Path) -> None:
    pairs = {f"{name}.{kind}" for name in TOPICS for kind in ("png", "json")}
    assert {path.name for path in quick.iterdir()} == pairs | {
        "figures.md",
        "report.json",
        "bitlif.json",
    }
    for name in TOPICS:
        assert (quick / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        own = strict_json((quick / f"{name}.json").read_text())
        assert set(own) == {"title", "caption", "command", "numbers"}
        assert own["numbers"]


def test_numbers_of_every_figure_cover_both_models(quick: Path) -> None:
    for name in TOPICS:
        text = (quick / f"{name}.json").read_text()
        assert '"model": "float"' in text
        assert '"model": "fixed"' in text


def test_index_and_report_agree(quick: Path) -> None:
    report = strict_json((quick / "report.json").read_text())
    index = (quick / "figures.md").read_text()
    assert list(report["figures"]) == list(TOPICS)
    assert report["command"] == "bitlif figures --quick --seeds 1"
    for name, own in report["figures"].items():
        numbers = strict_json((quick / own["numbers"]).read_text())
        assert (own["caption"], own["title"]) == (numbers["caption"], numbers["title"])
        assert own["caption"] in index
        assert f"({name}.png)" in index


def test_same_inputs_give_the_same_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for out in ("a", "b"):
        assert bitlif(*SMALL, "--out", str(tmp_path / out), "--json") == 0
    report = strict_json((tmp_path / "a" / "report.json").read_text())
    assert capsys.readouterr().out.count('"figures"') == 2
    assert list(report["figures"]) == ["probability", "bins"]
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {path.name for path in (tmp_path / "b").iterdir()}
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_force_is_needed_to_replace_a_result(tmp_path: Path) -> None:
    out = tmp_path / "out"
    small = ("--quick", "--only", "bins", "--out", str(out))
    assert bitlif(*small) == 0
    (out / "bins.png").unlink()
    with pytest.raises(BitlifError, match=r"^--out must be a new folder, not .* give --force"):
        bitlif(*small)
    assert not (out / "bins.png").exists()
    assert bitlif(*small, "--force") == 0
    assert (out / "bins.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--only", "landscape,cooler"),
            r"^--only must name some of landscape, .*, not 'cooler', did you mean 'cooling'\?$",
        ),
        (("--only", ""), r"^--only must name some of landscape, .*, not ''$"),
        (("--seeds", "0"), r"^--seeds must be in 1 \.\.= 1000, not 0$"),
    ],
)
def test_bad_argument_raises(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(BitlifError, match=message):
        bitlif(*arguments, "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_foreign_files_are_untouched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BitlifError, match=r"which holds 'mine\.txt'$"):
        bitlif(*SMALL, "--out", str(tmp_path), "--force")


def test_every_documented_command_is_valid() -> None:
    document = (ROOT / "docs" / "figures.md").read_text()
    lines = re.findall(r"(?:^    |`)(bitlif figures[^`\n]*)", document, re.MULTILINE)
    assert len(lines) > len(TOPICS)
    for line in lines:
        args = build_parser().parse_args(shlex.split(line)[1:])
        assert set(selected_names(args.only)) <= set(TOPICS)


def test_committed_figures_are_those_in_the_document() -> None:
    document = (ROOT / "docs" / "figures.md").read_text()
    folder = ROOT / "docs" / "figures"
    assert {path.stem for path in folder.glob("*.json")} == set(TOPICS)
    for name in TOPICS:
        own = strict_json((folder / f"{name}.json").read_text())
        assert own["command"] in ("bitlif figures", f"bitlif figures --only {name}")
        assert own["caption"] in document
        assert f"(figures/{name}.png)" in document
        assert (folder / f"{name}.png").exists()
