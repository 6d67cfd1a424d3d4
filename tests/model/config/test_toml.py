"""TOML in and out: nothing is lost, and a bad file gets one sentence that names file and field."""

from __future__ import annotations

import os
import re
import tomllib
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from bitlif.model.config.commented import dump_commented
from bitlif.model.config.config import (
    Config,
    config_from_dict,
    load_config,
    parse_config,
    ready_made,
    ready_made_networks,
    summary_of,
)
from bitlif.model.config.toml import config_hash, config_to_dict, dump_config
from bitlif.model.derive import derive
from bitlif.model.errors import BitlifError, BitlifTypeError, BitlifWarning
from bitlif.model.sections import DecayConfig

from strategies import configs

TINY = Config.load("tiny")
TABLE = """
[error]
rule = "table"
index_bits = 3
file = "columns.txt"
"""


def assert_refused(text: str, message: str) -> None:
    with pytest.raises(BitlifError, match=r"^my\.toml: " + message):
        parse_config(text, "my.toml")


# -- round trips -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ready_made())
def test_ready_made_configuration_is_read_back_from_its_dump(name: str, tmp_path: Path) -> None:
    config = load_config(name)
    text = dump_config(config)
    assert parse_config(text, "again") == config
    assert dump_config(parse_config(text, "again")) == text
    path = tmp_path / "copy.toml"
    path.write_text(text, "utf-8")
    assert load_config(path) == load_config(str(path)) == config
    assert config.name == name


@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(config=configs())
def test_any_configuration_is_read_back_from_its_dump(config: Config) -> None:
    again = parse_config(dump_config(config), "again")
    assert again == config
    assert again.flat() == config.flat()
    assert config_hash(again) == config_hash(config)
    assert config_from_dict(config_to_dict(config)) == config


@pytest.mark.parametrize("name", ["digits 2", 'a "quoted" one', "Ω-σ", "back\\slash", "[layer]"])
def test_any_printable_name_is_read_back(name: str) -> None:
    assert parse_config(dump_config(TINY.replace(name=name)), "x").name == name


def test_dump_writes_every_field_out() -> None:
    config = TINY.replace(gates__single_port="weights")
    tree = tomllib.loads(dump_config(config))
    for path in config.flat():
        if path.startswith("schedule") or path in ("synapse.decay.tau", "membrane.decay.shift"):
            continue  # phases are a list; of tau and shift only the one that holds is written
        node: Any = tree
        for part in path.split("."):
            node = node[part]
    assert tree["schedule"][1] == {"windows": 0, "sigma": 0.15, "rate": 0.0}
    assert tree["membrane"]["format"] == "s10.6"
    assert tree["noise"]["lfsr"]["taps"] == []


def test_empty_file_is_the_default() -> None:
    assert parse_config("", "x") == Config()


def test_ready_made_ones_say_what_they_are() -> None:
    assert set(ready_made()) >= {"tiny", "digits", "digits-4bit", "teacher"}
    for name in ready_made():
        assert summary_of(name).endswith(".")
        assert not summary_of(name).startswith("#")


# -- defaults --------------------------------------------------------------------------------


def test_a_leak_is_given_by_either_tau_or_shift() -> None:
    shift = parse_config("[synapse]\ndecay = { shift = 2 }", "x").synapse.decay
    assert (shift.tau, shift.shift) == (0.0, 2)
    tau = parse_config("[synapse]\ndecay = { tau = 3, bits = 9 }", "x").synapse.decay
    assert (tau.tau, tau.bits, tau.shift) == (3.0, 9, 0)
    # Neither: the default's time constant, in other bits.
    bits = parse_config("[membrane]\ndecay = { bits = 9 }", "x").membrane.decay
    assert (bits.tau, bits.bits) == (20.0, 9)


def test_fields_left_out_are_those_of_the_sections_own_default() -> None:
    config = parse_config("[learning]\nlfsr = { seed = 5 }\n[noise.lfsr]\nseed = 6", "x")
    assert (config.learning.lfsr.width, config.learning.lfsr.seed) == (31, 5)
    assert (config.noise.lfsr.width, config.noise.lfsr.seed) == (32, 6)


