"""``bitlif prove``: the arithmetic units of the gates equal the model for all inputs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from bitlif.model.config.network import load_any_config
from bitlif.model.errors import BitlifError
from bitlif.model.extras import require_extra

from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    require_gates,
    result_table,
)

if TYPE_CHECKING:
    from bitlif.sim.prove.proofs import UnitProof

MOST_SECONDS = 86400.0


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "prove",
        run,
        "prove that the gates equal the model for all inputs",
        """
        Proves that each arithmetic unit of the gates of a layer or of a network, as Yosys
        elaborates it, gives the same integers as the model's own functions, which run on symbols:
        for all inputs within their formats, all states, and all constants that a host can load.
        Also proves that no value leaves the range that its width was derived from. Exits with
        status 1 if a claim is refuted, with a counterexample that is replayed in simulation, or if
        the time was not enough. The page proof.md of the documentation says what is proved, under
        which assumptions.
        """,
        (
            "bitlif prove tiny",
            "bitlif prove digits --unit neuron",
            "bitlif prove digits-96 --unit adjoint",
            "bitlif prove digits-96 --unit layer_1_adjoint",
            "bitlif prove teacher --limit 600 --json",
        ),
    )
    parser.add_argument("config", metavar="CONFIG", help="TOML file or ready-made name")
    parser.add_argument(
        "--unit",
        metavar="UNIT",
        help="units of a kind, such as neuron, or one of them, such as layer_1_neuron or update_0 "
        "(default: all)",
    )
    parser.add_argument(
        "--limit",
        metavar="SECONDS",
        type=float,
        default=300.0,
        help="most time for a claim (default: %(default).0f)",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Prove and print."""
    if not 0.1 <= args.limit <= MOST_SECONDS:
        raise BitlifError(
            f"--limit must be seconds from 0.1 to {MOST_SECONDS:.0f}, not {args.limit:g}"
        )
    require_gates()
    require_extra("proofs need {}", "prove", "bitwuzla")
    from bitlif.sim.prove.proofs import proofs, units_of

    config = load_any_config(args.config)
    units = units_of(config, args.unit)
    made: list[UnitProof] = []
    with progress_bars() as bars:
        bar = bars.add_task("proving", total=len(units))
        for proof in proofs(units, args.limit):
            made.append(proof)
            bars.advance(bar)
    proved = all(proof.result == "proved" for proof in made)
    if args.json:
        print_json({"config": config.name, "proved": proved, "units": list(map(_as_json, made))})
        return 0 if proved else 1
    rows = [
        (
            proof.unit, str(proof.bits), str(len(proof.findings)), f"{proof.seconds:.2f}",
            proof.result, proof.solver,
        )
        for proof in made
    ]  # fmt: skip
    screen = console()
    titles = ("unit", "bits of input", "claims", "seconds", "result", "by")
    screen.print(result_table(f"{config.name}: gates and model, for all inputs", titles, rows))
    for proof in made:
        for finding in proof.findings:
            if finding.answer.result == "refuted":
                screen.print(f"refuted: {finding.describe()}")
            elif finding.answer.result == "unknown":
                why = finding.operation or f"no answer within {args.limit:g} seconds"
                screen.print(f"unknown: {finding.unit}, {finding.claim}: {why}")
    return 0 if proved else 1


def _as_json(proof: UnitProof) -> dict[str, Any]:
    return {
        "unit": proof.unit, "bits": proof.bits, "seconds": proof.seconds, "result": proof.result,
        "by": proof.solver,
        "claims": [
            {
                "claim": finding.claim, "result": finding.answer.result,
                "seconds": finding.answer.seconds, "counterexample": finding.answer.values,
                "gates": finding.gates, "model": finding.model, "operation": finding.operation,
                "replayed": finding.replayed,
            }
            for finding in proof.findings
        ],
    }  # fmt: skip
