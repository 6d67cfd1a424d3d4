"""Everything that README.md and docs/*.md name exists: modules, files, commands, options, links."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from bitlif.scripts.main import SUBCOMMANDS, build_parser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
FILES_OF_RESULTS = {"bitlif.json", "bitlif.sha256"}
"""Words of the form `bitlif.x` that name a file and a key of metadata, not a module."""

NO_COMMANDS = {"golden vectors", "COMMAND"}
"""What follows `bitlif` without being a command line: a kind of file, and a placeholder."""


@pytest.fixture(params=PAGES, ids=NAMES)
def page(request: pytest.FixtureRequest) -> Path:
    """Each page in turn."""
    path: Path = request.param
    return path


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    """Return the text without its fenced blocks, with each paragraph on one line."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<=\S)\n(?=\S)", " ", re.sub(r"^( {4,}|\t).*$", "", text, flags=re.MULTILINE))


def quoted(text: str) -> list[str]:
    """Return what stands between backticks outside code blocks."""
    return re.findall(r"`([^`]+)`", prose(text))


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words after `bitlif` of every command, in code blocks and between backticks."""
    lines = re.findall(r"^ {4}(?:\w+=\S+ )?bitlif (.*?)(?:  +#.*)?$", text, re.MULTILINE)
    for quote in quoted(text):
        if found := re.fullmatch(r"(?:\w+=\S+ )?bitlif (.*?)(?: \.\.\.)?", quote):
            lines.append(found[1])
    yield from (shlex.split(line) for line in lines if line not in NO_COMMANDS)


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield every option of a parser and of the parsers below it."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from options(each)


def headings(path: Path) -> set[str]:
    """Return the anchors of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    texts = [re.sub(r"\]\([^)]*\)", "]", title) for title in titles]
    return {re.sub(r"[^\w\- ]", "", text).strip().lower().replace(" ", "-") for text in texts}


def resolves(name: str) -> bool:
    """Return whether a dotted name is a module of the package, or something that one holds."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        module = ".".join(parts[:count])
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            continue
        if found:
            value: object = importlib.import_module(module)
            for part in parts[count:]:
                if not hasattr(value, part):
                    return False
                value = getattr(value, part)
            return True
    return False


def test_module_names_exist(page: Path) -> None:
    for quote in quoted(page.read_text("utf-8")):
        for name in re.findall(r"(?<![\w./-])bitlif(?:\.\w+)+", quote):
            if name not in FILES_OF_RESULTS:
                assert resolves(name), name


def test_paths_exist(page: Path) -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"out", "build"}
    for quote in quoted(page.read_text("utf-8")):
        for path in re.findall(r"(?<![\w./-])[\w.-]+(?:/[\w.*-]+)+/?", quote):
            if path.split("/")[0] in folders:
                assert [*ROOT.glob(path.rstrip("/"))], path


def test_commands_are_accepted(page: Path) -> None:
    for words in commands(page.read_text("utf-8")):
        if len(words) == 1:
            assert words[0] in {*SUBCOMMANDS, "--help"}, words
        else:
            build_parser().parse_args(words)


def test_pages_name_commands() -> None:
    assert sum(1 for own in PAGES for _ in commands(own.read_text("utf-8"))) > 80


def test_options_exist(page: Path) -> None:
    known = set(options(build_parser()))
    for quote in quoted(page.read_text("utf-8")):
        if quote.startswith("--"):
            assert quote.split()[0] in known, quote


def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = page.read_text("utf-8")
    found = re.findall(r"^ {4}make ([\w-]+)", text, re.MULTILINE)
    found += [quote.split()[1] for quote in quoted(text) if quote.startswith("make ")]
    assert set(found) <= targets


def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if anchor:
            assert anchor in headings(path), target


def test_python_examples_compile(page: Path) -> None:
    for number, example in enumerate(blocks(page.read_text("utf-8"), "python")):
        compile(example, f"{page.name}, example {number}", "exec")


def test_first_example_of_the_readme_prints_what_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    example = blocks((ROOT / "README.md").read_text("utf-8"), "python")[0]
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out == example.rpartition("# ")[2]


@pytest.mark.parametrize("name", sorted(SUBCOMMANDS))
def test_readme_shows_every_command(name: str) -> None:
    shown = {words[0] for words in commands((ROOT / "README.md").read_text("utf-8"))}
    assert name in shown


def tree(text: str) -> Iterator[str]:
    """Yield the paths of a folder tree: one folder per line, two spaces per level, a slash."""
    parents: list[str] = []
    for indent, name in re.findall(r"^ {4}((?:  )*)([\w-]+)/ +\S", text, re.MULTILINE):
        parents[len(indent) // 2 :] = [name]
        yield "/".join(parents)


def test_layout_page_lists_every_folder() -> None:
    listed = set(tree((ROOT / "docs" / "layout.md").read_text("utf-8")))
    roots = [path for path in ROOT.iterdir() if not path.name.startswith(".")]
    packages = {path.parent for root in roots for path in root.glob("**/__init__.py")}
    folders = {path.relative_to(ROOT).as_posix() for path in packages}
    others = {"docs", "docs/site", "docs/tutorials", "tests"} | {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").iterdir()
        if path.is_dir()
        and path.name not in {"__pycache__", *(own.split("/")[0] for own in folders)}
    }
    assert listed == {own for own in folders if own.split("/")[0] not in ("build", "out")} | others
