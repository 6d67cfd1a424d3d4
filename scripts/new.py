"""``bitlif new``: write a configuration file that explains its fields, scaled to own data."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bitlif.model.errors import BitlifError, located, require_int
from bitlif.model.text import path_text, quoted

from .console.terminal import SubParsers, add_command, add_json
from .learning.own_data import add_data_options

if TYPE_CHECKING:
    from bitlif.model.config.config import Config
    from bitlif.model.config.network import NetworkConfig
    from bitlif.tasks.data_file import Data

TITLE = "A configuration of bitlif. Above each field: its meaning; the values it accepts."
STEPS = 64
EPOCHS = 20

SPIKES = (
    "bitlif encode sklearn:iris -o iris.npz && "
    "bitlif new iris --spikes iris.npz --labels iris.labels.npz"
)

NEEDING = ("hidden", "labels", "test", "encoder", "option", "steps", "epochs", "seed")
"""Options that mean something for own data only."""


class Made(NamedTuple):
    """A configuration and what is said about it.

    Attributes
    ----------
    config : Config or NetworkConfig
    header : list of str
        Paragraphs at the top of the file.
    report : dict
        Facts about the data, and ``chosen``: field, value and reason.
    follow : str
        The command that uses the file.
    """

    config: Config | NetworkConfig
    header: list[str]
    report: dict[str, Any]
    follow: str


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "new",
        run,
        "write a configuration file that explains its fields, scaled to own data",
        """
        Write NAME.toml with all fields of a configuration, each explained in a comment with the
        values it accepts.

        With --data, a .csv, .tsv or .npz file with a label for each window (or sklearn:iris, wine,
        breast_cancer or digits, samples that scikit-learn ships), the layer is scaled to
        the training windows: sizes, gain and formats so that the spikes drive the neurons well, and
        a schedule of noise and learning rates. What was chosen from what is printed, and the
        command that trains the layer; the test windows are not looked at. Give that command the
        same --labels, --test, --seed and --encoder. With --hidden, it is a network that is scaled,
        with one or more hidden layers of that many neurons. Without --data, all values are the
        defaults.
        """,
        (
            "bitlif new mine",
            "bitlif new wine --data sklearn:wine",
            "bitlif new deep --data sklearn:wine --hidden 64",
            "bitlif new pop --data sklearn:iris --encoder population --option fields=5 --steps 32",
            SPIKES,
            "bitlif new mine --out other.toml && bitlif config validate other.toml",
        ),
    )
    parser.add_argument("name", metavar="NAME", help="name of the configuration")
    parser.add_argument("--data", metavar="FILE", help="windows with labels: .csv, .tsv, .npz")
    parser.add_argument("--spikes", metavar="FILE", help="or ready spikes, with --labels")
    add_data_options(parser)
    parser.add_argument("--seed", type=int, help="seed of the split and of the spikes (default: 0)")
    parser.add_argument(
        "--steps", type=int, help=f"steps of a window (default: {STEPS}, or those of the spikes)"
    )
    parser.add_argument(
        "--epochs", type=int, help=f"passes over the training windows (default: {EPOCHS})"
    )
    parser.add_argument(
        "--hidden", metavar="SIZES",
        help="neurons of a hidden layer, or of several from the inputs on: 96, or 64,32",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--out", metavar="FILE", help="file to write, ending in .toml (default: NAME.toml)"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file and print what it holds."""
    from bitlif.model.config.commented import dump_commented
    from bitlif.model.config.network import NetworkConfig, any_hash
    from bitlif.model.config.network_commented import dump_commented_network

    from .console.output_files import OutputFile
    from .console.terminal import console, print_json, report_table, result_table

    path = _path(args)
    inputs = {"--data": args.data, "--spikes": args.spikes, "--test": args.test}
    with OutputFile(path, inputs) as out:
        made = _suited(args, path) if args.data or args.spikes else _default(args)
        config, header = made.config, [TITLE, *made.header]
        out.write_text(
            dump_commented_network(config, header)
            if isinstance(config, NetworkConfig)
            else dump_commented(config, header)
        )
    report = {
        "config": made.config.name,
        "hash": any_hash(made.config),
        **made.report,
        "written": str(path),
        "next": made.follow,
    }
    if args.json:
        print_json(report)
        return 0
    screen = console()
    if chosen := report["chosen"]:
        screen.print(report_table("data", made.report))
        rows = [(own["field"], _value(own["field"], own["value"]), own["reason"]) for own in chosen]
        screen.print(result_table("chosen", ("field", "value", "from"), rows))
    screen.print(f"written to {path}")
    screen.print(f"next: {made.follow}")
    return 0


def _default(args: argparse.Namespace) -> Made:
    """Return the default configuration."""
    from bitlif.model.config.config import Config

    for name in NEEDING:
        if getattr(args, name) not in (None, []):
            raise BitlifError(f"--{name} needs --data or --spikes")
    path = shlex.quote(args.out or f"{args.name}.toml")
    return Made(
        Config(name=args.name),
        ["All values are the defaults."],
        {"chosen": []},
        f"bitlif config validate {path}",
    )


