"""`bitlif config` and `bitlif noise` of networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bitlif.model.config.config import Config, ready_made, ready_made_networks
from bitlif.model.config.network import NetworkConfig, any_hash, parse_any_config, single
from bitlif.scripts.main import main
from bitlif.study.search.network_metrics import network_bits

GOLDEN = str(Path(__file__).parents[1] / "golden" / "network" / "config.toml")
NETWORK = NetworkConfig.load(GOLDEN)


def printed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(list(words)) == code
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    return json.loads(printed(capsys, *words, "--json", code=code))


@pytest.mark.parametrize("options", [(), ("--comments",)])
def test_shown_network_is_the_network(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert parse_any_config(printed(capsys, "config", "show", GOLDEN, *options), "x") == NETWORK
    shown = printed(capsys, "config", "show", GOLDEN, "--seed", "4", *options)
    assert parse_any_config(shown, "x") == NETWORK.seeded(4)


def test_layer_becomes_a_network_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    tiny = Config.load("tiny")
    for options in ((), ("--comments",)):
        text = printed(capsys, "config", "show", "tiny", "--network", *options)
        assert parse_any_config(text, "x") == single(tiny)
    text = printed(capsys, "config", "show", "tiny", "--comments")
    assert parse_any_config(text, "x") == tiny
    assert main(["config", "show", "tiny", "--comments", "--json"]) == 2
    assert "--comments cannot be used with --json" in capsys.readouterr().err


def test_derived_values_of_all_layers(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "config", "show", GOLDEN, "--derived")
    assert found["hash"] == any_hash(NETWORK)
    assert found["stored_bits"]["all"] == network_bits(NETWORK)
    first, _, last = found["layers"]
    assert (first["learned"], first["credit"], first["error"]) == ("yes", "s9.5", None)
    assert last["credit"] is None
    ranges = NETWORK.derived_sweep(0).ranges
    assert first["ranges"]["credit sum"]["bits"] == ranges["credit sum"].bits
    assert "error" in last["ranges"]
    assert "PSP trace" not in first["ranges"]
    assert (
        first["constants"]["surrogate.width"] == NETWORK.derived_sweep(0).constants.surrogate.width
    )
    text = printed(capsys, "config", "show", GOLDEN, "--derived")
    for fact in (any_hash(NETWORK), "layer.2", "adjoint membrane sum", "stored while learning"):
        assert fact in text


def test_differences_name_the_fields_of_layers(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    NETWORK.replace(layer__1__sweep__surrogate__width=0.5).save(other)
    found = told(capsys, "config", "diff", GOLDEN, str(other), code=1)
    assert found["fields"] == {"layer.1.sweep.surrogate.width": {"a": 0.75, "b": 0.5}}
    assert told(capsys, "config", "diff", GOLDEN, GOLDEN)["equal"]
    # A layer stands for the network of one layer.
    single(Config.load("tiny")).save(other)
    assert told(capsys, "config", "diff", "tiny", str(other))["equal"]
    assert "layer.0.neurons" in printed(capsys, "config", "diff", "tiny", GOLDEN, code=1)


def test_networks_are_validated(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(Path(GOLDEN).read_text("utf-8").replace('"sign"', '"signs"'), "utf-8")
    verdicts = told(capsys, "config", "validate", GOLDEN, str(bad), code=1)["verdicts"]
    assert verdicts[GOLDEN] == "ok"
    assert "layer.1.sweep.feedback" in verdicts[str(bad)]


def test_ready_made_networks_have_a_list_of_their_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = told(capsys, "config", "list")
    assert [row["name"] for row in found["configurations"]] == ready_made()
    assert [row["name"] for row in found["networks"]] == ready_made_networks()
    for row in found["networks"]:
        layers = NetworkConfig.load(row["name"]).layers
        assert row["neurons"] == [own.config.layer.neurons for own in layers]
    text = printed(capsys, "config", "list")
    assert all(f"{row['name']}: {row['summary']}" in text for row in found["networks"])


def test_noise_of_every_layer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "noise"
    found = told(capsys, "noise", GOLDEN, "--draws", "10000", "--out", str(out))
    assert [own["layer"] for own in found["layers"]] == [0, 1, 2]
    assert [own["config"] for own in found["layers"]] == ["network.0", "network.1", "network.2"]
    assert found["layers"][0]["sweep"]["draws_per_window"] == 90
    assert json.loads((out / "noise.json").read_text("utf-8")) == found
    names = {f"noise-layer.{number}.png" for number in range(3)}
    assert {path.name for path in out.iterdir()} == {"noise.json", *names}
    text = printed(capsys, "noise", GOLDEN, "--draws", "10000", "--layer", "1")
    assert "backward sweep: 8 bits per draw" in text
    assert "network.0" not in text
    text = printed(capsys, "noise", GOLDEN, "--draws", "10000", "--layer", "2")
    assert "'toward_zero', without random bits" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([GOLDEN, "--layer", "3"], "--layer must be in 0 ..= 2, not 3"),
        (["tiny", "--layer", "0"], "--layer needs a network"),
    ],
)
def test_layers_that_do_not_exist_are_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["noise", *words]) == 2
    assert message in capsys.readouterr().err
