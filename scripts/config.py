"""``bitlif config``: show, validate, list and compare configurations."""

from __future__ import annotations

import argparse
import re
from typing import Any

from bitlif.model.config.commented import dump_commented
from bitlif.model.config.config import Config, ready_made, ready_made_networks, summary_of
from bitlif.model.config.network import (
    NetworkConfig,
    load_any_config,
    single,
)
from bitlif.model.config.network_commented import dump_commented_network
from bitlif.model.config.network_tree import dump_network, flat_network
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
"""Values of ``--seed`` that are numbers; all others are names."""

WORDS_A_LINE = 16
"""Quantiles printed on a line."""


def add_parser(subparsers: SubParsers) -> None:
    """Add the parser of the command and of its subcommands."""
    parser = add_command(
        subparsers,
        "config",
        run_list,
        "show, validate, list or compare configurations",
        """
        A configuration is a TOML file or the name of a ready-made configuration. A file needs only
        the fields that differ from their defaults; `show` prints all of them. A file with [[layer]]
        tables is a network.
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
        Print every field as TOML. --derived prints what is derived from the fields instead:
        constants, signal widths, taps, initial states and periods of the LFSRs, and quantiles; with
        --json also the error table. Of a network, it prints the layers side by side, the widths and
        constants of the backward sweep, and the stored bits.
        """,
        (
            "bitlif config show tiny",
            "bitlif config show digits --derived --json",
            "bitlif config show tiny --seed hidden > hidden.toml",
            "bitlif config show tiny --network --comments > tiny-network.toml",
        ),
    )
    show.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    show.add_argument(
        "--seed",
        metavar="SEED",
        help="replace the LFSR seeds by those of a number or a layer's name",
    )
    show.add_argument("--derived", action="store_true", help="print derived values instead")
    show.add_argument(
        "--network", action="store_true", help="print a single layer as a network of one layer"
    )
    show.add_argument("--comments", action="store_true", help="explain each field in a comment")
    add_json(show)

    validate = add_command(
        actions,
        "validate",
        run_validate,
        "check configurations",
        "Print 'ok' or an error for each; exit with status 1 if any is invalid.",
        ("bitlif config validate digits tiny",),
    )
    validate.add_argument("configs", metavar="CONFIG", nargs="+", help="TOML files or names")
    add_json(validate)

    listing = add_command(
        actions,
        "list",
        run_list,
        "list the ready-made configurations",
        "List the ready-made configurations with their sizes.",
        ("bitlif config list",),
    )
    add_json(listing)

    diff = add_command(
        actions,
        "diff",
        run_diff,
        "print the fields in which two configurations differ",
        "Print the fields that differ; exit with status 1 if there are any.",
        ("bitlif config diff digits digits-4bit",),
    )
    diff.add_argument("a", metavar="A", help="TOML file or ready-made name")
    diff.add_argument("b", metavar="B", help="TOML file or ready-made name")
    add_json(diff)


def run_show(args: argparse.Namespace) -> int:
    """Print one configuration."""
    if args.comments and (args.derived or args.json):
        raise BitlifError(
            f"--comments cannot be used with --{'derived' if args.derived else 'json'}, which "
            f"prints no TOML"
        )
    config = load_any_config(args.config)
    if args.seed is not None:
        config = config.seeded(int(args.seed) if NUMBER.fullmatch(args.seed) else args.seed)
    if args.network and isinstance(config, Config):
        config = single(config)
    if isinstance(config, NetworkConfig):
        return _show_network(args, config)
    if args.derived:
        return _show_derived(config, args.json)
    if args.json:
        print_json(config_to_dict(config))
    else:
        print_document(dump_commented(config) if args.comments else dump_config(config))
    return 0


def _show_network(args: argparse.Namespace, network: NetworkConfig) -> int:
    from .support.network_shown import derived_report, print_derived

    if args.derived and args.json:
        print_json(derived_report(network))
    elif args.derived:
        print_derived(network)
    elif args.json:
        print_json(network.to_dict())
    elif args.comments:
        print_document(dump_commented_network(network))
    else:
        print_document(dump_network(network.to_dict()))
    return 0


