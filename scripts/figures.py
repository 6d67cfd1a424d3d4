"""``bitlif figures``: the claims of the poster as numbers and pictures, float and fixed point."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bitlif
from bitlif.model.errors import BitlifError, nearest_of, require_int
from bitlif.model.text import quoted
from bitlif.study.claims.bins import BinsSettings, measure_bins
from bitlif.study.claims.coding import CodingSettings, measure_coding
from bitlif.study.claims.cooling import CoolingSettings, measure_cooling
from bitlif.study.claims.hidden import SUBJECTS, HiddenSettings, measure_hidden
from bitlif.study.claims.landscape import LandscapeSettings, measure_landscape
from bitlif.study.claims.spike_probability import ProbabilitySettings, measure_probability
from bitlif.study.claims.vanishing import VanishingSettings, measure_vanishing
from bitlif.study.statistics import mean_interval

from .console.output_files import OutputFolder
from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    result_table,
)
from .drawing import (
    bins_figure,
    coding_figure,
    cooling_figure,
    hidden_figure,
    landscape_figure,
    probability_figure,
    vanishing_figure,
)
from .drawing.figure_style import save_page
from .drawing.pictures import own_style, require_matplotlib

INDEX = "figures.md"
MAX_SEEDS = 1000


@dataclass(frozen=True, slots=True)
class Topic:
    """One figure: its measurement, drawing and caption.

    Attributes
    ----------
    title : str
    settings : function of (seeds, quick)
        Returns the settings; ``seeds`` is None unless the user gave a number.
    measure : function of (settings, report)
        Calls ``report(1)`` ``settings.units`` times and returns a result with ``to_json()``.
    draw, caption : functions of the result
        Return a Matplotlib figure and the caption.
    """

    title: str
    settings: Callable[[int | None, bool], Any]
    measure: Callable[[Any, Callable[[int], Any]], Any]
    draw: Callable[[Any], Any]
    caption: Callable[[Any], str]


def _landscape(seeds: int | None, quick: bool) -> LandscapeSettings:
    if quick:
        return LandscapeSettings(seeds=seeds or 3, windows=4)
    return LandscapeSettings(seeds=seeds or 16)


def _vanishing(seeds: int | None, quick: bool) -> VanishingSettings:
    if quick:
        sigmas = (0.02, 0.1, 0.2, 0.3, 0.6)
        return VanishingSettings(seeds=seeds or 2, windows=100, sigmas=sigmas)
    return VanishingSettings(seeds=seeds or 8)


def _cooling(seeds: int | None, quick: bool) -> CoolingSettings:
    if quick:
        # With shorter schedules, students on sparse inputs are still silent when cooling ends.
        return CoolingSettings(seeds=seeds or 3, sparsities=(1, 4))
    return CoolingSettings(seeds=seeds or 8)


def _probability(seeds: int | None, quick: bool) -> ProbabilitySettings:
    # One long run, whose steps are multiplied by the number of seeds.
    trials = (seeds or 1) * (20_000 if quick else 400_000)
    return ProbabilitySettings(trials=trials)


def _coding(seeds: int | None, quick: bool) -> CodingSettings:
    if quick:
        return CodingSettings(seeds=seeds or 2, trials=60, sigmas=(0.015, 0.1, 0.3, 1.0))
    return CodingSettings(seeds=seeds or 5)


def _bins(seeds: int | None, quick: bool) -> BinsSettings:
    # One example, which does not depend on the number of seeds.
    return BinsSettings()


def _hidden(seeds: int | None, quick: bool) -> HiddenSettings:
    if quick:
        return HiddenSettings(
            subjects=(replace(SUBJECTS[0], epochs=1),), seeds=seeds or 2, stimuli=8, trials=6
        )
    return HiddenSettings(seeds=seeds or 5)


TOPICS = {
    "landscape": Topic(
        landscape_figure.TITLE, _landscape, measure_landscape,
        landscape_figure.draw_landscape, landscape_figure.caption_landscape,
    ),
    "vanishing": Topic(
        vanishing_figure.TITLE, _vanishing, measure_vanishing,
        vanishing_figure.draw_vanishing, vanishing_figure.caption_vanishing,
    ),
    "cooling": Topic(
        cooling_figure.TITLE, _cooling, measure_cooling,
        cooling_figure.draw_cooling, cooling_figure.caption_cooling,
    ),
    "probability": Topic(
        probability_figure.TITLE, _probability, measure_probability,
        probability_figure.draw_probability, probability_figure.caption_probability,
    ),
    "coding": Topic(
        coding_figure.TITLE, _coding, measure_coding,
        coding_figure.draw_coding, coding_figure.caption_coding,
    ),
    "bins": Topic(
        bins_figure.TITLE, _bins, measure_bins,
        bins_figure.draw_bins, bins_figure.caption_bins,
    ),
    "hidden": Topic(
        hidden_figure.TITLE, _hidden, measure_hidden,
        hidden_figure.draw_hidden, hidden_figure.caption_hidden,
    ),
}  # fmt: skip
"""Figures by name, in the order of the index."""


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "figures",
        run,
        "measure and draw the claims of the poster, float and fixed point side by side",
        """
        Measures the claims of the poster on which bitlif is based, in the float model and in fixed
        point, with the same tasks and seeds: the gradient as a function of a weight (landscape) and
        at zero weights (vanishing), cooling, the probability of a spike (probability), temporal and
        rate codes (coding), one window of training, step by step (bins), and the codes that hidden
        layers of networks learn (hidden). Writes a folder with a picture and a JSON file of numbers
        per figure, and figures.md with their captions. All figures take several minutes, most of
        them for hidden; --quick takes about a minute and gives wide intervals.
        """,
        (
            "bitlif figures --quick --only probability",
            "bitlif figures",
            "bitlif figures --only landscape,cooling --seeds 20 --out out/claims --force",
        ),
    )
    parser.add_argument(
        "--only", metavar="NAMES", help=f"some of {','.join(TOPICS)} (default: all)"
    )
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="repetitions (default: depends on the figure; bins is one example)",
    )
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, shorter runs")
    parser.add_argument("--out", default="out/figures", help="folder (default: out/figures)")
    parser.add_argument("--force", action="store_true", help="replace an earlier result")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, draw and write the selected figures."""
    names = selected_names(args.only)
    if args.seeds is not None:
        require_int("--seeds", args.seeds, 1, MAX_SEEDS)
    # Missing packages are reported before the work starts.
    require_matplotlib()
    mean_interval([0.0, 1.0])
    with OutputFolder(Path(args.out), "figures", force=args.force) as out:
        report = _measure_and_write(args, names, out)
    if args.json:
        print_json(report)
        return 0
    rows = [(name, figure["title"]) for name, figure in report["figures"].items()]
    screen = console()
    screen.print(result_table(f"written to {out.path}", ("figure", "title"), rows))
    screen.print(f"captions: {out.path / INDEX}")
    return 0


