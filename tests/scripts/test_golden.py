"""Golden vectors: the committed set, its reader, and that everything follows from the set alone."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_options import AgainWithOptions

from bitlif.model.config.config import Config
from bitlif.model.config.toml import config_hash, config_to_dict, dump_config
from bitlif.scripts.main import build_parser, main

from golden_steps import Again, arrays_of, manifest
from strategies import random_configs

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "golden" / "tiny"
CONFORMANCE = ROOT / "tests" / "golden" / "conformance"
READER = ROOT / "docs" / "golden_reader.py"

VARIANTS: dict[str, dict[str, Any]] = {
    "teacher, noise kept, odd lanes": {
        "layer__neurons": 5,
        "layer__lanes": 3,
        "membrane__reset": "teacher",
        "membrane__injection": "membrane",
    },
    "carried": {"window__state": "carry", "window__trace": "carry"},
    "registers of 64 bits, cleared": {
        "window__lfsr": "clear",
        "noise__lfsr__width": 64,
        "noise__lfsr__seed": (1 << 64) - 3,
        "noise__lfsr__sharing": "polynomial",
        "learning__random_bits": 0,
    },
    "quantiles": {
        "noise__kind": "inverse_cdf",
        "noise__words": 1,
        "noise__lfsr__sharing": "shared",
    },
    "no noise": {
        "noise__kind": "none",
        "error__rule": "table",
        "error__a": [3.0 * bin / 64 for bin in range(64)],
        "error__b": [3.0 * bin / 64 for bin in range(64)],
    },
    "no synaptic filter": {"synapse__decay": "none"},
    "no leak": {"membrane__decay": "integrate"},
    "threshold subtracted": {"membrane__reset": "subtract"},
    "ones": {"noise__kind": "popcount", "learning__lfsr__sharing": "shared"},
}


def golden(config: str | Path, out: Path, *options: str) -> dict[str, Any]:
    """Write a set with the command; return its manifest."""
    assert main(["golden", str(config), "-o", str(out), *options]) == 0
    return manifest(out)


def contents(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    files = (path for path in folder.glob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def follows(folder: Path) -> Again:
    """Hold every array of a set, and its counters, against those worked out again."""
    told, given = manifest(folder), arrays_of(folder)
    again = AgainWithOptions(told, given)
    found = again.arrays()
    for name, values in found.items():
        np.testing.assert_array_equal(values, given[name], err_msg=name)
    assert again.counters == told["counters"]
    assert again.phase(told["run"]["windows"]) == told["final_phase"]
    rest = {"input_spike", "target", "initial_weight", "error_table_a", "error_table_b"}
    rest |= {"noise_quantile", "noise_lfsr_start", "update_lfsr_start"}
    rest |= {"step_clocks"}
    assert not set(given) - set(found) - rest
    return again


def test_arrays_of_committed_set_follow_from_its_inputs() -> None:
    again = follows(TINY)
    # The set says something of each part: spikes, ends of formats, and weights that moved.
    assert 0 < np.array(again.seen["spike"]).mean() < 1
    assert again.counters["current_saturations"] > 0
    assert again.counters["weight_saturations"] > 0
    assert (again.weights != again.given["initial_weight"]).any()


@pytest.mark.parametrize("inference", [False, True], ids=["learning", "inference"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_array_follows_whatever_the_configuration(
    variant: str, inference: bool, tmp_path: Path
) -> None:
    file = tmp_path / "variant.toml"
    file.write_text(dump_config(Config.load("tiny").replace(**VARIANTS[variant])), "utf-8")
    out = tmp_path / "out"
    golden(file, out, "--seed", "4", *(["--inference"] if inference else []))
    follows(out)
    assert read(out)[0] == 0


def test_arrays_follow_across_a_phase_change(tmp_path: Path) -> None:
    told = golden("tiny", tmp_path / "out", "--windows", "9")
    assert arrays_of(tmp_path / "out")["phase"].tolist() == [0] * 8 + [1]
    assert told["final_phase"] == 1
    follows(tmp_path / "out")


@pytest.mark.parametrize("number", range(4))
def test_every_array_follows_for_random_configurations(number: int, tmp_path: Path) -> None:
    file = tmp_path / "random.toml"
    file.write_text(dump_config(random_configs(4)[number]), "utf-8")
    golden(file, tmp_path / "out", "--seed", str(number))
    follows(tmp_path / "out")
    assert read(tmp_path / "out")[0] == 0


# -- the set ---------------------------------------------------------------------------------


def test_command_writes_the_committed_set_again_byte_for_byte(tmp_path: Path) -> None:
    golden("tiny", tmp_path / "out")
    assert contents(tmp_path / "out") == contents(TINY)
    assert sum(len(content) for content in contents(TINY).values()) < 300_000


def test_command_writes_the_conformance_set_again_byte_for_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["golden", "--conformance", "-o", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert contents(out, "**/*") == contents(CONFORMANCE, "**/*")
    names = [path.name for path in sorted(CONFORMANCE.iterdir()) if path.is_dir()]
    assert list(report["sets"]) == names
    for name in names:
        last = arrays_of(CONFORMANCE / name)["signature"][-1]
        assert report["sets"][name]["signature"] == int(last)
    # The same as one set by itself, and it is replaced only by force.
    golden("conformance/hold", tmp_path / "hold")
    assert contents(tmp_path / "hold") == contents(CONFORMANCE / "hold")
    assert main(["golden", "--conformance", "-o", str(out)]) == 2
    assert main(["golden", "--conformance", "-o", str(out), "--force"]) == 0


def test_reader_takes_all_sets_of_the_conformance_set(tmp_path: Path) -> None:
    folders = sorted(str(path) for path in CONFORMANCE.iterdir() if path.is_dir())
    command = [sys.executable, "-I", "-S", str(READER), *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == [
        f"OK: {Path(folder).name}" for folder in folders
    ]
    command.insert(4, str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith(f"not OK: {tmp_path}: [Errno 2]")
    assert done.stdout.count("OK: ") == len(folders) + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "golden needs either a CONFIG or --conformance"),
        (["tiny", "--conformance"], "golden needs either a CONFIG or --conformance"),
        (["--conformance", "--windows", "2"], "--windows cannot be used with --conformance"),
        (["--conformance", "--weights", "w.npz"], "--weights cannot be used with --conformance"),
        (["--conformance", "--inference"], "--inference cannot be used with --conformance"),
    ],
)
def test_conformance_set_has_no_options(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["golden", *arguments, "-o", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_another_seed_gives_another_set(tmp_path: Path) -> None:
    golden("tiny", tmp_path / "out", "--seed", "1")
    other, own = contents(tmp_path / "out"), contents(TINY)
    assert other.keys() == own.keys()
    same = {name for name in own if own[name] == other[name]}
    assert same == {
        "config.toml", "phase.txt", "error_table_a.txt", "error_table_b.txt", "noise_draw.txt",
        "noise_lfsr_start.txt", "update_lfsr_start.txt", "noise_lfsr.txt", "update_lfsr.txt",
    }  # fmt: skip


def test_set_holds_its_configuration_twice() -> None:
    config, told = Config.load(TINY / "config.toml"), manifest(TINY)
    assert config == Config.load("tiny")
    assert told["config"]["values"] == config_to_dict(config)
    assert told["config"]["hash"] == config_hash(config)


def test_registers_of_64_bits_are_written_unsigned(tmp_path: Path) -> None:
    config = Config.load("tiny").replace(
        noise__lfsr__width=64, noise__lfsr__seed=(1 << 64) - 3, window__lfsr="clear"
    )
    file = tmp_path / "wide.toml"
    file.write_text(dump_config(config), "utf-8")
    told = golden(file, tmp_path / "out", "--windows", "8")
    states = arrays_of(tmp_path / "out")
    assert states["noise_lfsr_start"][0] == (1 << 64) - 3
    assert (states["noise_lfsr"] >= 0).all()
    formats = {entry["name"]: entry["format"] for entry in told["arrays"]}
    assert formats["noise_lfsr"] == "u64.0"


def test_inference_sets_hold_nothing_of_learning(tmp_path: Path) -> None:
    told = golden("tiny", tmp_path / "out", "--inference")
    names = {entry["name"] for entry in told["arrays"]}
    assert names == {
        "input_spike", "initial_weight", "noise_lfsr_start", "phase", "weight_sum",
        "synaptic_current", "membrane_potential", "noise_draw", "spike", "kept_membrane",
        "noise_lfsr", "signature", "signature_by_step", "step_clocks", "final_synaptic_current",
        "final_membrane",
    }  # fmt: skip
    assert not told["run"]["learns"]
    assert set(told["counters"]) == {"current_saturations", "membrane_saturations"}
    assert set(told["lfsrs"]) == {"noise"}
    # The document says what else is missing: nothing.
    learning = manifest(TINY)
    assert list(told) == list(learning)
    text = (ROOT / "docs" / "golden.md").read_text("utf-8")
    lacking = text.partition("Their `counters` lack")[2].partition(", and their")[0]
    assert set(re.findall(r"`(\w+)`", lacking)) == set(learning["counters"]) - set(told["counters"])
    for key in set(learning) - {"run", "lfsrs", "counters", "arrays", "window_end_clocks"}:
        assert told[key] == learning[key]


def test_final_arrays_are_those_before_the_clearing() -> None:
    arrays = arrays_of(TINY)
    assert manifest(TINY)["cleared"] == {"state": True, "trace": True, "lfsr": False}
    for final, last in (
        ("final_synaptic_current", arrays["synaptic_current"][-1, -1]),
        ("final_membrane", arrays["kept_membrane"][-1, -1]),
        ("final_synaptic_trace", arrays["synaptic_trace"][-1, -1]),
        ("final_psp_trace", arrays["psp_trace"][-1, -1]),
        ("final_weight", arrays["weight"][-1]),
    ):
        # In this set every neuron is reset in the very last step.
        assert last.any() or final == "final_membrane"
        np.testing.assert_array_equal(arrays[final], last)


def test_document_lists_every_array_with_its_axes_and_unit() -> None:
    text = (ROOT / "docs" / "golden.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([a-z, ]+) \| ([a-z0-9 ]+) \|", text, re.MULTILINE)
    listed = {name: (axes, unit) for name, axes, unit in rows if name != "noise_quantile"}
    entries = manifest(TINY)["arrays"]
    assert list(listed.items()) == [
        (entry["name"], (", ".join(entry["axes"]), entry["unit"])) for entry in entries
    ]
    keys = re.findall(r"^\| `(\w+)`(?:, `(\w+)`)? \| [^|]+ \|$", text, re.MULTILINE)
    assert [key for pair in keys for key in pair if key] == [
        key for key in manifest(TINY) if key != "arrays"
    ]


def test_document_names_existing_files_and_valid_commands() -> None:
    text = (ROOT / "docs" / "golden.md").read_text("utf-8")
    for name in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / "docs" / name).exists(), name
    for name in re.findall(r"`((?:docs|tests)/[\w./]+)`", text):
        assert (ROOT / name).exists(), name
    lines = re.findall(r"^    bitlif (.*?)(?:  +#.*)?$", text, re.MULTILINE)
    lines += re.findall(r"`bitlif (golden (?:tiny|digits)[^`]+)`", text)
    assert len(lines) == 10
    for line in lines:
        build_parser().parse_args(line.split())


# -- the reader ------------------------------------------------------------------------------


def read(folder: Path | str) -> tuple[int, str]:
    """Run the reader where there is nothing but the standard library; return code and output."""
    command = [sys.executable, "-I", "-S", str(READER), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    return done.returncode, done.stdout.rstrip("\n")


def test_reader_finds_the_committed_set_right_without_bitlif() -> None:
    assert read(TINY) == (0, "OK: tiny, 3 windows, 2858 values, all signatures")
    lone = [sys.executable, "-I", "-S", "-c", "import bitlif"]
    done = subprocess.run(lone, capture_output=True, text=True, check=False)
    assert "No module named 'bitlif'" in done.stderr


def tell(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest."""
    told = manifest(folder)
    change(told)
    (folder / "manifest.json").write_text(json.dumps(told), "utf-8")