def _show_derived(config: Config, as_json: bool) -> int:
    derived = derive(config)
    constants: dict[str, Any] = {}
    for name, value in derived.constants.named().items():
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
    columns = ("signal (raw)", "min", "max", "bits", "")
    out.print(result_table("range of every intermediate value", columns, rows))
    out.print(result_table("constants", ("constant", "raw"), list(constants.items())))
    names = ("phase", *phases[0])
    lines = [(number, *phase.values()) for number, phase in enumerate(phases)]
    out.print(result_table("constants of the phases of the schedule", names, lines))
    _print_noise(config)
    return 0


def _lfsrs(config: Config) -> dict[str, Any]:
    """Return the LFSRs of the noise, and those of the update if it uses random bits."""
    noise, learning = config.noise, config.learning
    sources = {"noise": (noise.lfsr, noise.leap, noise.draw_bits)} if noise.drawn else {}
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
    """Print the sources of random numbers and their periods."""
    out = console()
    rows = [
        (name, number, " ".join(map(str, taps)), start, own["leap"], own["draw_bits"],
         " ".join(str(lane) for lane, read in enumerate(own["of_lane"]) if read == number))
        for name, own in _lfsrs(config).items()
        for number, (taps, start) in enumerate(zip(own["taps"], own["starts"], strict=True))
    ]  # fmt: skip
    columns = ("source", "register", "taps", "start", "leap", "bits/draw", "lanes")
    out.print(result_table("LFSRs at position 0", columns, rows))
    found = periods(config)
    again = []
    if config.noise.drawn:
        again = [
            ("draws of a lane", found.noise_draws, "draws"),
            ("noise of a neuron", found.neuron_steps, "steps"),
        ]
    if config.learning.random_bits:
        again += [
            ("random bits of a lane", found.update_draws, "draws"),
            ("random bits of a synapse", found.synapse_windows, "windows"),
        ]
    out.print(result_table("periods of random numbers", ("", "period", ""), again))
    if config.window.lfsr == "clear":
        out.print("all of them repeat in every window, because window.lfsr is 'clear'")
    values = config.noise.quantiles.tolist()
    for first in range(0, len(values), WORDS_A_LINE):
        row = " ".join(map(str, values[first : first + WORDS_A_LINE]))
        out.print(f"quantiles from word {first}: {row}")


def run_validate(args: argparse.Namespace) -> int:
    """Check each configuration."""
    verdicts: dict[str, str] = {}
    for source in args.configs:
        try:
            load_any_config(source)
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
                say(f"invalid: {verdict}")
    return 1 if refused else 0


def run_list(args: argparse.Namespace) -> int:
    """List the ready-made configurations."""
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
    networks = [_network_row(name) for name in ready_made_networks()]
    if args.json:
        print_json({"configurations": rows, "networks": networks})
        return 0
    out = console()
    columns = ("name", "inputs", "neurons", "lanes", "steps", "weight")
    lines = [tuple(row[column] for column in columns) for row in rows]
    out.print(result_table("ready-made configurations", columns, lines))
    if networks:
        own = ("name", "inputs", "neurons", "steps", "weights")
        lines = [tuple(_joined(row[column]) for column in own) for row in networks]
        out.print(result_table("ready-made networks", own, lines))
    for row in (*rows, *networks):
        out.print(f"{row['name']}: {row['summary']}")
    return 0


def _network_row(name: str) -> dict[str, Any]:
    """Return what the list shows of a network."""
    network = NetworkConfig.load(name)
    layers = [own.config for own in network.layers]
    return {
        "name": name,
        "inputs": layers[0].layer.inputs,
        "neurons": [own.layer.neurons for own in layers],
        "steps": layers[0].window.steps,
        "weights": [str(own.synapse.weight) for own in layers],
        "summary": summary_of(name),
    }


def _joined(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def run_diff(args: argparse.Namespace) -> int:
    """Print the fields in which two configurations differ."""
    differences = _differences(load_any_config(args.a), load_any_config(args.b))
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
        console().print("all fields are equal")
    return 1 if differences else 0


def _differences(
    a: Config | NetworkConfig, b: Config | NetworkConfig
) -> list[tuple[str, Any, Any]]:
    """Return ``(field, value in a, value in b)``; a layer beside a network is one of one layer."""
    if isinstance(a, Config) and isinstance(b, Config):
        return config_diff(a, b)
    left, right = (
        flat_network((single(own) if isinstance(own, Config) else own).to_dict(full=True))
        for own in (a, b)
    )
    return [
        (path, left.get(path), right.get(path))
        for path in {**left, **right}
        if left.get(path) != right.get(path)
    ]