# -- fields ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[layer]\ninput = 3", r"layer\.input is not a field, did you mean 'inputs'\?$"),
        ("[noise.lfsr]\nsead = 3", r"noise\.lfsr\.sead is not .* mean 'seed'\?$"),
        ("[synapse.decay]\ntaus = 3", r"synapse\.decay\.taus is not .* mean 'tau'\?$"),
        ("[[schedule]]\nsigmas = 1", r"schedule\[0\]\.sigmas is not .* mean 'sigma'\?$"),
        ("[leyer]", r"leyer is not a field, did you mean 'layer'\?$"),
        ("qqq = 1", r"qqq is not a field; known are name, layer, window, .*, schedule$"),
        ("[window]\nzzz = 1", r"window\.zzz is not .* known are steps, state, trace, lfsr$"),
        ("layer = 3", r"layer must be a table of fields, not 3$"),
        ("[[layer]]\ninputs = 3", r"layer must be one table, not 1 \[\[layer\]\] tables"),
        ("[noise]\nlfsr = 32", r"noise\.lfsr must be a table of fields, not 32$"),
        ("[synapse]\ndecay = 5.0", r"synapse\.decay must be a table .*, not 5\.0$"),
        ("schedule = 3", r"schedule must be a list of phases, not 3$"),
        ("[schedule]\nsigma = 1", r"schedule must be a list of phases, not \{"),
        ("schedule = []", r"schedule must have 1 \.\.= 4096 phases, not 0$"),
        ("schedule = [3]", r"schedule\[0\] must be a table of fields, not 3$"),
        ("[layer]\ninputs = 6.0", r"layer\.inputs must be an integer .*, not 6\.0$"),
        ("[layer]\ninputs = '6'", r"layer\.inputs must be an integer .*, not '6'$"),
        ("[layer]\ninputs = true", r"layer\.inputs must be an integer .*, not True$"),
        ("[layer]\ninputs = [6]", r"layer\.inputs must be an integer .*, not \[6\]$"),
        ("[layer]\ninputs = 0", r"layer\.inputs must be in 1 \.\.= 65536, not 0$"),
        ("[layer]\nlanes = 11", r"layer\.lanes must be at most neurons = 10, not 11$"),
        ("[learning]\nrate = nan", r"learning\.rate must be above 0 .*, not nan$"),
        ("[learning]\nrate = inf", r"learning\.rate must be above 0 .*, not inf$"),
        ("[learning]\nrate = '1'", r"learning\.rate must be a number .*, not '1'$"),
        ("[learning]\nrate = false", r"learning\.rate must be a number .*, not False$"),
        ("[learning]\nrate = 2024-01-01", r"learning\.rate must be a number .*date"),
        ("[learning]\nrate = 1" + "0" * 400, r"learning\.rate must have at most 64 bits"),
        ("[noise]\noverlap = 'false'", r"noise\.overlap must be true or .*, not 'false'$"),
        ("[noise.lfsr]\ntaps = 0", r"noise\.lfsr\.taps must be a list of .*, not 0$"),
        ("[noise.lfsr]\ntaps = {}", r"noise\.lfsr\.taps must be a list of .*, not \{\}$"),
        ("[noise.lfsr]\ntaps = [[32]]", r"noise\.lfsr\.taps must be a list of integers"),
        ("[noise.lfsr]\ntaps = [32, 1]", r"noise\.lfsr\.taps must be of a primitive"),
        ("[synapse]\nweight = 8", r"synapse\.weight: a format must be text .*, not 8$"),
        ("[synapse]\nweight = 's8'", r"synapse\.weight: a format must be .*, not 's8'$"),
        ("[synapse]\nweight = 's99.1'", r"synapse\.weight: bits must be in .*, not 99$"),
        ("[synapse]\nweight = 'u8.6'", r"synapse\.weight must be a signed .* 'u8\.6'$"),
        ("[trace]\nformat = 's8.6'", r"trace\.format must be an unsigned .* 's8\.6'$"),
        ("[synapse]\nrounding = 'near'",
         r"synapse\.rounding must be 'floor' or 'nearest', not 'near', did you mean"),
        ("[error]\noverflow = 1", r"error\.overflow must be 'saturate' or .*, not 1$"),
        ("[error]\nrounding = []", r"error\.rounding must be 'floor' or .*, not \[\]$"),
        ("[synapse.decay]\ntau = 5\nshift = 2", r"synapse\.decay\.tau must be "),
        ("[synapse.decay]\ntau = 0", r"synapse\.decay\.tau must be "),
        ("name = 3", r"name must be text, not 3$"),
        ("name = \"\"", r"name must be printable and not empty, not ''$"),
        ("[[schedule]]\nsigma = 0.2\n[[schedule]]\nsigma = 0.1",
         r"schedule\[0\]\.windows must be at least 1 in all phases but the last, not 0$"),
        ("[[schedule]]\nwindows = 2.0", r"schedule\[0\]\.windows must be an integer"),
        ("[[schedule]]\nwindows = 1\nsigma = 0.2\n[[schedule]]\nsigma = -0.1",
         r"schedule\[1\]\.sigma must be above 0 and at most 1e\+06, not -0\.1$"),
        ("[[schedule]]\nrate = 1e7", r"schedule\[0\]\.rate must be in 0 .*, not 10000000\.0$"),
        ("[error]\na = 0", r"error\.a must be left out unless rule is 'table'$"),
        ("[error]\nrule = 'table'", r"error\.a must have .* = 256 values, not 0$"),
        ("[error]\nrule = 'table'\na = 'x'", r"error\.a must be a list .*, not 'x'$"),
        ("[error]\nfile = 'x'", r"error\.file must be the path of a text file, not 'x'$"),
    ],
)  # fmt: skip
def test_bad_field_is_refused_by_file_and_path(text: str, message: str) -> None:
    assert_refused(text, message)


