"""Hostile calls of every command, generated from a seed, with the outcomes that are allowed."""

from __future__ import annotations

import functools
import json
import random
import re
import shutil
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from bitlif.model.config.config import READY_MADE, Config
from bitlif.model.config.toml import dump_config
from bitlif.model.events import Events
from bitlif.model.layer import Layer
from bitlif.scripts.main import main
from bitlif.sim.cocotb.cosim import Sample, save_task
from bitlif.study.search.checksum import to_bytes
from bitlif.study.search.plan import READY
from bitlif.study.search.results import FORMAT, VERSION
from bitlif.tasks.stimulus import random_work

from hostile_files import (
    INPUTS,
    NEURONS,
    STEPS,
    Arrays,
    Reading,
    damaged,
    hostile_aer,
    hostile_npz,
    hostile_table,
    hostile_toml,
    make_odd,
    npz,
    other_array,
    plain_aer,
    plain_npz,
    plain_spikes,
    spike_arrays,
    target_arrays,
    weight_arrays,
)

TINY = Config.load("tiny")
STUDIES = Path(__file__).parents[2] / "docs" / "studies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of ``bitlif``.

    Attributes
    ----------
    arguments : list of str
    complaint : callable
        Given the output of a call that exits with status 0, returns what is wrong, or "".
    codes : tuple of int
        Allowed exit statuses.
    environment : dict or None
        Changes of the environment; None if the call needs no new process.
    replaces : bool
        Whether a successful call replaces existing files.
    """

    arguments: list[str]
    complaint: Callable[[str], str] = lambda out: ""
    codes: tuple[int, ...] = (0, 2)
    environment: dict[str, str | None] | None = None
    replaces: bool = False


def make_call(seed: int, folder: Path, *, quick: bool = False) -> Call:
    """Fill an empty folder and return a call to run in it; with `quick`, none that takes long."""
    chance = random.Random(seed)
    kinds: list[tuple[Callable[[random.Random, Path], Call], int]] = [
        (_spikes, 8), (_aer, 14), (_weights, 10), (_targets, 8), (_config, 18), (_table, 5),
        (_study, 5), (_odd_file, 12), (_words, 22),
    ]  # fmt: skip
    if not quick:
        kinds += [(_replay, 7), (_resume, 5), (_report, 4), (_results, 2), (_environment, 2)]
    make = chance.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
    return make(chance, folder)


# -- arrays and spikes -----------------------------------------------------------------------


@functools.cache
def _good_arrays() -> tuple[Arrays, Arrays]:
    chance = random.Random(1)
    return spike_arrays(chance), weight_arrays(chance)


def _good_files(folder: Path) -> None:
    spikes, weights = _good_arrays()
    (folder / "spikes.npz").write_bytes(npz(spikes))
    (folder / "weights.npz").write_bytes(npz(weights))


def _spikes(chance: random.Random, folder: Path) -> Call:
    _good_files(folder)
    (folder / "spikes.npz").write_bytes(hostile_npz(chance, spike_arrays(chance)))
    return _run_call(
        folder, ["--spikes", "spikes.npz"], lambda: plain_spikes(folder / "spikes.npz")
    )


def _aer(chance: random.Random, folder: Path) -> Call:
    _good_files(folder)
    content = hostile_aer(chance)
    name = chance.choice(["spikes.aer", "spikes.txt", "spikes", "[b].aer"])
    (folder / name).write_bytes(content)
    merge = chance.random() < 0.3
    words = ["--spikes", name, *(["--duplicates", "merge"] if merge else [])]
    return _run_call(folder, words, lambda: plain_aer(content, merge=merge))


def _run_call(folder: Path, words: list[str], read: Callable[[], Reading | None]) -> Call:
    arguments = ["run", "tiny", "--weights", "weights.npz", *words, "--json"]

    def complaint(out: str) -> str:
        reading = read()
        if reading is None:
            return "what cannot be read was accepted"
        weights = plain_npz(folder / "weights.npz")
        if weights is None or weights["weights"].shape != (INPUTS, NEURONS):
            return "what cannot be weights was accepted"
        return _told(reading, weights["weights"], json.loads(out))

    return Call(arguments=arguments, complaint=complaint)


def _told(reading: Reading, weights: Any, report: dict[str, Any]) -> str:
    """Return how a report of a run differs from what a simple reader reads."""
    windows, pairs = reading
    if (report["windows"], report["input_spikes"]) != (windows, len(pairs)):
        found = f"{report['windows']} windows and {report['input_spikes']} spikes"
        return f"{found}, not {windows} and {len(pairs)}"
    if windows > 1000:
        return ""
    times, addresses = [time for time, _ in pairs], [address for _, address in pairs]
    events = Events.from_times(times, addresses, steps=STEPS, units=INPUTS, windows=windows)
    layer = Layer(TINY)
    layer.load(np.array(weights.tolist()))
    spikes = layer.run(events).raster.sum(axis=(0, 1)).tolist()
    return (
        "" if report["spikes_by_neuron"] == spikes else f"{report['spikes_by_neuron']} of {spikes}"
    )


def _weights(chance: random.Random, folder: Path) -> Call:
    _good_files(folder)
    (folder / "weights.npz").write_bytes(hostile_npz(chance, weight_arrays(chance)))
    if chance.random() < 0.75:
        return _run_call(
            folder, ["--spikes", "spikes.npz"], lambda: plain_spikes(folder / "spikes.npz")
        )
    words = chance.choice(
        [["verilog", "tiny", "--weights", "weights.npz", "--out", "core.sv"],
         ["build", "tiny", "--board", "icebreaker", "--weights", "weights.npz", "--lanes", "99"],
         ["learn", "tiny", "--initial", "weights.npz", "--out", "out", "--epochs", "2"]]
    )  # fmt: skip
    return Call(arguments=words, complaint=lambda out: _weights_complaint(folder))


def _weights_complaint(folder: Path) -> str:
    found = plain_npz(folder / "weights.npz")
    if found is None or str(found.get("format")) != "s6.4" or "weights" not in found:
        return "what cannot be weights was accepted"
    weights = found["weights"]
    good = weights.shape == (INPUTS, NEURONS) and weights.dtype.kind in "iu"
    good = good and int(weights.min()) >= -32 and int(weights.max()) <= 31
    return "" if good else "what cannot be weights was accepted"


def _targets(chance: random.Random, folder: Path) -> Call:
    _good_files(folder)
    (folder / "targets.npz").write_bytes(hostile_npz(chance, target_arrays(chance)))
    words = ["--spikes", "spikes.npz", "--targets", "targets.npz"]

    def complaint(out: str) -> str:
        found = plain_npz(folder / "targets.npz")
        if found is None or "targets" not in found:
            return "what cannot be targets was accepted"
        targets = found["targets"]
        kind = targets.dtype.kind
        if targets.shape == (3,) and kind in "iubf":  # labels
            good = ((targets >= 0) & (targets < NEURONS) & (targets == np.floor(targets))).all()
            return "" if good else "what cannot be labels was accepted"
        if kind in "iu" and targets.dtype.str[1:] != "u2" and targets.max(initial=0) == 1:
            return "targets that are all 0 or 1 were accepted"
        top = {"i": 16, "u": 16, "f": 1, "b": 1}.get(kind)
        if top is None or not ((targets >= 0) & (targets <= top)).all():
            return "what cannot be targets was accepted"
        if targets.shape not in ((3, NEURONS), (3, STEPS, NEURONS)):
            return f"targets of shape {targets.shape} were accepted"
        return ""

    if chance.random() < 0.5:
        return Call(
            arguments=["run", "tiny", "--weights", "weights.npz", *words], complaint=complaint
        )
    return Call(arguments=["learn", "tiny", *words, "--out", "out"], complaint=complaint)


# -- text ------------------------------------------------------------------------------------


def _config(chance: random.Random, folder: Path) -> Call:
    name = chance.choice(["tiny", "tiny", "digits", "digits-4bit", "teacher"])
    text = (READY_MADE / f"{name}.toml").read_text("utf-8")
    if chance.random() < 0.6:
        text = dump_config(Config.load(name))
    content = hostile_toml(chance, text)
    (folder / "my.toml").write_bytes(content)
    more = chance.choice(
        [["registers", "my.toml"], ["config", "validate", "my.toml"],
         ["config", "diff", "tiny", "my.toml"], ["estimate", "my.toml"],
         ["config", "show", "my.toml", "--derived"]]
    )  # fmt: skip
    words = more if chance.random() < 0.3 else ["config", "show", "my.toml", "--json"]

    def complaint(out: str) -> str:
        try:
            text = content.decode("utf-8-sig").replace("\r\n", "\n")
            tree = tomllib.loads(text)
        except (ValueError, RecursionError):
            return "what is no TOML was accepted"
        return _differs("", tree, json.loads(out)) if "show" in words and "--json" in words else ""

    return Call(
        arguments=words, complaint=complaint, codes=(0, 1, 2) if words[0] == "config" else (0, 2)
    )


def _differs(path: str, given: Any, shown: Any) -> str:
    """Return how a shown configuration differs from the given one."""
    if isinstance(given, dict) and isinstance(shown, dict):
        return next(
            (
                text
                for key, own in given.items()
                if (text := _differs(f"{path}.{key}", own, shown.get(key)))
            ),
            "",
        )
    if isinstance(given, list) and isinstance(shown, list):
        if len(given) != len(shown):
            return f"{path} has {len(shown)} values of {len(given)}"
        found = (_differs(f"{path}[]", a, b) for a, b in zip(given, shown, strict=True))
        return next(filter(None, found), "")
    same_kind = isinstance(given, bool) == isinstance(shown, bool)
    # A leak is given by tau or by shift; the other one is 0 or omitted.
    if shown is None and given == 0 and path.endswith((".tau", ".shift")):
        return ""
    return (
        ""
        if same_kind and given == shown
        else f"{path} is {str(shown)[:40]}, not {str(given)[:40]}"
    )


def _table(chance: random.Random, folder: Path) -> Call:
    text = '[error]\nrule = "table"\nindex_bits = 3\nfile = "columns.txt"\n'
    (folder / "my.toml").write_text(text)
    content = hostile_table(chance, 8)
    (folder / "columns.txt").write_bytes(content)

    def complaint(out: str) -> str:
        lines = content.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
        rows = [line.partition("#")[0].split() for line in lines]
        columns = list(zip(*[map(float, row) for row in rows if row], strict=True))
        error = json.loads(out)["error"]
        return "" if [list(column) for column in columns] == [error["a"], error["b"]] else "misread"

    return Call(arguments=["config", "show", "my.toml", "--json"], complaint=complaint)


def _study(chance: random.Random, folder: Path) -> Call:
    name = chance.choice(
        sorted(item.name for item in READY.iterdir() if item.name.endswith(".toml"))
    )
    # An unknown field: either it or another error is reported.
    content = hostile_toml(chance, (READY / name).read_text("utf-8"))
    (folder / "my.toml").write_bytes(content + b"\nunknown_to_all = 1\n")
    return Call(arguments=["study", "my.toml", "--out", "out"], codes=(2,))


# -- folders ---------------------------------------------------------------------------------


def _replay(chance: random.Random, folder: Path) -> Call:
    replay = folder / "replay"
    replay.mkdir()
    save_task(random_work(TINY, 3, 2), replay / "task.npz", Sample())
    (replay / "config.toml").write_text(dump_config(TINY), "utf-8")
    (replay / "core.sv").write_text("module bitlif_tiny; endmodule\n")
    (replay / "difference.json").write_text('{"simulator": "icarus"}\n')
    victim = chance.choice(["task.npz", "task.npz", "task.npz", "config.toml", "core.sv"])
    path = replay / victim
    choice = chance.randrange(4)
    if choice == 0:
        path.unlink()
        make_odd(chance, path)
    elif victim == "task.npz" and choice < 3:
        with np.load(path) as data:
            arrays = {name: data[name] for name in data}
        name = chance.choice(["weights", "addresses", "pointers", "windows", "targets", "stall"])
        arrays[name] = other_array(chance, arrays[name])
        path.write_bytes(npz(arrays))
    else:
        path.write_bytes(damaged(chance, path.read_bytes()))
    return Call(
        arguments=["verify", "--replay", "replay", "--simulator", "icarus"], codes=(0, 1, 2)
    )


@functools.cache
def _earlier() -> dict[str, bytes]:
    """Return the files of a run that can be resumed."""
    with tempfile.TemporaryDirectory() as folder:
        assert main(["learn", "tiny", "--epochs", "2", "--out", f"{folder}/out", "--json"]) == 0
        return {path.name: path.read_bytes() for path in Path(folder, "out").iterdir()}


def _resume(chance: random.Random, folder: Path) -> Call:
    (folder / "out").mkdir()
    for name, content in _earlier().items():
        (folder / "out" / name).write_bytes(content)
    victim = folder / "out" / chance.choice(["state.npz", "state.npz", "report.json", *_earlier()])
    choice = chance.randrange(4)
    if choice == 0:
        victim.unlink()
        make_odd(chance, victim)
    elif victim.suffix == ".npz" and choice < 3:
        with np.load(victim) as data:
            arrays = {name: data[name] for name in data}
        name = chance.choice(list(arrays))
        arrays[name] = other_array(chance, arrays[name])
        victim.write_bytes(npz(arrays))
    else:
        victim.write_bytes(damaged(chance, victim.read_bytes()))
    return Call(
        arguments=["learn", "tiny", "--epochs", "1", "--out", "out", "--resume"], replaces=True
    )


def _report(chance: random.Random, folder: Path) -> Call:
    name = chance.choice(sorted(path.name for path in STUDIES.iterdir()))
    shutil.copytree(STUDIES / name, folder / "study")
    files = sorted(path for path in (folder / "study").iterdir() if path.suffix != ".png")
    parquet = folder / "study" / "results.parquet"
    parquet.write_bytes(_sealed(name))
    victim = parquet if chance.random() < 0.7 else chance.choice(files)
    if chance.random() < 0.3:
        victim.unlink()
        make_odd(chance, victim)
    else:
        victim.write_bytes(damaged(chance, victim.read_bytes()))
    wrong = "" if victim != parquet else "a damaged table was reported"
    return Call(arguments=["report", "study", "--out", "out"], complaint=lambda out: wrong)


@functools.cache
def _sealed(name: str) -> bytes:
    """Return a study's table with its checksum, which earlier versions lack."""
    table = pq.read_table(STUDIES / name / "results.parquet")
    return to_bytes(table.replace_schema_metadata({**table.schema.metadata, FORMAT: VERSION}))