def _suited(args: argparse.Namespace, path: Path) -> Made:
    """Return a layer or a network that is scaled to the training windows of ``--data``."""
    from bitlif.model.events import Events
    from bitlif.tasks.suit_config import suit_config
    from bitlif.tasks.suit_network import suit_network

    from .learning.own_data import own_data

    seed = require_int("--seed", 0 if args.seed is None else args.seed, 0, (1 << 31) - 1)
    epochs = require_int("--epochs", EPOCHS if args.epochs is None else args.epochs, 1, 1_000_000)
    hidden = _hidden(args.hidden)
    data, source = _data(args)
    own = own_data(args, "data", data, source)
    steps = args.steps
    if isinstance(data.inputs, Events):
        if steps not in (None, data.inputs.steps):
            raise BitlifError(
                f"--steps must be {data.inputs.steps}, those of the spikes, or left out, "
                f"not {steps}"
            )
        steps = data.inputs.steps
    steps = require_int("--steps", STEPS if steps is None else steps, 1, 1 << 20)
    with located(f"data '{path_text(source)}'"):
        examples = own.task.encoded(steps, seed)
        options: dict[str, Any] = {"epochs": epochs, "name": args.name}
        config: Config | NetworkConfig
        if hidden:
            config, choices = suit_network(
                examples.train, len(own.task.classes), hidden=hidden, **options
            )
        else:
            config, choices = suit_config(examples.train, len(own.task.classes), **options)
    report = {
        "data": source,
        "kind": data.kind,
        "windows": data.windows,
        "training_windows": examples.train.windows,
        "test_windows": examples.test.windows,
        "features": len(data.names),
        "encoder": own.told["encoder"],
        "classes": own.task.classes.tolist(),
        **({"hidden": list(hidden)} if hidden else {}),
        "chosen": [
            {"field": own.field, "value": own.value, "reason": own.reason} for own in choices
        ],
    }
    follow = _follow(args, path, epochs)
    scaled = (
        f"Scaled to the {examples.train.windows} training windows of {path_text(source)}, "
        f"{len(own.task.classes)} classes, for {epochs} epochs. Train it by"
    )
    header = [
        scaled,
        f"  {follow}",
        "Chosen from the data, all others as in the ready-made 'digits':",
        *(f"  {own.field}: {_value(own.field, own.value)}; {own.reason}" for own in choices),
    ]
    return Made(config, header, report, follow)


def _hidden(given: str | None) -> tuple[int, ...]:
    """Return the sizes of ``--hidden``; empty for a single layer."""
    from bitlif.tasks.suit_network import hidden_sizes

    if given is None:
        return ()
    words = given.split(",")
    if not all(word.strip().isascii() and word.strip().isdigit() for word in words):
        raise BitlifError(f"--hidden must be sizes such as 96 or 64,32, not {quoted(given)}")
    try:
        return hidden_sizes([int(word) for word in words])
    except BitlifError as error:
        raise BitlifError(f"--{error}") from error


def _data(args: argparse.Namespace) -> tuple[Data, str]:
    """Return the windows of ``--data``, or of ``--spikes`` with ``--labels``, and their file."""
    from bitlif.model.files.event_file import load_events
    from bitlif.tasks.data_file import Data, load_data
    from bitlif.tasks.label_file import load_labels

    from .learning.own_data import require_data_file

    if args.data and args.spikes:
        raise BitlifError("--data cannot be used with --spikes, which gives other windows")
    if args.data:
        require_data_file(args.data, [])
        return load_data(args.data, args.labels), args.data
    if not args.labels:
        raise BitlifError("--spikes needs --labels")
    events = load_events(args.spikes)
    return Data.of(events, load_labels(args.labels, events.windows).values), args.spikes


def _value(field: str, value: Any) -> str:
    """Return a chosen value in words; that of the schedule is its number of phases."""
    return f"{value} phase{'s' * (value != 1)}" if field == "schedule" else str(value)


def _follow(args: argparse.Namespace, path: Path, epochs: int) -> str:
    """Return the command that trains the layer with the same options."""
    data = ["--data", args.data] if args.data else ["--spikes", args.spikes]
    words = ["bitlif", "learn", str(path), *data]
    for name in ("labels", "test", "encoder", "seed"):
        value = getattr(args, name)
        if value is not None:
            words += [f"--{name}", str(value)]
    for option in args.option:
        words += ["--option", option]
    if args.epochs is not None:
        words += ["--epochs", str(epochs)]
    folder = path.stem if path.stem not in ("", ".") else "result"
    return shlex.join([*words, "--out", folder])


def _path(args: argparse.Namespace) -> Path:
    """Return the file to write, or raise unless it ends in .toml and may be written."""
    if args.out is None and (Path(args.name).name != args.name or args.name.startswith(".")):
        raise BitlifError(
            f"NAME must be the name of a file without its folder, not {quoted(args.name)}: give "
            f"the file by --out"
        )
    if args.name.endswith(".toml"):
        raise BitlifError(f"NAME must be a name without .toml, not {quoted(args.name)}")
    path = Path(args.out or f"{args.name}.toml")
    if path.suffix != ".toml":
        raise BitlifError(f"--out must end in .toml, not '{path_text(path)}'")
    if path.exists() and not args.force:
        raise BitlifError(
            f"--out must be a new file, not '{path_text(path)}': give --force to replace it"
        )
    return path