@pytest.mark.parametrize(
    "value",
    [
        "0x" + "f" * 5000, "0o" + "7" * 5000, "0b" + "1" * 20000, "'" + "x" * 1_000_000 + "'",
        "[" + "1," * 100_000 + "]", "1979-05-27T07:32:00Z", "07:32:00", "nan", "-inf",
        "{a = {b = [[{}]]}}", '"\\u001b[2J"',
    ],
    ids=range(11),
)  # fmt: skip
@pytest.mark.parametrize(
    "field",
    [
        "name", "layer", "layer.lanes", "window.steps", "window.state", "synapse.weight",
        "synapse.decay", "membrane.gain", "noise.lfsr.seed", "noise.lfsr.taps", "error.a",
        "error.file", "error.rounding", "learning.rate", "schedule", "unknown",
    ],
)  # fmt: skip
def test_any_value_in_any_field_is_one_short_line(field: str, value: str) -> None:
    with pytest.raises(BitlifError, match=r"^my\.toml: ") as caught:
        parse_config(f"{field} = {value}", "my.toml")
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()


def test_unknown_keys_are_quoted_in_short() -> None:
    assert_refused("x" * 100_000 + " = 1", r"x+\.\.\.x+ is not a field; known are name, layer, ")
    assert_refused('"a\\u001b[2J" = 1', r"a\\x1b\[2J is not a field")


def test_schedules_have_a_limit() -> None:
    phase = "[[schedule]]\nwindows = 1\n"
    assert len(parse_config(phase * 4096, "my.toml").schedule) == 4096
    assert_refused(phase * 4097, r"schedule must have 1 \.\.= 4096 phases, not 4097$")


@pytest.mark.parametrize(
    "text",
    [
        "[layer", "inputs", "a = 1\na = 2", "x = ", "[layer]\n[layer]", "x = 0x", "\x00",
        "x = " + "9" * 5000, "\ufeffname = 'bom'", "a = 1\rb = 2",
    ],
    ids=range(10),
)  # fmt: skip
def test_text_that_is_not_toml_is_refused(text: str) -> None:
    assert_refused(text, r"not valid TOML: ")


# -- files -----------------------------------------------------------------------------------


def test_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    known = ", ".join((*ready_made(), *ready_made_networks()))
    with pytest.raises(
        BitlifError,
        match=rf"^a configuration must be a TOML file or one of {known}, not 'digit', "
        r"did you mean 'digits'\?$",
    ):
        load_config("digit")
    with pytest.raises(BitlifError, match=r"one of .*, not 'zzzzzz'$"):
        load_config("zzzzzz")


def test_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(
        BitlifError, match=r"^configuration '.*missing\.toml' cannot be read: No such file"
    ):
        load_config(missing)
    with pytest.raises(BitlifError, match=r"^configuration '.*' must be a regular file$"):
        load_config(tmp_path)
    with pytest.raises(
        BitlifError, match=r"^configuration 'a\\x00\.toml' cannot be read: embedded null"
    ):
        load_config("a\x00.toml")


def test_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes("name = 'Zürich'".encode("latin-1"))
    with pytest.raises(BitlifError, match=r"^configuration '.*latin\.toml' must be UTF-8 text$"):
        load_config(path)


