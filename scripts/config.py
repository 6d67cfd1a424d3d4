"""``bitlif config``: show, validate, list and compare configurations."""

from __future__ import annotations

import argparse
import re
from typing import Any

from bitlif.model.config.config import Config, ready_made, summary_of
from bitlif.model.config.schema import to_plain
from bitlif.model.config.toml import config_diff, config_hash, config_to_dict, dump_config
from bitlif.model.constants import Filter
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError
from bitlif.model.period import periods

from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_document,
    print_json,
    result_table,
    say,
)

NUMBER = re.compile(r"-?[0-9]{1,20}")
"""What ``--seed`` takes as a number; anything else is a name."""

WORDS_A_LINE = 16
"""Quantiles that are printed in a line."""


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand and its own subcommands."""
    parser = add_command(
        subparsers,
        "config",
        run_list,
        "show, validate, list or compare configurations",
        """
        A configuration is a TOML file, or a ready-made one by its name. A file needs only the
        fields that differ from the defaults; `show` prints them all.
        """,
        (
            "bitlif config list",
            "bitlif config show digits --derived",
            "bitlif config diff digits digits-4bit",
            "bitlif config show tiny > mine.toml && bitlif config validate mine.toml",
        ),
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    show = add_command(
        actions,
        "show",
        run_show,
        "print every field as TOML",
        """
        Print every field as TOML. --derived prints what follows from them: constants, widths, LFSRs
        with their taps, starts and periods, quantiles; with --json also the error table.
        """,
        (
            "bitlif config show tiny",
            "bitlif config show digits --derived --json",
            "bitlif config show tiny --seed hidden > hidden.toml",
        ),
    )
    show.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    show.add_argument(
        "--seed", metavar="SEED", help="with LFSR seeds of its own, by a number or a layer's name"
    )
    show.add_argument("--derived", action="store_true", help="what follows from it instead")
    add_json(show)

    validate = add_command(
        actions,
        "validate",
        run_validate,
        "say whether files are legal configurations",
        "Print 'ok' or the one error for each; exit code 1 if any is refused.",
        ("bitlif config validate digits tiny",),
    )
    validate.add_argument("configs", metavar="CONFIG", nargs="+", help="TOML files or names")
    add_json(validate)

    listing = add_command(
        actions,
        "list",
        run_list,
        "name the ready-made configurations",
        "Name the ready-made configurations with their sizes.",
        ("bitlif config list",),
    )
    add_json(listing)

    diff = add_command(
        actions,
        "diff",
        run_diff,
        "print the fields in which two configurations differ",
        "Print the fields that differ; exit code 0 if none does, 1 if some do.",
        ("bitlif config diff digits digits-4bit",),
    )
    diff.add_argument("a", metavar="A", help="TOML file or ready-made name")
    diff.add_argument("b", metavar="B", help="TOML file or ready-made name")
    add_json(diff)


def run_show(args: argparse.Namespace) -> int:
    """Print one configuration."""
    config = Config.load(args.config)
    if args.seed is not None:
        config = config.seeded(int(args.seed) if NUMBER.fullmatch(args.seed) else args.seed)
    if args.derived:
        return _show_derived(config, args.json)
    if args.json:
        print_json(config_to_dict(config))
    else:
        print_document(dump_config(config))
    return 0


def _show_derived(config: Config, as_json: bool) -> int:
    derived = derive(config)
    constants: dict[str, Any] = {}
    for name, value in derived.constants._asdict().items():
        if isinstance(value, Filter):
            constants.update({f"{name}.{key}": own for key, own in value._asdict().items()})
        else:
            constants[name] = value
    phases = [phase._asdict() for phase in derived.phases]
    ranges = {
        name: {"low": own.low, "high": own.high, "bits": own.bits, "signed": own.signed}
        for name, own in derived.ranges.items()
    }
    if as_json:
        table = dict(zip("ab", map(list, derived.table), strict=True))
        print_json(
            {
                "name": config.name,
                "hash": config_hash(config),
                "constants": constants,
                "phases": phases,
                "ranges": ranges,
                "table": table,
                "lfsrs": _lfsrs(config),
                "quantiles": config.noise.quantiles.tolist(),
                "periods": periods(config)._asdict(),
            }
        )
        return 0
    out = console()
    out.print(f"{config.name}: configuration hash {config_hash(config)}")
    out.print()
    rows = [
        (name, own["low"], own["high"], own["bits"], "signed" if own["signed"] else "unsigned")
        for name, own in ranges.items()
    ]
    columns = ("signal (raw)", "least", "greatest", "bits", "")
    out.print(result_table("what every intermediate can reach", columns, rows))
    out.print(result_table("constants", ("constant", "raw"), list(constants.items())))
    names = ("phase", *phases[0])
    lines = [(number, *phase.values()) for number, phase in enumerate(phases)]
    out.print(result_table("constants of the schedule's phases", names, lines))
    _print_noise(config)
    return 0


def _lfsrs(config: Config) -> dict[str, Any]:
    """Return the LFSRs of the noise, and of the update if it draws random bits."""
    noise, learning = config.noise, config.learning
    sources = {"noise": (noise.lfsr, noise.leap, noise.draw_bits)}
    if learning.random_bits:
        sources["update"] = (learning.lfsr, learning.leap, learning.random_bits)
    found = {}
    for name, (source, leap, draw_bits) in sources.items():
        distinct, of_lane = source.registers(config.layer.lanes)
        found[name] = {
            "width": source.width,
            "leap": leap,
            "draw_bits": draw_bits,
            "taps": [list(one.taps) for one in distinct],
            "starts": [one.state for one in distinct],
            "of_lane": list(of_lane),
        }
    return found


def _print_noise(config: Config) -> None:
    """Print where random numbers come from, and when they repeat."""
    out = console()
    rows = [
        (name, number, " ".join(map(str, taps)), start, own["leap"], own["draw_bits"],
         " ".join(str(lane) for lane, read in enumerate(own["of_lane"]) if read == number))
        for name, own in _lfsrs(config).items()
        for number, (taps, start) in enumerate(zip(own["taps"], own["starts"], strict=True))
    ]  # fmt: skip
    columns = ("source", "register", "taps", "start", "leap", "bits of a draw", "lanes")
    out.print(result_table("LFSRs at position 0", columns, rows))
    found = periods(config)
    again = [
        ("draws of a lane", found.noise_draws, "draws"),
        ("noise of a neuron", found.neuron_steps, "steps"),
    ]
    if config.learning.random_bits:
        again += [
            ("random bits of a lane", found.update_draws, "draws"),
            ("random bits of a synapse", found.synapse_windows, "windows"),
        ]
    out.print(result_table("when random numbers repeat", ("", "after", ""), again))
    if config.window.lfsr == "clear":
        out.print("all of them repeat with every window, for window.lfsr is 'clear'")
    values = config.noise.quantiles.tolist()
    for first in range(0, len(values), WORDS_A_LINE):
        row = " ".join(map(str, values[first : first + WORDS_A_LINE]))
        out.print(f"quantiles of words {first} on: {row}")


def run_validate(args: argparse.Namespace) -> int:
    """Say of each configuration whether it is legal."""
    verdicts: dict[str, str] = {}
    for source in args.configs:
        try:
            Config.load(source)
            verdicts[source] = "ok"
        except BitlifError as error:
            verdicts[source] = str(error)
    refused = [source for source, verdict in verdicts.items() if verdict != "ok"]
    if args.json:
        print_json({"ok": not refused, "verdicts": verdicts})
    else:
        for source, verdict in verdicts.items():
            if verdict == "ok":
                console().print(f"{source}: ok")
            else:
                say(f"refused: {verdict}")
    return 1 if refused else 0


def run_list(args: argparse.Namespace) -> int:
    """Name the ready-made configurations."""
    rows = []
    for name in ready_made():
        config = Config.load(name)
        rows.append(
            {
                "name": name,
                "inputs": config.layer.inputs,
                "neurons": config.layer.neurons,
                "lanes": config.layer.lanes,
                "steps": config.window.steps,
                "weight": str(config.synapse.weight),
                "summary": summary_of(name),
            }
        )
    if args.json:
        print_json({"configurations": rows})
        return 0
    out = console()
    columns = ("name", "inputs", "neurons", "lanes", "steps", "weight")
    lines = [tuple(row[column] for column in columns) for row in rows]
    out.print(result_table("ready-made configurations", columns, lines))
    for row in rows:
        out.print(f"{row['name']}: {row['summary']}")
    return 0


def run_diff(args: argparse.Namespace) -> int:
    """Print the fields in which two configurations differ."""
    differences = config_diff(Config.load(args.a), Config.load(args.b))
    if args.json:
        fields = {
            path: {"a": to_plain(left), "b": to_plain(right)} for path, left, right in differences
        }
        print_json({"equal": not differences, "fields": fields})
    elif differences:
        rows = [
            (path, *("-" if value is None else to_plain(value) for value in (left, right)))
            for path, left, right in differences
        ]
        console().print(result_table("", ("field", args.a, args.b), rows))
    else:
        console().print("no field differs")
    return 1 if differences else 0
