"""``bitlif report``: what a study found, as a page, pictures, tables and a configuration."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

from bitlif.model.errors import require_real
from bitlif.model.extras import require_extra
from bitlif.model.text import cell_text

from .console.output_files import OutputFolder
from .console.terminal import SubParsers, add_command, add_json, console, print_json, result_table
from .drawing.pictures import require_matplotlib
from .drawing.report_figure import save_pictures

PACKAGES = ("pyarrow", "plotly", "scipy", "sklearn")
"""What tables, plots and statistics are made with."""

MOST_ROWS = 10
"""Effects printed."""


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "report",
        run,
        "report what a study found: Pareto fronts, sensitivities, a recommendation",
        """
        Reads the results of `bitlif study` and writes a folder: report.html, a page that needs no
        network and no other file; its plots as PNG and PDF; points.csv with mean and 95 % interval
        of every metric at every point; report.json with all numbers; and recommended.toml, the
        configuration with the least --cost whose loss against the best one is at most --loss, or
        with --board the best one that is estimated to fit that board. The same results give the
        same bytes. Exit code 1: all runs failed, or none fits the board.
        """,
        (
            "bitlif study taste --out taste && bitlif report taste",
            "bitlif report taste --loss 0.02 --cost synaptic_operations --out cheaper",
            "bitlif report taste/results.parquet --board ulx3s-85f --out fits --json",
        ),
    )
    parser.add_argument("study", metavar="STUDY", help="folder of a study, or its results.parquet")
    parser.add_argument(
        "--out", metavar="DIR", help="folder to make (default: report in the study's folder)"
    )
    parser.add_argument(
        "--loss",
        type=float,
        default=0.01,
        metavar="X",
        help="how much of the score a recommended point may lose (default: 0.01)",
    )
    parser.add_argument(
        "--cost", metavar="METRIC", help="what it shall have little of (default: bits, if there)"
    )
    parser.add_argument("--board", metavar="BOARD", help="recommend what fits this board")
    parser.add_argument("--force", action="store_true", help="replace an earlier report")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Read, find, write and print."""
    # What could fail at the end fails before the work.
    require_extra("reports need {}", "study", *PACKAGES)
    require_matplotlib("reports need matplotlib.figure", "study")
    from bitlif.study.report.findings import findings
    from bitlif.study.report.page import page
    from bitlif.study.search.results import read_results

    if args.board:
        from bitlif.fpga.boards import board_named

        board_named(args.board)
    loss = require_real("--loss", args.loss, 0.0, 1e6)
    study = Path(args.study)
    results = read_results(study)
    home = study if study.is_dir() else study.parent
    place = Path(args.out) if args.out else home / "report"
    with OutputFolder(place, "report", force=args.force) as out:
        told = findings(results, loss, args.cost, args.board)
        chosen = told["for_board"] if args.board else told["recommended"]

        def fill(folder: Path) -> None:
            (folder / "report.html").write_text(page(told), "utf-8")
            save_pictures(folder, told)
            write_points(folder / "points.csv", told)
            if chosen:
                (folder / "recommended.toml").write_text(chosen["config"], "utf-8")
            text = json.dumps(told, indent=2, allow_nan=False) + "\n"
            (folder / "report.json").write_text(text, "utf-8")

        out.write(fill)
    if args.json:
        print_json(told)
    else:
        _print(told, place, checked=results.checked)
    return 0 if chosen else 1


def write_points(path: Path, told: dict[str, Any]) -> None:
    """Write a row for each point: setting, seeds, mean and interval of each metric, first error."""
    axes = [own["name"] for own in told["study"]["axes"]]
    metrics = [own["name"] for own in told["metrics"]]
    ends = ("mean", "low", "high")
    columns = [f"{name}_{end}" for name in metrics for end in ends]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["point", *map(cell_text, axes), "seeds", *columns, "error"])
        for own in told["points"]:
            values = [own["metrics"][name][end] for name in metrics for end in ends]
            setting = [_cell(own["setting"][name]) for name in axes]
            error = _cell(own["error"])
            table.writerow([own["point"], *setting, own["seeds"], *values, error])


def _cell(value: Any) -> Any:
    return cell_text(value) if isinstance(value, str) else value


def _percent(share: float) -> str:
    """Return a share in percent, with a space that terminals print."""
    from bitlif.study.report.labels import percent

    return percent(share).replace("\N{NO-BREAK SPACE}", " ")


def _print(told: dict[str, Any], out: Path, *, checked: bool) -> None:
    from bitlif.study.report.labels import effect_text, mean_text, metric_of, title_of
    from bitlif.study.report.levels import words
    from bitlif.study.report.plots_shares import share_text

    screen = console()
    study = told["study"]
    screen.print(
        f"{study['name']}: {study['points']} points, {study['runs']} runs, "
        f"{study['failed_runs']} failed{'' if study['complete'] else ', not run to its end'}",
        markup=False,
    )
    if told["best"]:
        names = list(dict.fromkeys([told["score"], *(own["cost"] for own in told["fronts"])]))
        metrics = [metric_of(told, name) for name in names]
        keys = {"best": "best mean", "recommended": "recommended", "for_board": told["board"]}
        points = [(title, told[key]) for key, title in keys.items() if told[key]]
        columns = [(title, f"point {own['point']}") for title, own in points]
        rows = [(name, *(words(own["setting"][name]) for _, own in points))
                for name in points[0][1]["setting"]]  # fmt: skip
        rows += [(title_of(own), *(mean_text(own, point["metrics"][own["name"]])
                 for _, point in points)) for own in metrics]  # fmt: skip
        heads = ("", *(f"{title}: {number}" for title, number in columns))
        screen.print(result_table("", heads, rows))
        for title, own in points:
            if "reason" in own:
                screen.print(f"{title}: {own['reason']}", markup=False)
        if told["board"] and not told["for_board"]:
            screen.print(f"no point is estimated to fit {told['board']}", markup=False)
    found = told["sensitivity"]
    if found:
        effects = sorted(found["mains"] + found["pairs"], key=lambda own: -own["share"])
        rows = [(effect_text(own["axes"]), share_text(own),
                 "" if own["noise"] is None else _percent(own["noise"]))
                for own in effects[:MOST_ROWS]]  # fmt: skip
        title = f"shares of the variance of {metric_of(told, told['score'])['title']}"
        screen.print(result_table(title, ("", "share", "noise alone"), rows))
        how = "exactly, of a complete grid"
        if found["fit"] is not None:
            how = (
                f"by a forest, which foretells {_percent(found['fit'])} of that of points left out"
            )
        noise = "in brackets: not told apart from the seeds' noise"
        if found["noise"] is None:
            noise = "with one seed, how much is noise is not known"
        screen.print(f"{how}; {noise}")
    elif not told["best"]:
        first = told["failures"][0]["error"] if told["failures"] else "no run was made"
        screen.print(f"nothing succeeded: {first}", markup=False)
    if not checked:
        screen.print("the results have no checksum: an earlier version of bitlif wrote them")
    screen.print(f"written: {out / 'report.html'}", markup=False)
