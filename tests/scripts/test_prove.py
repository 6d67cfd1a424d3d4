"""``bitlif prove``."""

from __future__ import annotations

import json
import re

import pytest

from bitlif.model import neuron
from bitlif.model.config.config import Config
from bitlif.model.config.network import NetworkConfig
from bitlif.model.errors import BitlifError
from bitlif.scripts.main import main
from bitlif.sim.prove.proofs import units_of


def test_table_names_units_bits_and_results(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "tiny", "--unit", "trace"]) == 0
    printed = capsys.readouterr().out
    for word in ("trace", "17", "proved", "Bitwuzla"):
        assert word in printed


def test_units_of_networks_are_named_by_layer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "yin-yang", "--unit", "sweep_lfsr", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["config"], told["proved"]) == ("yin-yang", True)
    assert [unit["unit"] for unit in told["units"]] == ["layer_0_sweep_lfsr", "layer_1_sweep_lfsr"]


def test_json_lists_every_claim(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "tiny", "--unit", "noise_lfsr", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["config"], told["proved"]) == ("tiny", True)
    (unit,) = told["units"]
    assert (unit["unit"], unit["bits"], unit["by"]) == ("noise_lfsr", 32, "linear forms")
    assert {claim["result"] for claim in unit["claims"]} == {"proved"}


def test_counterexample_is_printed_and_status_is_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neuron, "round_shift", lambda x, bias, shift: x >> shift)
    assert main(["prove", "tiny", "--unit", "trace"]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "refuted: trace, PSP trace: 1 in the gates, 0 in the model (" in printed
    assert "with spike 0" in printed
    assert re.search(r"; in simulation, \w+ (is|has) \d+ and not \d+", printed)


def test_time_that_is_not_enough_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["prove", "conformance/wide", "--unit", "gradient", "--limit", "0.1"]
    assert main(words) == 1
    assert "unknown: gradient, gradient: no answer within 0.1 seconds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--unit", "neurons"], "--unit must be one of rounding, "),
        (["--limit", "0"], "--limit must be seconds from 0.1 to 86400, not 0"),
        (["--limit", "nan"], "--limit must be seconds from 0.1 to 86400, not nan"),
    ],
)
def test_wrong_arguments_are_named(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prove", "tiny", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"bitlif prove: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("config", "name"), [("yin-yang", "layer_1_sweep_lfsr"), ("tiny", "update_0")]
)
def test_one_unit_is_chosen_by_the_name_that_is_printed(
    config: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prove", config, "--unit", name, "--json"]) == 0
    assert [own["unit"] for own in json.loads(capsys.readouterr().out)["units"]] == [name]


def test_every_name_that_is_printed_is_accepted() -> None:
    for config in (NetworkConfig.load("yin-yang"), Config.load("tiny")):
        for unit in units_of(config):
            (own,) = units_of(config, unit.name)[:1]
            assert own.name == unit.name
    with pytest.raises(BitlifError, match=r"did you mean 'layer_1_adjoint'\?$"):
        units_of(NetworkConfig.load("yin-yang"), "layer_1_adjont")
    with pytest.raises(BitlifError, match=r", or the full name of one unit, not 'layer_9_adjoint'"):
        units_of(NetworkConfig.load("yin-yang"), "layer_9_adjoint")
