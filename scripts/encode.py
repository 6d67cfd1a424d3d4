"""``bitlif encode``: tables, images and time series as spikes."""

from __future__ import annotations

import argparse
import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bitlif.model.errors import BitlifError, located, require_int, warn
from bitlif.model.text import path_text, quoted
from bitlif.tasks.encoder_options import ENCODERS, OPTIONS

from .console.output_files import OutputFile, require_other_files
from .console.terminal import (
    SubParsers,
    add_command,
    add_json,
    console,
    print_json,
    progress_bars,
    report_table,
)
from .support.encoder_options import add_encoder_options, encoder_options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bitlif.model.events import Events
    from bitlif.tasks.data_file import Data
    from bitlif.tasks.encoding import Encoder

STEPS = 64
"""Default number of steps per window."""

SILENT = 0.1
"""Share of windows without a spike from which a warning is issued."""

MOST_BYTES = 1 << 26
"""Most bytes of an encoder file."""


class Outputs(NamedTuple):
    """The files to write."""

    spikes: OutputFile
    labels: OutputFile | None
    encoder: OutputFile
    plot: OutputFile | None


def add_parser(subparsers: SubParsers) -> None:
    """Add the subcommand."""
    parser = add_command(
        subparsers,
        "encode",
        run,
        "encode tables, images or time series as spikes",
        """
        Encode the windows of a data file as spikes for `bitlif run` and `bitlif learn`. A table is
        CSV with a column per feature, or .npz with X of shape (windows, features); time series are
        .npz with X of shape (windows, channels, samples), and images, with --images, of shape
        (windows, height, width) or (windows, height, width, colours). Labels are a column or array
        named y, label, labels, class or target, or as --labels says. sklearn:iris, wine,
        breast_cancer and digits are samples that scikit-learn ships.

        Every feature or channel is scaled to 0 ..= 1 by the values in the file; values outside are
        clipped. Encode only training windows like this, and test windows with --like, which uses
        the scale of the training windows. The spikes of a window depend on its own values and the
        seed only.

        rate spikes at a rate that follows the value, and has a bias input; latency spikes once,
        earlier for larger values; level_crossing has two inputs per channel of a series, for
        rising and falling; population has several inputs per feature with receptive fields.

        Writes three files: OUT.npz with the spikes, OUT.labels.npz with the arrays labels and
        classes, and OUT.encoder.json for --like.
        """,
        (
            "bitlif encode sklearn:wine -o wine.npz --plot wine.png",
            "bitlif encode sklearn:wine -o late.npz --encoder latency --steps 32 --json",
            "bitlif encode sklearn:iris -o pop.npz --encoder population --option fields=5",
            "bitlif encode sklearn:iris -o again.npz --like pop.encoder.json",
        ),
    )
    parser.add_argument("data", metavar="DATA", help=".csv, .tsv or .npz file, or sklearn:NAME")
    parser.add_argument("-o", "--out", metavar="OUT.npz", required=True, help="spike file to write")
    parser.add_argument(
        "--encoder",
        choices=ENCODERS,
        help="how values become spikes (default: rate, or spikes for ready spikes)",
    )
    parser.add_argument("--steps", type=int, metavar="T", help=f"steps (default: {STEPS})")
    add_encoder_options(parser)
    parser.add_argument(
        "--like", metavar="FILE", help="use the encoder of an earlier .encoder.json"
    )
    parser.add_argument("--labels", metavar="NAME", help="column or array of the labels")
    parser.add_argument("--images", action="store_true", help="X holds images, not time series")
    parser.add_argument("--seed", type=int, default=0, help="seed of phases and draws (default: 0)")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the spikes of a few windows")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Encode the file, write the results and print a summary."""
    require_int("--seed", args.seed, 0, (1 << 31) - 1)
    _check_names(args)
    if args.plot:
        from .drawing.pictures import require_matplotlib

        require_matplotlib()
    from bitlif.tasks.data_file import load_data

    earlier = _load_encoder(args.like) if args.like else None
    with progress_bars() as bars, ExitStack() as stack:
        bar = bars.add_task("reading", total=None)
        data = load_data(
            args.data, args.labels, required=args.labels is not None, images=args.images
        )
        classes = _classes(args, data)
        outputs = _open(args, stack, labelled=classes is not None)
        with located(f"data '{path_text(args.data)}'"):
            encoder = _fitted(args, data) if earlier is None else earlier
            _check_size(data.windows, encoder.steps)
            bars.update(bar, description="encoding", total=data.windows, completed=0)
            events = encoder.encode(
                data.inputs, seed=args.seed,
                progress=lambda count: bars.update(bar, completed=count),
            )  # fmt: skip
        _write(outputs, data, encoder, events, classes)
    report = _report(args, data, encoder, events, classes)
    _warn_of_silence(report, encoder)
    if args.json:
        print_json(report)
    else:
        screen = console()
        options = ", ".join(f"{name} = {value}" for name, value in report["options"].items())
        shown = {**report, "options": options or "none"}
        del shown["digest"]
        screen.print(report_table("encoded", shown))
        screen.print(f"written: {', '.join(report['written'])}")
    return 0