def test_byte_order_mark_and_crlf_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(dump_config(TINY).replace("\n", "\r\n").encode("utf-8-sig"))
    assert load_config(path) == TINY


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (dump_config(TINY).encode("utf-16"), "must be UTF-8 text, not UTF-16"),
        (dump_config(TINY).replace("\n", "\r").encode(), "must end its lines with LF or CR LF, .*"),
        (b"#" * ((1 << 20) + 1), "must have at most 1048576 bytes"),
    ],
    ids=range(3),
)
def test_file_of_other_text_or_size_is_refused(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "other.toml"
    path.write_bytes(content)
    with pytest.raises(BitlifError, match=rf"^configuration '.*other\.toml' {message}$"):
        load_config(path)


@pytest.mark.parametrize("name", ["pipe.toml", "pipe"])
def test_a_pipe_is_refused_at_once(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(BitlifError, match=rf"^configuration '.*{name}' must be a regular file$"):
        load_config(tmp_path / name)


def test_names_too_long_for_a_file_are_one_sentence() -> None:
    for name in ("x" * 5000, "x" * 5000 + ".toml"):
        with pytest.raises(BitlifError) as caught:
            load_config(name)
        assert len(str(caught.value)) < 600


def test_file_error_keeps_its_kind_and_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text("[layer]\ninputs = 'x'", "utf-8")
    with pytest.raises(TypeError, match=r"wrong\.toml: layer\.inputs must be an integer"):
        load_config(path)


def test_file_of_any_ending_is_read_if_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "layer.cfg"
    path.write_text(dump_config(TINY), "utf-8")
    assert load_config(path) == TINY


# -- table files -----------------------------------------------------------------------------


def write_table(folder: Path, columns: str | bytes, config: str = TABLE) -> Path:
    data = columns.encode() if isinstance(columns, str) else columns
    (folder / "columns.txt").write_bytes(data)
    path = folder / "own.toml"
    path.write_text(config, "utf-8")
    return path


def test_table_file_is_read_in_beside_its_configuration(tmp_path: Path) -> None:
    rows = "# A and B\n" + "".join(f"{k / 2} {(7 - k) / 4}  # bin {k}\n\n" for k in range(8))
    config = load_config(write_table(tmp_path, rows))
    assert config.error.a == tuple(k / 2 for k in range(8))
    assert config.error.b == tuple((7 - k) / 4 for k in range(8))
    # The numbers are part of the configuration from then on.
    assert parse_config(dump_config(config), "again") == config


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1 2\n" * 7, r"own\.toml: error\.a must have 2\*\*index_bits = 8 values, not 7$"),
        ("", r"own\.toml: error\.a must have 2\*\*index_bits = 8 values, not 0$"),
        ("1 2\n" * 7 + "1\n", r"file '.*columns\.txt', line 8 must hold two numbers, not '1'$"),
        ("1 2 3\n" * 8, r"error\.file '.*columns\.txt', line 1 must hold two .*, not '1 2 3'$"),
        ("1,2\n" * 8, r"error\.file '.*columns\.txt', line 1 must hold two numbers, not '1,2'$"),
        ("1 x\n" * 8, r"error\.file '.*columns\.txt', line 1 must hold two numbers, not '1 x'$"),
        ("1 " + "x" * 9999, r"error\.file '.*', line 1 must hold two .*, not '1 x+\.\.\.x+'$"),
        ("1 2\n" * (1 << 18) + "1", r"error\.file '.*' must have at most 1048576 bytes$"),
        ("1 2\r" * 8, r"error\.file '.*' must end its lines with LF or CR LF, not with CR alone$"),
        ("1 2\n".encode("utf-16"), r"error\.file '.*' must be UTF-8 text, not UTF-16$"),
        ("1 9\n" * 8, r"own\.toml: error\.b\[0\] must be in 0 \.\.= 7, not 9\.0$"),
        ("nan 1\n" * 8, r"own\.toml: error\.a\[0\] must be in 0 \.\.= 7, not nan$"),
        ("1 -1\n" * 8, r"own\.toml: error\.b\[0\] must be in 0 \.\.= 7, not -1\.0$"),
        (b"1 2\n\xff", r"own\.toml: error\.file '.*columns\.txt' must be UTF-8 text$"),
    ],
)
def test_bad_table_file_is_refused(rows: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(BitlifError, match=message):
        load_config(write_table(tmp_path, rows))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (TABLE.replace("columns", "absent"),
         r"error\.file '.*absent\.txt' cannot be read: No such file or directory$"),
        (TABLE.replace("columns.txt", "."), r"error\.file '.*' must be a regular file$"),
        (TABLE.replace("columns.txt", "/dev/zero"), r"error\.file '/dev/zero' must be a regular"),
        (TABLE.replace("columns.txt", "x" * 5000), r"error\.file '.*' cannot be read: File name"),
        (TABLE.replace('"columns.txt"', "3"), r"error\.file must be the path of .*, not 3$"),
        (TABLE.replace("columns.txt", "a\\u0000b"), r"error\.file '.*a\\x00b' cannot be read: "),
        (TABLE.replace('"table"', '"likelihood"'), r"error\.a must be left out unless rule is"),
        (TABLE + "a = [1]", r"error\.file must be given without error\.a and error\.b$"),
        (TABLE + "b = []", r"error\.file must be given without error\.a and error\.b$"),
    ],
)  # fmt: skip
def test_bad_use_of_a_table_file_is_refused(config: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BitlifError, match=r"own\.toml: " + message):
        load_config(write_table(tmp_path, "1 2\n" * 8, config))


