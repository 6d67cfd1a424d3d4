"""The command ``bitlif config``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bitlif.model.config.config import Config, config_from_dict, ready_made
from bitlif.model.config.network import load_any_config
from bitlif.model.config.toml import config_hash, dump_config
from bitlif.model.constants import Filter
from bitlif.model.derive import derive
from bitlif.model.period import periods
from bitlif.scripts.main import main

NAMES = ready_made()


def strict_json(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"JSON has no {word}")

    return json.loads(text, parse_constant=refuse)


def output(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["config", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def cells(text: str) -> list[list[str]]:
    """Return the cells of every line of the tables in `text`."""
    lines = (line for line in text.splitlines() if line.startswith("│"))
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


@pytest.mark.parametrize("name", NAMES)
def test_shown_toml_loads_to_the_same_configuration(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = output(capsys, "show", name)
    file = tmp_path / "mine.toml"
    file.write_text(text)
    assert Config.load(file) == Config.load(name)
    # What is shown is whole: showing it again changes nothing.
    assert output(capsys, "show", str(file)) == text


@pytest.mark.parametrize("name", NAMES)
def test_shown_json_is_the_same_configuration(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = strict_json(output(capsys, "show", name, "--json"))
    assert config_from_dict(tree) == Config.load(name)


@pytest.mark.parametrize(("typed", "which"), [("3", 3), ("hidden", "hidden")])
def test_shown_configuration_takes_seeds_by_number_or_name(
    typed: str, which: int | str, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = strict_json(output(capsys, "show", "tiny", "--seed", typed, "--json"))
    assert config_from_dict(tree) == Config.load("tiny").seeded(which)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("-1", "seed must be in 0 ..= 2147483647, not -1"),
        ("2147483648", "seed must be in 0 ..= 2147483647, not 2147483648"),
    ],
)
def test_invalid_seed_is_refused(
    typed: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "show", "tiny", f"--seed={typed}"]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"bitlif config: {sentence}\n")


def expected_constants(config: Config) -> dict[str, int]:
    flat: dict[str, int] = {}
    # The constants of options that are not used are left out.
    for name, value in derive(config).constants.named().items():
        if isinstance(value, Filter):
            flat |= {
                f"{name}.{field}": own for field, own in zip(value._fields, value, strict=True)
            }
        else:
            flat[name] = value
    return flat


@pytest.mark.parametrize("name", NAMES)
def test_derived_json_equals_the_values_of_the_model(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config.load(name)
    derived = derive(config)
    shown = strict_json(output(capsys, "show", name, "--derived", "--json"))
    assert set(shown) == {
        "name", "hash", "constants", "phases", "ranges", "table", "lfsrs", "quantiles", "periods",
    }  # fmt: skip
    assert (shown["name"], shown["hash"]) == (name, config_hash(config))
    assert shown["constants"] == expected_constants(config)
    assert [tuple(phase.values()) for phase in shown["phases"]] == list(derived.phases)
    assert (shown["table"]["a"], shown["table"]["b"]) == tuple(map(list, derived.table))
    assert list(shown["ranges"]) == list(derived.ranges)
    for signal, own in derived.ranges.items():
        row = shown["ranges"][signal]
        assert (row["low"], row["high"]) == (own.low, own.high)
        assert row["signed"] == (own.low < 0)
        # The bits hold both ends, and one bit fewer would not.
        holds = [
            (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if row["signed"] else (0, (1 << bits) - 1)
            for bits in (row["bits"], row["bits"] - 1)
            if bits
        ]
        fits = [low <= own.low and own.high <= high for low, high in holds]
        assert fits in ([True, False], [True])


@pytest.mark.parametrize("name", NAMES)
def test_derived_tables_are_complete(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = Config.load(name)
    derived = derive(config)
    text = output(capsys, "show", name, "--derived")
    assert text.startswith(f"{name}: configuration hash {config_hash(config)}\n")
    rows = cells(text)
    for signal, own in derived.ranges.items():
        signed = "signed" if own.low < 0 else "unsigned"
        assert [signal, str(own.low), str(own.high), str(own.bits), signed] in rows
    for constant, value in expected_constants(config).items():
        assert [constant, str(value)] in rows
    for number, phase in enumerate(derived.phases):
        assert [str(number), *map(str, phase)] in rows


SOURCES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "polynomials and quantiles": {
        "noise": {
            "kind": "inverse_cdf", "words": 1, "word_bits": 6, "level_bits": 8,
            "lfsr": {"width": 20, "leap": 9, "sharing": "polynomial"},
        },
        "learning__lfsr__sharing": "shared",
    },
    "no random bits": {"learning__random_bits": 0, "window__lfsr": "clear"},
}  # fmt: skip


@pytest.mark.parametrize("case", SOURCES)
def test_derived_shows_the_sources_of_random_numbers(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config.load("tiny").replace(**SOURCES[case])
    file = tmp_path / "mine.toml"
    file.write_text(dump_config(config), "utf-8")
    shown = strict_json(output(capsys, "show", str(file), "--derived", "--json"))
    sources = {"noise": (config.noise, config.noise.draw_bits)}
    if config.learning.random_bits:
        sources["update"] = (config.learning, config.learning.random_bits)
    assert set(shown["lfsrs"]) == set(sources)
    rows = cells(text := output(capsys, "show", str(file), "--derived"))
    for name, (section, bits) in sources.items():
        own = shown["lfsrs"][name]
        assert (own["width"], own["leap"]) == (section.lfsr.width, section.leap)
        assert own["draw_bits"] == bits
        for lane, stream in enumerate(section.lfsr.streams(config.layer.lanes)):
            register = own["of_lane"][lane]
            assert own["taps"][register] == list(stream.taps)
            assert own["starts"][register] == stream.state
            taps = " ".join(map(str, stream.taps))
            row = [name, str(register), taps, str(stream.state), str(section.leap), str(bits)]
            (found,) = (line for line in rows if line[:-1] == row)
            assert str(lane) in found[-1].split()
    assert shown["periods"] == periods(config)._asdict()
    assert ["noise of a neuron", str(periods(config).neuron_steps), "steps"] in rows
    assert shown["quantiles"] == config.noise.quantiles.tolist()
    printed = [line.partition(": ")[2] for line in text.splitlines() if "quantiles from" in line]
    assert [int(word) for line in printed for word in line.split()] == shown["quantiles"]
    assert ("because window.lfsr is 'clear'" in text) is (config.window.lfsr == "clear")


def test_every_ready_made_configuration_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "validate", *NAMES)
    assert text.splitlines() == [f"{name}: ok" for name in NAMES]


def broken_files(folder: Path) -> dict[str, str]:
    """Write files that are refused; return the expected sentence for each."""
    contents = {
        "range": ("[layer]\nlanes = 300\n", "layer.lanes must be in 1 ..= 256, not 300"),
        "field": (
            "[synapse]\nwieght = 's8.6'\n",
            "synapse.wieght is not a field, did you mean 'weight'?",
        ),
        "phase": (
            "[[schedule]]\nwindows = 3\n[[schedule]]\nsigma = -1.0\n",
            "schedule[1].sigma must be above 0 and at most 1e+06, not -1.0",
        ),
        "format": (
            "[membrane]\nformat = 'u16.10'\n",
            "membrane.format must be a signed format such as 's16.10', not 'u16.10'",
        ),
        "word": (
            "[window]\nstate = 'keep'\n",
            "window.state must be 'clear' or 'carry', not 'keep'",
        ),
    }
    sentences = {}
    for name, (text, sentence) in contents.items():
        file = folder / f"{name}.toml"
        file.write_text(text)
        sentences[str(file)] = f"{file}: {sentence}"
    return sentences


def test_invalid_files_are_reported_with_their_fields(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentences = broken_files(tmp_path)
    first, *others = sentences
    assert main(["config", "validate", first, "tiny", *others]) == 1
    captured = capsys.readouterr()
    assert captured.out == "tiny: ok\n"
    assert captured.err.splitlines() == [f"invalid: {text}" for text in sentences.values()]


def test_validation_as_json_lists_every_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentences = broken_files(tmp_path)
    report = strict_json(output(capsys, "validate", "digits", *sentences, "--json", code=1))
    assert report == {"ok": False, "verdicts": {"digits": "ok", **sentences}}
    report = strict_json(output(capsys, "validate", "digits", "--json"))
    assert report == {"ok": True, "verdicts": {"digits": "ok"}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "configuration 'x.toml' cannot be read: No such file or directory"),
        (b"[layer", "x.toml: not valid TOML: "),
        (b"\xff\xfe", "configuration 'x.toml' must be UTF-8 text"),
        (b"layer = 3", "x.toml: layer must be a table of fields, not 3"),
    ],
)
def test_unreadable_configuration_is_refused(
    content: bytes | None,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("x.toml").write_bytes(content)
    assert main(["config", "validate", "x.toml"]) == 1
    refused = capsys.readouterr()
    assert main(["config", "show", "x.toml"]) == 2
    shown = capsys.readouterr()
    assert (refused.out, shown.out) == ("", "")
    for captured, start in ((refused, "invalid: "), (shown, "bitlif config: ")):
        assert captured.err.count("\n") == 1
        assert captured.err.startswith(f"{start}{message}")


def test_list_shows_every_ready_made_configuration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = strict_json(output(capsys, "list", "--json"))["configurations"]
    assert [row["name"] for row in listed] == NAMES
    text = output(capsys, "list")
    rows = cells(text)
    for row in listed:
        config = Config.load(row["name"])
        sizes = config.layer
        assert list(row.values())[1:-1] == [
            sizes.inputs, sizes.neurons, sizes.lanes, config.window.steps,
            str(config.synapse.weight),
        ]  # fmt: skip
        assert [str(cell) for cell in list(row.values())[:-1]] in rows
        assert row["summary"]
        assert row["summary"] in text.replace(" \n", " ").replace("\n", " ")


def test_diff_of_equal_configurations_exits_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "same.toml"
    file.write_text(output(capsys, "show", "tiny"))
    assert output(capsys, "diff", "tiny", str(file)) == "all fields are equal\n"
    report = strict_json(output(capsys, "diff", "tiny", str(file), "--json"))
    assert report == {"equal": True, "fields": {}}


def test_diff_lists_the_changed_fields_and_exits_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = Config.load("tiny").replace(
        synapse__weight="s5.4", window__steps=8, schedule=[{"sigma": 0.25}]
    )
    file = tmp_path / "changed.toml"
    file.write_text(dump_config(changed))
    report = strict_json(output(capsys, "diff", "tiny", str(file), "--json", code=1))
    assert report == {
        "equal": False,
        "fields": {
            "window.steps": {"a": 16, "b": 8},
            "synapse.weight": {"a": "s6.4", "b": "s5.4"},
            "schedule[0].windows": {"a": 8, "b": 0},
            "schedule[0].sigma": {"a": 0.3, "b": 0.25},
            "schedule[1].windows": {"a": 0, "b": None},
            "schedule[1].sigma": {"a": 0.15, "b": None},
            "schedule[1].rate": {"a": 0.0, "b": None},
        },
    }
    rows = cells(output(capsys, "diff", "tiny", str(file), code=1))
    assert ["synapse.weight", "s6.4", "s5.4"] in rows
    assert ["schedule[1].sigma", "0.15", "-"] in rows
    assert len(rows) == len(report["fields"])


def test_diff_names_gates_although_the_hash_leaves_them_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, field in (("tiny", "gates.synapses"), ("yin-yang", "layer.0.gates.synapses")):
        file = tmp_path / f"{name}.toml"
        first = load_any_config(name)
        lanes = (first if isinstance(first, Config) else first.layers[0].config).layer.lanes
        first.replace(**{field.replace(".", "__"): lanes}).save(file)
        fields = strict_json(output(capsys, "diff", name, str(file), "--json", code=1))["fields"]
        assert fields == {field: {"a": 0, "b": lanes}}


def test_diff_of_shift_and_time_constant_lists_both(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fields = strict_json(output(capsys, "diff", "digits", "tiny", "--json", code=1))["fields"]
    assert fields["synapse.decay.tau"] == {"a": 2.0, "b": 0.0}
    assert fields["synapse.decay.shift"] == {"a": 0, "b": 2}
