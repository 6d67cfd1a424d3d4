"""``bitlif new``: write a configuration file that explains its fields."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitlif.model.errors import BitlifError
from bitlif.model.text import path_text, quoted

from .console.terminal import SubParsers, add_command, add_json

if TYPE_CHECKING:
    from bitlif.model.config.config import Config

TITLE = "A configuration of bitlif. Above each field: its meaning; the values it accepts."


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "new",
        run,
        "write a configuration file that explains its fields",
        """
        Write NAME.toml with all fields of a configuration, each explained in a comment with the
        values it accepts. The values are the defaults.
        """,
        (
            "bitlif new mine",
            "bitlif new mine --out other.toml && bitlif config validate other.toml",
        ),
    )
    parser.add_argument("name", metavar="NAME", help="name of the configuration")
    parser.add_argument(
        "-o", "--out", metavar="FILE", help="file to write, ending in .toml (default: NAME.toml)"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file and print what it holds."""
    from bitlif.model.config.commented import dump_commented
    from bitlif.model.config.toml import config_hash

    from .console.output_files import OutputFile
    from .console.terminal import console, print_json

    path = _path(args)
    with OutputFile(path) as out:
        config, header, report = _default(args.name)
        out.write_text(dump_commented(config, [TITLE, *header]))
    report = {"config": config.name, "hash": config_hash(config), **report, "written": str(path)}
    if args.json:
        print_json(report)
    else:
        console().print(f"written to {path}")
    return 0


def _default(name: str) -> tuple[Config, list[str], dict[str, Any]]:
    from bitlif.model.config.config import Config

    return Config(name=name), ["All values are the defaults."], {"fields": []}


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