def _check_names(args: argparse.Namespace) -> None:
    if Path(args.out).suffix != ".npz":
        raise BitlifError(f"--out must end in .npz, not '{path_text(args.out)}'")
    if args.plot and Path(args.plot).suffix != ".png":
        raise BitlifError(f"--plot must end in .png, not '{path_text(args.plot)}'")
    for name, given in (("--encoder", args.encoder), ("--steps", args.steps is not None),
                        ("--option", args.option)):  # fmt: skip
        if args.like and given:
            raise BitlifError(f"{name} cannot be used with --like, which gives the encoder")


def _check_size(windows: int, steps: int) -> None:
    """Raise unless a spike file may have so many steps; see `bitlif.model.files.aer`."""
    from bitlif.model.files.aer import MOST_STEPS

    if windows * steps > MOST_STEPS:
        raise BitlifError(
            f"a spike file may have at most {MOST_STEPS} steps, not {windows} windows of {steps}: "
            f"give fewer --steps, or encode parts with --like"
        )


def _beside(out: str, ending: str) -> Path:
    """Return the path of a file beside the spikes: ``wine.npz`` gives ``wine.labels.npz``."""
    return Path(out).with_suffix(ending)


def _open(args: argparse.Namespace, stack: ExitStack, *, labelled: bool) -> Outputs:
    """Open the outputs, so that a path that cannot be written is an error before the work."""
    inputs = {"DATA": args.data, "--like": args.like}

    def opened(path: str | Path, what: str) -> OutputFile:
        return stack.enter_context(OutputFile(Path(path), inputs, what=what))

    plot = opened(args.plot, "--plot") if args.plot else None
    labels = _beside(args.out, ".labels.npz")
    encoder = _beside(args.out, ".encoder.json")
    for path in (labels, encoder):
        require_other_files("a file beside --out", path, inputs)
    return Outputs(
        opened(args.out, "--out"),
        opened(labels, "the labels beside --out") if labelled else None,
        opened(encoder, "the encoder beside --out"),
        plot,
    )


def _load_encoder(path: str) -> Encoder:
    """Read an encoder file."""
    from bitlif.model.storage.reading import read_text
    from bitlif.tasks.encoding import Encoder

    text = read_text("encoder", path, MOST_BYTES)
    with located(f"encoder '{path_text(path)}'"):
        try:
            tree = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BitlifError("must be a JSON file that bitlif encode wrote") from error
        return Encoder.from_json(tree)


