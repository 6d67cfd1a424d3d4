"""``bitlif noise``: exact and measured properties of a configuration's noise source."""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import json
from pathlib import Path
from typing import Any

from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig, load_any_config
from bitlif.model.errors import BitlifError, require_int
from bitlif.model.noise_report.draws import (
    LAGS,
    MAX_DRAWS,
    MIN_DRAWS,
    Measurement,
    measure_draws,
    require_scipy,
)
from bitlif.model.noise_report.report import describe_noise
from bitlif.model.noise_report.sweep import describe_sweep
from bitlif.model.text import path_text

from .console.output_files import OutputFile
from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    result_table,
)
from .drawing.noise_figure import save_figure
from .drawing.pictures import require_matplotlib


def add_parser(subparsers: SubParsers) -> None:
    """Add the parser of the command."""
    parser = add_command(
        subparsers,
        "noise",
        run,
        "analyse a noise source: exact distribution, streams, measured draws",
        """
        Print the exact distribution of a draw beside a Gaussian of the same sigma, the effective
        sigma of each phase of the schedule, the LFSRs of the lanes with their periods and
        distances, and statistics of draws from the engine. For a network, do so for each layer, or
        for --layer, and print how many random bits the backward sweep draws and when they repeat.
        """,
        (
            "bitlif noise digits",
            "bitlif noise digits --draws 10000000 --out noise-digits",
            "bitlif noise teacher --json > noise-teacher.json",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument(
        "--draws",
        type=int,
        default=1_000_000,
        metavar="N",
        help=f"measured draws per lane, {MIN_DRAWS} ..= {MAX_DRAWS} (default: 1000000)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        help="derive LFSR seeds as `bitlif learn --seed` does (default: the configuration's seeds)",
    )
    parser.add_argument(
        "--layer", type=int, metavar="N", help="layer of a network, from 0 (default: all of them)"
    )
    parser.add_argument(
        "--out", metavar="DIR",
        help="folder to write noise.json and noise.png to; a picture for each layer of a network",
    )  # fmt: skip
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Analyse the noise, print the results and write them to ``--out``."""
    draws = require_int("--draws", args.draws, MIN_DRAWS, MAX_DRAWS)
    config = load_any_config(args.config)
    if args.seed is not None:
        config = config.seeded(require_int("--seed", args.seed, 0, (1 << 31) - 1))
    sources = _sources(config, args.layer)
    # Missing packages are reported before the work.
    require_scipy()
    inputs = {"CONFIG": args.config}
    written: list[Path] = []
    if args.out is None:
        result, _ = _measured_all(config, sources, draws)
    else:
        require_matplotlib()
        place = Path(args.out)
        if place.exists() and not place.is_dir():
            raise BitlifError(f"--out must be a folder, not the file '{path_text(args.out)}'")
        names = ["noise.png"]
        if isinstance(config, NetworkConfig):
            names = [f"noise-layer.{number}.png" for number in sources]
        written = [place / name for name in ("noise.json", *names)]
        with contextlib.ExitStack() as stack:
            numbers, *pictures = (
                stack.enter_context(OutputFile(path, inputs, parents=True)) for path in written
            )
            result, measurements = _measured_all(config, sources, draws)
            numbers.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")
            for picture, (own, measured) in zip(pictures, measurements, strict=True):
                picture.write(functools.partial(save_figure, config=own, measurement=measured))
    if args.json:
        print_json(result)
        return 0
    for own in result.get("layers", [result]):
        _print(own)
    if written:
        console().print(f"written: {', '.join(map(str, written))}")
    return 0


def _sources(config: Config | NetworkConfig, layer: int | None) -> dict[int, Config]:
    """Return the layers to analyse by their numbers."""
    if isinstance(config, Config):
        if layer is not None:
            raise BitlifError("--layer needs a network: CONFIG is a single layer")
        return {0: config}
    chosen = range(len(config.layers))
    if layer is not None:
        chosen = range(require_int("--layer", layer, 0, len(config.layers) - 1), layer + 1)
    return {number: config.layers[number].config for number in chosen}


def _measured_all(
    config: Config | NetworkConfig, sources: dict[int, Config], draws: int
) -> tuple[dict[str, Any], list[tuple[Config, Measurement]]]:
    """Return the report, and the measurement of each layer."""
    found, measurements = [], []
    for number, own in sources.items():
        told, measurement = _measure(own, draws)
        if isinstance(config, NetworkConfig):
            told = {"layer": number, **told, "sweep": describe_sweep(config, number)}
        found.append(told)
        measurements.append((own, measurement))
    if isinstance(config, NetworkConfig):
        return {"config": config.name, "layers": found}, measurements
    return found[0], measurements


def _measure(config: Config, draws: int) -> tuple[dict[str, Any], Measurement]:
    with progress_bars() as bars:
        bar = bars.add_task("draws per lane", total=draws)
        measurement = measure_draws(config, draws, lambda count: bars.update(bar, advance=count))
    return describe_noise(config, measurement), measurement


def _print(result: dict[str, Any]) -> None:
    screen = console()
    screen.print(_distribution(result))
    screen.print(_phases(result["phases"]))
    sweep = result.get("sweep", {})
    parts = (*_streams(result["streams"]), *_measured(result["measured"]), *_swept(sweep))
    for part in parts:
        screen.print(part)
    for remark in (*result["remarks"], *sweep.get("remarks", ())):
        screen.print(f"note: {remark}")


def _distribution(result: dict[str, Any]) -> Any:
    own = result["distribution"]
    rows = [
        ("levels", own["levels"], "continuous"),
        ("range of draws", f"{own['lowest']} ..= {own['highest']}", "unbounded"),
        ("sigma (units of a draw)", f"{own['sigma']:.6g}", "the same"),
        ("cut-off (sigma)", f"{own['cutoff_sigma']:.4f}", "none"),
        ("excess kurtosis", f"{own['excess_kurtosis']:+.5f}", "0"),
        *(
            (
                f"P(beyond {tail['sigma']} sigma)",
                f"{tail['probability']:.4g}",
                f"{tail['gaussian']:.4g}",
            )
            for tail in own["tails"]
        ),
        ("total variation distance", f"{own['total_variation']:.4g}", "0"),
        ("Kolmogorov distance", f"{own['kolmogorov']:.4g}", "0"),
    ]
    title = (
        f"{result['config']}: exact distribution of a draw "
        f"({result['kind']} of {result['words']} x {result['word_bits']} bits)"
    )
    return result_table(title, ("", "this source", "Gaussian"), rows)


def _phases(phases: list[dict[str, Any]]) -> Any:
    rows = []
    for _, group in itertools.groupby(phases, key=lambda row: row["sigma_asked"]):
        same = list(group)
        first, last = same[0], same[-1]
        name = f"{first['phase']}" if len(same) == 1 else f"{first['phase']} ..= {last['phase']}"
        rows.append(
            (
                name,
                f"{first['sigma_asked']:g}",
                f"{first['noise_scale']} / 2^{first['noise_shift']}",
                f"{first['sigma_scaled']:.6g}",
                f"{100 * first['relative_error']:+.3f} %",
                f"{first['sigma_rounded']:.6g}",
                f"{first['mean_rounded_lsb']:+.2g}",
            )
        )
    columns = ("phase", "configured", "scale", "scaled", "error", "rounded", "mean (LSB)")
    title = "sigma of each phase: configured, after the integer scale, rounded to membrane LSBs"
    return result_table(title, columns, rows)


def _streams(streams: dict[str, Any]) -> list[Any]:
    rows = [
        (
            row["lane"],
            " ".join(str(tap) for tap in row["taps"]),
            row["state"],
            _or_dash(row["position"]),
            _or_dash(row["bits_to_next_lane"]),
            _or_dash(row["draws_to_next_lane"]),
        )
        for row in streams["lanes"]
    ]
    first = streams["lanes"][0]
    period = first["period_draws"]
    columns = ("lane", "taps", "first state", "position", "bits to next", "draws to next")
    lines = [
        result_table(f"LFSR of each lane, sharing = {streams['sharing']}", columns, rows),
        f"width {first['width']}: a stream has a period of {first['stream_period_bits']} bits",
        f"{streams['draw_bits']} bits per draw, leap {first['leap']}: period of {period} draws",
        f"the draws of a neuron repeat after {streams['neuron_period_steps']} steps",
    ]
    if soonest := streams["soonest_repeat"]:
        a, b = soonest["lanes"]
        lines.append(
            f"first overlap: lane {a} repeats the draws of lane {b} after {soonest['draws']} draws"
        )
    return lines


def _measured(measured: dict[str, Any]) -> list[Any]:
    names = ("mean", "variance", "excess_kurtosis")
    formats = ("+.4f", ".6g", "+.5f")

    def moments(row: dict[str, float]) -> list[str]:
        return [format(row[name], own) for name, own in zip(names, formats, strict=True)]

    error = [f"{measured['standard_error'][name]:.2g}" for name in names]
    rows = [
        ("exact", *moments(measured["exact"]), "", "", ""),
        ("std. error", *error, "", "", ""),
        *(
            (
                f"lane {row['lane']}",
                *moments(row),
                f"{row['chi_square']:.1f}",
                row["bins"],
                f"{row['p']:.3g}",
            )
            for row in measured["lanes"]
        ),
    ]
    columns = ("", "mean", "variance", "ex. kurtosis", "chi-square", "bins", "p")
    band = f"{measured['band']:.2g}"
    correlations = [
        (
            f"lane {row['lane']}",
            f"{row['largest_autocorrelation']['r']:+.2g}",
            row["largest_autocorrelation"]["lag"],
            f"{row['lags_outside_band']} of {LAGS}",
        )
        for row in measured["lanes"]
    ]
    lines = [
        result_table(f"measured: {measured['draws']} draws per lane", columns, rows),
        result_table(
            f"autocorrelation at lags 1 ..= {LAGS}",
            ("", "largest r", "at lag", "outside the band"),
            correlations,
        ),
        f"band: white noise lies within ±{band} in 95 % of cases",
    ]
    if pair := measured["largest_cross_correlation"]:
        a, b = pair["lanes"]
        lines.append(f"largest correlation of two lanes: r = {pair['r']:+.2g}, lanes {a} and {b}")
    return lines


def _swept(sweep: dict[str, Any]) -> list[str]:
    """Return lines on the random bits of the backward sweep of a layer of a network."""
    if not sweep:
        return []
    if not sweep["learned"]:
        return ["the layer is not learned, so its backward sweep draws no random bits"]
    if "width" not in sweep:
        return [f"the backward sweep rounds by '{sweep['rounding']}', without random bits"]
    first = (
        f"backward sweep: {sweep['random_bits']} bits per draw, leap {sweep['leap']}, width "
        f"{sweep['width']}: period of {sweep['period_draws']} draws"
    )
    second = (
        f"a lane draws {sweep['draws_per_step']} times in a step, {sweep['draws_per_window']} "
        f"times in a window; the draws of a neuron repeat after {sweep['period_steps']} steps, "
        f"{sweep['windows_before_repeat']} windows"
    )
    return [first, second]


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)