def entry(told: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one for one in told["arrays"] if one["name"] == name)
    assert isinstance(found, dict)
    return found


def rehash(folder: Path, name: str) -> None:
    """Give an array's new content its hash."""
    content = (folder / f"{name}.txt").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    tell(folder, lambda told: entry(told, name).update(sha256=digest))


def change_first(folder: Path, name: str, value: str | None = None) -> None:
    """Write another first value: by default its last digit changed."""
    path = folder / f"{name}.txt"
    first, rest = path.read_text("ascii").split(maxsplit=1)
    value = value or f"{first[:-1]}{(int(first[-1]) + 1) % 10}"
    separator = path.read_text("ascii")[len(first)]
    path.write_text(f"{value}{separator}{rest}", "ascii", newline="\n")


def changed_digit_with_its_hash(folder: Path, name: str, value: str | None = None) -> None:
    change_first(folder, name, value)
    rehash(folder, name)


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "digit": (
        lambda folder: change_first(folder, "noise_draw"),
        r"noise_draw\.txt: its SHA-256 differs from the manifest's",
    ),
    "configuration": (
        lambda folder: (folder / "config.toml").write_text("name = 'other'\n"),
        r"config\.toml: its SHA-256 differs from the manifest's",
    ),
    "no file": (
        lambda folder: (folder / "spike.txt").unlink(),
        r"\[Errno 2\] No such file or directory: '.*spike\.txt'",
    ),
    "no manifest": (
        lambda folder: (folder / "manifest.json").unlink(),
        r"\[Errno 2\] No such file or directory: '.*manifest\.json'",
    ),
    "rows": (
        lambda folder: tell(folder, lambda told: entry(told, "spike").update(shape=[3, 15, 4])),
        r"spike\.txt: its rows do not have the manifest's shape \[3, 15, 4\]",
    ),
    "columns": (
        lambda folder: tell(folder, lambda told: entry(told, "error").update(shape=[3, 16, 5])),
        r"error\.txt: its rows do not have the manifest's shape \[3, 16, 5\]",
    ),
    "range": (
        lambda folder: changed_digit_with_its_hash(folder, "weight", "32"),
        r"weight\.txt: a value does not fit the format s6\.4",
    ),
    "no number": (
        lambda folder: changed_digit_with_its_hash(folder, "weight", "x"),
        r"invalid literal for int\(\) with base 10: 'x'",
    ),
    "membrane": (
        lambda folder: changed_digit_with_its_hash(folder, "membrane_potential"),
        r"signature after window 0, step 0: 0x[0-9a-f]{8}, but 0x[0-9a-f]{8} in the set",
    ),
    "spike": (
        lambda folder: changed_digit_with_its_hash(folder, "spike", "1"),
        r"signature after window 0, step 0: 0x[0-9a-f]{8}, but 0x[0-9a-f]{8} in the set",
    ),
    "weight": (
        lambda folder: changed_digit_with_its_hash(folder, "weight", "-1"),
        r"signature after window 0: 0x[0-9a-f]{8}, but 0x[0-9a-f]{8} in the set",
    ),
    "version": (
        lambda folder: tell(folder, lambda told: told.update(version=2)),
        r"manifest\.json: must describe golden vectors, version 1",
    ),
    "key": (
        lambda folder: tell(folder, lambda told: told.pop("run")),
        r"manifest\.json: KeyError\('run'\)",
    ),
    "outside": (
        lambda folder: tell(folder, lambda told: entry(told, "spike").update(file="../spike.txt")),
        r"'\.\./spike\.txt' must be a regular file of the folder",
    ),
    "link": (
        lambda folder: (
            (folder / "spike.txt").unlink(),
            (folder / "spike.txt").symlink_to("/dev/zero"),
        ),
        r"'spike\.txt' must be a regular file of the folder",
    ),
    "configuration outside": (
        lambda folder: tell(folder, lambda told: told["config"].update(file="/etc/passwd")),
        r"'/etc/passwd' must be a regular file of the folder",
    ),
    "pipe": (
        lambda folder: ((folder / "spike.txt").unlink(), os.mkfifo(folder / "spike.txt")),
        r"'spike\.txt' must be a regular file of the folder",
    ),
    "bits": (
        lambda folder: tell(folder, lambda told: entry(told, "spike").update(format="u9999999.0")),
        r"spike\.txt: the format u9999999\.0 must have 1 to 64 bits",
    ),
    "lanes": (
        lambda folder: tell(folder, lambda told: told["run"].update(lanes=10**15)),
        r"manifest\.json: lanes must be in 1 \.\.= 4, not 1000000000000000",
    ),
    "windows": (
        lambda folder: tell(folder, lambda told: told["run"].update(windows=10**15)),
        r"manifest\.json: its sizes do not match the array of spikes",
    ),
    "deep": (
        lambda folder: (folder / "manifest.json").write_text("[" * 10**6),
        r"manifest\.json: RecursionError\(.*\)",
    ),
    "no text": (
        lambda folder: tell(folder, lambda told: entry(told, "spike").update(format=[[]])),
        r"manifest\.json: (Type|Attribute)Error\(.*\)",
    ),
    "a list": (
        lambda folder: (folder / "manifest.json").write_text("[]"),
        r"manifest\.json: TypeError\(.*\)",
    ),
    "no JSON": (
        lambda folder: (folder / "manifest.json").write_text("{"),
        r"Expecting property name .*",
    ),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_reader_says_in_one_line_what_is_wrong(spoilt: str, tmp_path: Path) -> None:
    spoil, message = SPOILT[spoilt]
    folder = shutil.copytree(TINY, tmp_path / "set")
    spoil(folder)
    code, line = read(folder)
    assert code == 1
    assert re.fullmatch(f"not OK: {message}", line), line