def _measure_and_write(
    args: argparse.Namespace, names: list[str], out: OutputFolder
) -> dict[str, Any]:
    settings = {name: TOPICS[name].settings(args.seeds, args.quick) for name in names}
    results = {}
    with progress_bars() as bars:
        bar = bars.add_task("measuring", total=sum(chosen.units for chosen in settings.values()))
        for name in names:
            bars.update(bar, description=name)
            results[name] = TOPICS[name].measure(
                settings[name], lambda done: bars.update(bar, advance=done)
            )
    command = command_line(args)
    report: dict[str, Any] = {"bitlif": bitlif.__version__, "command": command, "figures": {}}

    def fill(folder: Path) -> None:
        for name, result in results.items():
            topic = TOPICS[name]
            caption = topic.caption(result)
            with own_style():
                save_page(folder / f"{name}.png", topic.draw(result), topic.title, caption)
            texts = {"title": topic.title, "caption": caption}
            numbers = {**texts, "command": command, "numbers": result.to_json()}
            _write_json(folder / f"{name}.json", numbers)
            files = {"picture": f"{name}.png", "numbers": f"{name}.json"}
            report["figures"][name] = {**texts, **files}
        (folder / INDEX).write_text(index(report), "utf-8")
        _write_json(folder / "report.json", report)

    out.write(fill)
    return report


def selected_names(only: str | None) -> list[str]:
    """Return the names of the selected figures, in the order of the index.

    Raises
    ------
    BitlifError
        If a name is unknown.
    """
    if only is None:
        return list(TOPICS)
    words = [word.strip() for word in only.split(",")]
    for word in words:
        if word not in TOPICS:
            known = ", ".join(TOPICS)
            raise BitlifError(
                f"--only must name some of {known}, not {quoted(word)}{nearest_of(word, TOPICS)}"
            )
    return [name for name in TOPICS if name in words]


def command_line(args: argparse.Namespace) -> str:
    """Return the command that reproduces the numbers."""
    parts = ["bitlif figures"]
    if args.quick:
        parts.append("--quick")
    if args.only is not None:
        parts.append(f"--only {','.join(selected_names(args.only))}")
    if args.seeds is not None:
        parts.append(f"--seeds {args.seeds}")
    return " ".join(parts)


def index(report: dict[str, Any]) -> str:
    """Return the index of a report in Markdown: titles, pictures and captions."""
    lines = ["# The source's claims, in float and in fixed point", ""]
    lines += [f"Made by `{report['command']}`.", ""]
    for figure in report["figures"].values():
        title, numbers = figure["title"], figure["numbers"]
        lines += [f"## {title}", "", f"![{title}]({figure['picture']})", ""]
        lines += [figure["caption"], "", f"Numbers: [{numbers}]({numbers})", ""]
    return "\n".join(lines)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(rounded(content), allow_nan=False) + "\n", "utf-8")


def rounded(value: Any) -> Any:
    """Return a nested value with every float rounded to six significant digits.

    >>> rounded({"a": [1 / 3, 7, "b"]})
    {'a': [0.333333, 7, 'b']}
    """
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
