"""``bitlif report``: the findings of a study as a page, pictures, tables and a configuration."""

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

PACKAGES = ("pyarrow", "plotly", "jinja2", "scipy", "sklearn")
"""Packages for tables, plots, the page and statistics."""

MAX_EFFECTS = 10
"""Number of effects that are printed."""


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "report",
        run,
        "report the findings of a study: Pareto fronts, sensitivities, a recommendation",
        """
        Reads the results of `bitlif study` and writes a folder. It holds report.html, a
        self-contained page; its plots as PNG and PDF; points.csv with the mean and 95 % interval of
        every metric at every point; report.json with all numbers; and recommended.toml, the
        configuration with the lowest --cost among those whose score is at most --loss below the
        best. With --board, it is the configuration with the best score among those estimated to fit
        the board. If the study measured chance, points that are not above it are not recommended.
        The same results give the same bytes. Exits with status 1, after writing the report, if a
        run failed or nothing can be recommended.
        """,
        (
            "bitlif study quickstart --out quickstart && bitlif report quickstart",
            "bitlif report quickstart --loss 0.02 --cost synaptic_operations --out cheaper",
            "bitlif report quickstart/results.parquet --board ulx3s-85f --out fits --json",
        ),
    )
    parser.add_argument("study", metavar="STUDY", help="folder of a study, or its results.parquet")
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="new folder (default: report in the study's folder)",
    )
    parser.add_argument(
        "--loss",
        type=float,
        default=0.01,
        metavar="X",
        help="how far the recommended point's score may be below the best (default: 0.01)",
    )
    parser.add_argument(
        "--cost", metavar="METRIC", help="metric to minimise (default: bits, if measured)"
    )
    parser.add_argument(
        "--board", metavar="BOARD", help="recommend the best point that fits this board"
    )
    parser.add_argument("--force", action="store_true", help="replace an earlier report")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Read the results, analyse them, write the report and print a summary."""
    # Missing packages and bad arguments are reported before the work starts.
    require_extra("reports need {}", "study", *PACKAGES)
    require_matplotlib("reports need matplotlib.figure", "study")
    from bitlif.study.report.findings import analyse
    from bitlif.study.report.page import render_page
    from bitlif.study.search.results import read_results

    if args.board:
        from bitlif.fpga.boards import board_named

        board_named(args.board)
    loss = require_real("--loss", args.loss, 0.0, 1e6)
    study = Path(args.study)
    results = read_results(study)
    home = study if study.is_dir() else study.parent
    folder = Path(args.out) if args.out else home / "report"
    with OutputFolder(folder, "report", force=args.force) as out:
        findings = analyse(results, loss, args.cost, args.board)
        chosen = findings["for_board"] if args.board else findings["recommended"]

        def fill(folder: Path) -> None:
            (folder / "report.html").write_text(render_page(findings), "utf-8")
            save_pictures(folder, findings)
            write_points(folder / "points.csv", findings)
            if chosen:
                (folder / "recommended.toml").write_text(chosen["config"], "utf-8")
            text = json.dumps(findings, indent=2, allow_nan=False) + "\n"
            (folder / "report.json").write_text(text, "utf-8")

        out.write(fill)
    if args.json:
        print_json(findings)
    else:
        _print(findings, folder, checked=results.checked)
    return 0 if chosen and not findings["failures"] else 1


def write_points(path: Path, findings: dict[str, Any]) -> None:
    """Write one row per point: setting, seeds, mean and interval per metric, and first error."""
    axes = [own["name"] for own in findings["study"]["axes"]]
    metrics = [own["name"] for own in findings["metrics"]]
    ends = ("mean", "low", "high")
    columns = [f"{name}_{end}" for name in metrics for end in ends]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["point", *map(cell_text, axes), "seeds", *columns, "error"])
        for own in findings["points"]:
            values = [own["metrics"][name][end] for name in metrics for end in ends]
            setting = [_cell(own["setting"][name]) for name in axes]
            error = _cell(own["error"])
            table.writerow([own["point"], *setting, own["seeds"], *values, error])


def _cell(value: Any) -> Any:
    return cell_text(value) if isinstance(value, str) else value


def _percent(share: float) -> str:
    """Return a percentage with an ordinary space, which every terminal prints."""
    from bitlif.study.report.labels import percent

    return percent(share).replace("\N{NO-BREAK SPACE}", " ")


def _print(findings: dict[str, Any], out: Path, *, checked: bool) -> None:
    from bitlif.study.report.axis_levels import scalar_text
    from bitlif.study.report.labels import effect_text, mean_text, metric_of, title_of
    from bitlif.study.report.sensitivity_plots import share_text

    screen = console()
    study = findings["study"]
    screen.print(
        f"{study['name']}: {study['points']} points, {study['runs']} runs, "
        f"{study['failed_runs']} failed{'' if study['complete'] else ', unfinished'}",
        markup=False,
    )
    if findings["best"]:
        names = list(
            dict.fromkeys([findings["score"], *(own["cost"] for own in findings["fronts"])])
        )
        metrics = [metric_of(findings, name) for name in names]
        keys = {"best": "best mean", "recommended": "recommended", "for_board": findings["board"]}
        points = [(title, findings[key]) for key, title in keys.items() if findings[key]]
        columns = [(title, f"point {own['point']}") for title, own in points]
        rows = [(name, *(scalar_text(own["setting"][name]) for _, own in points))
                for name in points[0][1]["setting"]]  # fmt: skip
        rows += [(title_of(own), *(mean_text(own, point["metrics"][own["name"]])
                 for _, point in points)) for own in metrics]  # fmt: skip
        heads = ("", *(f"{title}: {number}" for title, number in columns))
        screen.print(result_table("", heads, rows))
        for title, own in points:
            if "reason" in own:
                screen.print(f"{title}: {own['reason']}", markup=False)
        chance = findings["chance"]
        if chance and chance["reason"]:
            screen.print(chance["reason"].replace("\N{NO-BREAK SPACE}", " "), markup=False)
        if findings["board"] and not findings["for_board"]:
            what = "no point that is above chance" if chance else "no point"
            screen.print(f"{what} is estimated to fit {findings['board']}", markup=False)
    found = findings["sensitivity"]
    if found:
        effects = sorted(found["mains"] + found["pairs"], key=lambda own: -own["share"])
        rows = [(effect_text(own["axes"]), share_text(own),
                 "" if own["noise"] is None else _percent(own["noise"]))
                for own in effects[:MAX_EFFECTS]]  # fmt: skip
        title = f"shares of the variance of {metric_of(findings, findings['score'])['title']}"
        screen.print(result_table(title, ("", "share", "noise alone"), rows))
        how = "exact, from a complete grid"
        if found["fit"] is not None:
            how = (
                f"from a forest, which predicts {_percent(found['fit'])} of the variance of "
                "held-out points"
            )
        noise = "in brackets: not distinguishable from the noise of the seeds"
        if found["noise"] is None:
            noise = "with one seed the noise is unknown"
        screen.print(f"{how}; {noise}")
    elif not findings["best"] and not findings["failures"]:
        screen.print("every run failed: no runs", markup=False)
    if findings["failures"]:
        failed, first = study["failed_runs"], findings["failures"][0]
        what = f"{failed} of {study['runs']} runs" if findings["best"] else "every run"
        where = f"point {first['point']}, seed {first['seed']}"
        screen.print(f"{what} failed: {first['error']} ({where}, the first)", markup=False)
    if not checked:
        screen.print("the results have no checksum: an earlier version of bitlif wrote them")
    screen.print(f"written: {out / 'report.html'}", markup=False)