def _fitted(args: argparse.Namespace, data: Data) -> Encoder:
    """Return an encoder with the scale of the data."""
    from bitlif.model.events import Events
    from bitlif.tasks.encoding import Encoder

    ready = isinstance(data.inputs, Events)
    name = args.encoder or ("spikes" if ready else "rate")
    options = encoder_options(args.option)
    if args.images and "shared" in OPTIONS[name]:
        # The pixels of an image have one unit.
        options.setdefault("shared", True)
    steps = args.steps
    if steps is None:
        steps = data.inputs.steps if isinstance(data.inputs, Events) else STEPS
    return Encoder.fit(name, data.inputs, steps=steps, **options)


def _classes(args: argparse.Namespace, data: Data) -> NDArray[Any] | None:
    """Return the classes in order: those of the file beside ``--like``, or those of the labels."""
    import numpy as np

    if data.labels is None:
        return None
    classes: NDArray[Any] = np.unique(data.labels)
    known = (args.like or "").removesuffix(".encoder.json") + ".labels.npz"
    if args.like and Path(known).is_file():
        from bitlif.tasks.label_file import read_labels

        earlier = read_labels(known).classes
        if earlier is None:
            raise BitlifError(f"labels '{path_text(known)}' must hold the array classes")
        new = classes[~np.isin(classes, earlier)]
        if new.size:
            raise BitlifError(
                f"labels of '{path_text(args.data)}' must be classes of '{path_text(known)}', "
                f"not {quoted(new[0].item())}"
            )
        classes = earlier
    return classes


def _write(
    outputs: Outputs, data: Data, encoder: Encoder, events: Events, classes: NDArray[Any] | None
) -> None:
    from bitlif.model.files.event_file import save_events
    from bitlif.tasks.label_file import Labels, save_labels

    outputs.spikes.write(lambda path: save_events(path, events))
    labels = data.labels
    if outputs.labels is not None and labels is not None and classes is not None:
        outputs.labels.write(lambda path: save_labels(path, Labels(labels, classes)))
    outputs.encoder.write_text(json.dumps(encoder.to_json(), indent=1, allow_nan=False) + "\n")
    if outputs.plot is not None:
        from .drawing.encoding_figure import save_figure

        outputs.plot.write(lambda path: save_figure(path, data, encoder, events))


def _report(
    args: argparse.Namespace,
    data: Data,
    encoder: Encoder,
    events: Events,
    classes: NDArray[Any] | None,
) -> dict[str, Any]:
    import numpy as np

    by_window = np.diff(events.pointers[:: events.steps])
    silent = np.bincount(events.addresses, minlength=events.units) == 0
    places = events.windows * events.steps * events.units
    report: dict[str, Any] = {
        "data": args.data,
        "digest": data.digest,
        "kind": data.kind,
        "windows": data.windows,
        "features": len(data.names),
        "encoder": encoder.name,
        "options": encoder.options,
        "seed": args.seed,
        "steps": events.steps,
        "inputs": events.units,
        "spikes": events.count,
        "spikes_per_window": events.count / events.windows,
        "spikes_per_step_and_input": events.count / places,
        "silent_inputs": int(silent.sum()),
        "silent_windows": int((by_window == 0).sum()),
        "classes": None if classes is None else classes.tolist(),
        "written": [str(args.out)],
    }
    if classes is not None:
        report["written"].append(str(_beside(args.out, ".labels.npz")))
    report["written"].append(str(_beside(args.out, ".encoder.json")))
    if args.plot:
        report["written"].append(args.plot)
    return report


def _warn_of_silence(report: dict[str, Any], encoder: Encoder) -> None:
    """Warn if many windows have no spike."""
    silent, windows = report["silent_windows"], report["windows"]
    if silent <= SILENT * windows:
        return
    cure = {
        "level_crossing": f"lower the option delta ({encoder.options.get('delta')})",
        "rate": "raise the options max_rate and bias_rate, or --steps",
        "population": "raise the options max_rate or width, or --steps",
    }.get(encoder.name, "check the data")
    warn(f"{silent} of {windows} windows have no spike: {cure}")