def test_reader_without_a_folder_says_how_it_is_used() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", READER], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "usage: python golden_reader.py DIR [DIR ...]\n")


# -- the command -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny", "--windows", "0"], "--windows must be in 1 ..= 10000, not 0"),
        (["tiny", "--seed", "-1"], "--seed must be in 0 ..= 2147483647, not -1"),
        (["tyny"], "a configuration must be a TOML file or one of .*, not 'tyny', did you .*"),
    ],
)
def test_bad_request_is_one_sentence_and_leaves_no_folder(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["golden", *arguments, "-o", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(f"bitlif golden: {message}\n", captured.err)
    assert not list(tmp_path.iterdir())


def test_folder_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["golden", "tiny"])
    assert "the following arguments are required: -o/--out" in capsys.readouterr().err


def test_earlier_set_is_replaced_only_by_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    golden("tiny", out, "--inference")
    before = contents(out)
    assert main(["golden", "tiny", "-o", str(out)]) == 2
    assert capsys.readouterr().err == (
        f"bitlif golden: --out must be a new folder, not '{out}': give --force to replace it\n"
    )
    assert contents(out) == before
    golden("tiny", out, "--force")
    assert contents(out) == contents(TINY)


def test_json_is_the_whole_report_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    told = golden("tiny", out, "--json")
    assert json.loads(capsys.readouterr().out) == {
        "config": "tiny", "hash": told["config"]["hash"], "windows": 3, "seed": 0, "learns": True,
        "arrays": len(told["arrays"]), "values": sum(a.size for a in arrays_of(out).values()),
        "bytes": sum(len(content) for content in contents(out).values()),
        "signature": int(arrays_of(out)["signature"][-1]), "written": str(out),
    }  # fmt: skip