# -- Config.save ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ready_made())
def test_saved_configuration_loads_back_equal(name: str, tmp_path: Path) -> None:
    config = Config.load(name)
    path = tmp_path / "saved.toml"
    path.write_text("old")
    path.chmod(0o640)
    config.save(str(path))
    assert Config.load(path) == config
    assert path.stat().st_mode & 0o777 == 0o640
    assert [*tmp_path.iterdir()] == [path]


@settings(max_examples=30, deadline=None)
@given(config=configs())
def test_saved_random_configuration_loads_back_equal(
    config: Config, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("saved") / "config.toml"
    config.save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BitlifWarning)
        assert Config.load(path) == config


@pytest.mark.parametrize("name", ["config", "config.txt", ".toml", "config.toml.gz"])
def test_file_that_load_would_refuse_is_not_saved(name: str, tmp_path: Path) -> None:
    with pytest.raises(BitlifError, match=r"must end in \.toml, not '"):
        Config().save(tmp_path / name)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("path", [None, 3, b"config.toml", ["config.toml"]])
def test_path_of_another_type_is_an_error(path: Any) -> None:
    with pytest.raises(BitlifTypeError, match=f"must be a path, not {re.escape(repr(path))}"):
        Config().save(path)


def test_failed_save_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(IsADirectoryError):
        Config().save(tmp_path / "folder.toml")
    with pytest.raises(FileNotFoundError) as caught:
        Config().save(tmp_path / "missing" / "config.toml")
    assert caught.value.filename == str(tmp_path / "missing" / "config.toml")
    path = tmp_path / "config.toml"
    path.write_text("old")

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="No space"):
        Config().save(path)
    assert path.read_text() == "old"
    assert sorted(own.name for own in tmp_path.iterdir()) == ["config.toml", "folder.toml"]


@pytest.mark.parametrize(
    ("section", "word", "decay", "refused"),
    [
        ("synapse", "none", DecayConfig(bits=0), r"membrane\.decay must not be 'none': only syn"),
        (
            "membrane", "integrate", DecayConfig(tau=1e6, bits=0),
            r"synapse\.decay must not be 'integrate': only membranes",
        ),
    ],
)  # fmt: skip
def test_a_word_for_a_decay_keeps_its_meaning(
    section: str, word: str, decay: DecayConfig, refused: str
) -> None:
    config = parse_config(f'[{section}]\ndecay = "{word}"', "own.toml")
    assert getattr(config, section).decay == decay
    for text in (dump_config(config), dump_commented(config)):
        assert parse_config(text, "own.toml") == config
    assert config_from_dict(config_to_dict(config)) == config
    usual = getattr(Config(), section).decay
    assert config.replace(**{f"{section}__decay": {"tau": usual.tau}}) == Config()
    other = "membrane" if section == "synapse" else "synapse"
    with pytest.raises(BitlifError, match=f"^{refused}"):
        config.replace(**{f"{other}__decay": word})


def test_words_for_decays_keep_nothing_or_all() -> None:
    none = derive(Config().replace(synapse__decay="none")).constants
    assert none.current.keep == 0
    every = derive(Config().replace(membrane__decay="integrate")).constants
    # The whole state is kept: keep is 1 with the fractional bits by which the sum is shifted.
    assert every.membrane.keep == 1 << every.membrane.shift
    assert every.trace.keep == 1 << every.trace.shift