def _results(chance: random.Random, folder: Path) -> Call:
    rows = chance.choice(
        ["", "{}", "[]x", "[1]", '[{"name": 1}]', '[{"a": ' * 4000, "[" * 100_000, "nan", "[null]",
         '[{"__class__": 1}]', "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), '"x"']
    )  # fmt: skip
    (folder / "rows.json").write_bytes(rows.encode("utf-8", "replace"))
    return Call(
        arguments=["bench", "estimate", "--results", "rows.json", "--configs", "1"], codes=(2,)
    )


# -- words -----------------------------------------------------------------------------------


def _odd_file(chance: random.Random, folder: Path) -> Call:
    _good_files(folder)
    (folder / "targets.npz").write_bytes(npz({"targets": np.zeros((3, NEURONS), int)}))
    words = chance.choice(
        [["run", "tiny", "--weights", "weights.npz", "--spikes", "@"],
         ["run", "tiny", "--weights", "@", "--spikes", "spikes.npz"],
         ["run", "tiny", "--weights", "weights.npz", "--spikes", "spikes.npz", "--targets", "@"],
         ["run", "@", "--weights", "weights.npz", "--spikes", "spikes.npz"],
         ["learn", "tiny", "--spikes", "spikes.npz", "--targets", "@", "--out", "out"],
         ["learn", "tiny", "--spikes", "@", "--targets", "targets.npz", "--out", "out"],
         ["learn", "tiny", "--initial", "@", "--out", "out", "--epochs", "1"],
         ["learn", "@", "--out", "out", "--epochs", "1"],
         ["config", "show", "@"], ["config", "diff", "tiny", "@"], ["noise", "@", "--draws", "1"],
         ["golden", "@", "--out", "out"], ["verilog", "@", "--out", "core.sv"],
         ["verilog", "tiny", "--weights", "@", "--out", "core.sv"], ["registers", "@"],
         ["estimate", "@"], ["fit", "@", "--board", "icebreaker"], ["crosscheck", "@"],
         ["verify", "@"], ["verify", "--replay", "@"], ["study", "@", "--out", "out"],
         ["report", "@", "--out", "out"], ["selftest", "tiny", "--port", "@"],
         ["selftest", "@", "--port", "x"], ["build", "@", "--board", "icebreaker", "--out", "out"],
         ["build", "tiny", "--board", "icebreaker", "--weights", "@", "--out", "out"],
         ["teacher", "--config", "@"], ["demo", "--config", "@", "--out", "out"],
         ["bench", "gates", "--config", "@"], ["bench", "cosim", "--config", "@"],
         ["crosscheck", "tiny", "--backends", "model,serial:@"],
         ["run", "tiny", "--weights", "weights.npz", "--spikes", "spikes.npz", "--backend",
          "serial:@"]]
    )  # fmt: skip
    suffix = ".toml" if words.index("@" if "@" in words else words[-1]) == 1 else ".npz"
    odd = make_odd(chance, folder / f"odd{chance.choice([suffix, '', '.aer'])}")
    return Call(arguments=[word.replace("@", odd) for word in words], codes=(2,))


NUMBERS = [
    "-1", "-99999999999999999999", "1" * 30, "9" * 5000, "nan", "inf", "-inf", "1e5", "0x10",
    "", " ",
    "1.5.2", "x", "\u00bd", "[/x]", "\x1b[2J", "1_", "--", "\udcff", "1,2", "1 2", "+", "-", "-0x1",
]  # fmt: skip
"""Texts that no numeric option accepts."""

NAMES = [
    "x", "", " ", "[/x]", "[bold red]x", "\x1b[2J", "a\nb", "\udcff", "x" * 5000, "/", ".", "..",
    "tinny", "Tiny", "tiny ", "tiny,", "=1+1", "--", "\u202etiny", "tiny\t", "${HOME}", "../tiny",
    "/dev/zero", "serial:", "serial:x@" + "9" * 4300, "netlist:", "netlist:x", "model;rtl",
]  # fmt: skip
"""Texts that are not the name of anything."""

OUTS = [
    "",
    "file",
    "full",
    "file/x",
    "/proc/x",
    ".",
    "..",
    "x" * 300,
    "loop",
    "loop/x",
    "/dev/full/x",
]
"""Paths at which no folder can be created; `full` is a folder with a foreign file."""

WORDS: list[tuple[list[str], list[str]]] = [
    (["demo", "--config", "tiny", "--no-gates", "--out", "@out"], ["--seed #", "--epochs #",
     "--threads #"]),
    (["learn", "tiny", "--epochs", "1", "--out", "@out"],
     ["--seed #", "--epochs #", "--backend $", "--data $", "--initial $", "--spikes $"]),
    (["run", "tiny", "--weights", "weights.npz", "--spikes", "spikes.npz"],
     ["--threads #", "--backend $", "--duplicates $", "--float --backend model", "--weights $",
      "--targets $"]),
    (["noise", "tiny", "--out", "file/x.png"], ["--draws #", "--seed #", ""]),
    (["teacher", "--config", "tiny"], ["--seeds #", "--config $"]),
    (["figures", "--quick", "--out", "@out"], ["--seeds #", "--only $"]),
    (["study", "$"], ["--workers #", "--scheduler $", "--out @out", "--retry"]),
    (["report", "$"], ["--loss #", "--cost $", "--board $", "--out @out"]),
    (["config", "$"], ["", "--json"]),
    (["config", "show", "$"], ["--derived", "--json"]),
    (["config", "diff", "tiny", "$"], ["--json", ""]),
    (["bench", "$"], ["", "--json"]),
    (["bench", "gates", "--quick"], ["--config $", "--family $", "--lanes $", "--seeds #"]),
    (["bench", "cosim"], ["--config $", "--windows #"]),
    (["bench", "estimate"], ["--family $", "--configs #"]),
    (["bench", "study"], ["--points #", "--workers #"]),
    (["verilog", "tiny", "--bus", "none"], ["--bus $", "--weights $", "--out file/x.sv"]),
    (["build", "tiny", "--board", "icebreaker", "--out", "@out"],
     ["--board $", "--lanes #", "--seeds #", "--mhz #", "--baud #", "--weights $"]),
    (["estimate", "tiny"], ["--board $"]),
    (["fit", "tiny", "--board", "icebreaker"],
     ["--board $", "--vary $", "--max-inputs #", "--max-neurons #", "--max-lanes #", "--margin #"]),
    (["registers", "tiny"], ["--format $", "--out file/x.md", "--out full"]),
    (["verify", "tiny", "--windows", "1"],
     ["--windows #", "--simulator $", "--stall #", "--seed #", "--inject $", "--replay $"]),
    (["prove", "tiny"], ["--unit $", "--limit $"]),
    (["golden", "tiny", "--windows", "1", "--out", "@out"], ["--windows #", "--seed #", ""]),
    (["crosscheck", "tiny", "--windows", "1"],
     ["--backends $", "--windows #", "--seed #", "--inject $", "--backends model,$"]),
    (["selftest", "tiny", "--port", "none"], ["--baud #", "--windows #", "--seed #", "--port $"]),
    (["$"], ["", "--help=$", "tiny"]),
]  # fmt: skip
"""Calls, each with options that make it invalid (or an `@out` does)."""


def _words(chance: random.Random, folder: Path) -> Call:
    _good_files(folder)
    (folder / "file").write_text("mine\n")
    (folder / "full").mkdir()
    (folder / "full" / "mine.txt").write_text("mine\n")
    (folder / "loop").symlink_to("loop")
    base, options = chance.choice(WORDS)
    option = chance.choice(options)
    hostile = bool(re.search(r"[#$]", option)) or "$" in base or "file/" in " ".join(base)
    outs = OUTS if not hostile or chance.random() < 0.3 else ["out"]
    if not hostile and "@out" not in base and "@out" not in option and "model" not in option:
        outs = ["out"]

    def filled(word: str) -> str:
        word = chance.choice(outs) if word == "@out" else word
        word = word.replace("#", chance.choice(NUMBERS))
        return word.replace("$", chance.choice(NAMES)) if word != "${HOME}" else word

    words = [filled(word) for word in [*base, *option.split()]]
    if chance.random() < 0.1:
        words = [*words, *chance.sample([*NAMES, *NUMBERS], 2)]
    if chance.random() < 0.1:
        words.insert(chance.randrange(len(words) + 1), "--json")
    return Call(arguments=words, codes=(2,))


# -- environments ----------------------------------------------------------------------------

SETTINGS: list[dict[str, str | None]] = [
    {"HOME": None}, {"HOME": "/nonexistent"}, {"HOME": ""}, {"TMPDIR": "/nonexistent"},
    {"TMPDIR": "a b"}, {"COLUMNS": "0"}, {"COLUMNS": "-5"}, {"COLUMNS": "x"},
    {"COLUMNS": "999999999"},
    {"LINES": "x", "TERM": "\x1b[2J"}, {"TERM": None}, {"NO_COLOR": "1"}, {"FORCE_COLOR": "1"},
    {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONOPTIMIZE": "2"}, {"PATH": ""}, {"PATH": "."}, {"NUMBA_NUM_THREADS": "1"},
    {"NUMBA_DISABLE_JIT": "1"}, {"MPLBACKEND": "nonsense"}, {"BITLIF_CACHE": "/dev/null"},
    {"BITLIF_CACHE": "file"}, {"BITLIF_CACHE": ""}, {"NUMBA_CACHE_DIR": "/dev/null"},
    {"XDG_CACHE_HOME": "/dev/null"}, {"MPLCONFIGDIR": "/dev/null"}, {"PYTHONWARNINGS": "error"},
]  # fmt: skip


def _environment(chance: random.Random, folder: Path) -> Call:
    _good_files(folder)
    (folder / "file").write_text("mine\n")
    words = ["run", "tiny", "--weights", "weights.npz", "--spikes", "spikes.npz", "--json"]
    spikes, weights = _good_arrays()
    reading = plain_spikes(folder / "spikes.npz")
    assert reading is not None
    del spikes
    return Call(
        arguments=words,
        complaint=lambda out: _told(reading, weights["weights"], json.loads(out)),
        environment=chance.choice(SETTINGS),
    )
