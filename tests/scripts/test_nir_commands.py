"""``bitlif export`` and ``bitlif import``: a pair to the bit, and a network with its report."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

import bitlif
from bitlif.model.config.network import load_any_config
from bitlif.model.events import Events
from bitlif.model.files.event_file import save_events
from bitlif.model.files.weight_file import load_any_weights, save_any_weights
from bitlif.scripts.main import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with weights and spikes of a layer and of a network."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in ("tiny", "digits-96"):
        config = load_any_config(name)
        layers = bitlif.NetworkConfig.load(name).layers
        weights = []
        for own in layers:
            sizes, fmt = own.config.layer, own.config.synapse.weight
            shape = (sizes.inputs, sizes.neurons)
            weights.append(random.integers(fmt.raw_min // 4, fmt.raw_max // 2, shape))
        save_any_weights(f"{name}.npz", weights if len(layers) > 1 else weights[0], config)
        steps, inputs = layers[0].config.window.steps, layers[0].config.layer.inputs
        save_events(f"{name}-in.npz", Events.from_raster(random.random((5, steps, inputs)) < 0.2))
    np.savez("labels.npz", labels=np.arange(5))
    return tmp_path


def export(name: str) -> None:
    assert main(["export", name, "--weights", f"{name}.npz", "-o", f"{name}.nir"]) == 0


@pytest.mark.parametrize("name", ["tiny", "digits-96"])
def test_a_pair_comes_back_to_the_bit(name: str, folder: Path) -> None:
    export(name)
    assert main(["import", f"{name}.nir", "--out", "again"]) == 0
    config = load_any_config("again/config.toml")
    assert config == load_any_config(name)
    own, right = (load_any_weights(path, config) for path in ("again/weights.npz", f"{name}.npz"))
    for a, b in zip(own, right, strict=True):
        np.testing.assert_array_equal(a, b)
    assert json.loads((folder / "again" / "report.json").read_text())["source"] == "sidecar"


def test_an_import_is_reported_and_checked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export("digits-96")
    capsys.readouterr()
    words = ["import", "digits-96.nir", "--no-sidecar", "--data", "digits-96-in.npz", "--json"]

    def found(*more: str) -> dict[str, Any]:
        status = main([*words, "--labels", "labels.npz", "--check", "--force", *more, "-o", "net"])
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        differ = sum(own["spikes_that_differ"] for own in report["layers"])
        assert status == (1 if differ else 0)
        assert (report["first_difference"] is None) == (differ == 0)
        return {**report, "differ": differ}

    coarse, fine = found("--weight-bits", "4"), found("--weight-bits", "14", "--state-bits", "22")
    assert coarse["differ"] > fine["differ"]
    assert set(coarse["accuracy"]) == {"before", "after"}
    config = bitlif.NetworkConfig.load("net/config.toml")
    assert str(config.layers[0].config.synapse.weight).startswith("s14.")
    assert main(["run", "net/config.toml", "--weights", "net/weights.npz",
                 "--spikes", "digits-96-in.npz"]) == 0  # fmt: skip
    capsys.readouterr()
    assert main([*words[:-1], "--out", "shown"]) == 0
    assert "first difference: layer 0, window" in capsys.readouterr().out


def test_biases_are_imported_with_the_spikes_that_they_need(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(1)
    ones = {"tau_syn": 4e-4, "tau_mem": 8e-4, "r": 8.0, "v_leak": 0.0, "v_threshold": 1.0,
            "v_reset": 0.0, "w_in": 4.0}  # fmt: skip
    nodes: dict[str, Any] = {"in": nir.Input(np.array([6]))}
    for name, inputs, size in (("a", 6, 5), ("b", 5, 3)):
        weights, bias = random.normal(0.1, 0.4, (size, inputs)), random.normal(0.1, 0.2, size)
        nodes[name] = nir.Affine(weights, bias)
        nodes[f"{name}n"] = nir.CubaLIF(**{key: np.full(size, own) for key, own in ones.items()})
    nodes["out"] = nir.Output(np.array([3]))
    edges = list(itertools.pairwise(nodes))
    nir.write("bias.nir", nir.NIRGraph(nodes=nodes, edges=edges, type_check=False))
    words = ["import", "bias.nir", "--data", "tiny-in.npz", "--out", "net"]
    assert main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    added = report["always_on"]["inputs"]
    assert added == list(range(6, 6 + len(added)))
    assert report["always_on"]["neurons"][0] > 0
    assert report["always_on"]["neurons"][1] == 0
    assert all(own["largest_bias"] > 0 for own in report["layers"])
    run = ["run", "net/config.toml", "--weights", "net/weights.npz", "--spikes"]
    assert main([*run, "net/spikes.npz"]) == 0
    capsys.readouterr()
    assert main([*words, "--force"]) == 0
    named = ", ".join(map(str, added))
    assert f"{named} must spike in every step, as in spikes.npz" in capsys.readouterr().out
    # Out again, as a network with these inputs, and back to the bit.
    assert main(["export", "net/config.toml", "--weights", "net/weights.npz", "-o", "x.nir"]) == 0
    assert main(["import", "x.nir", "--out", "again"]) == 0
    config = load_any_config("again/config.toml")
    assert config == load_any_config("net/config.toml")
    pairs = (load_any_weights(f"{name}/weights.npz", config) for name in ("net", "again"))
    for a, b in zip(*pairs, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("import tiny.nir --out x --labels labels.npz", "--labels needs --data"),
        ("import tiny.nir --out x --check", "--check needs --data"),
        ("import tiny.nir --out x --data tiny-in.npz", "--data needs --no-sidecar"),
        ("import none.nir --out x", "NIR file 'none.nir' does not exist"),
        ("import tiny.npz --out x", "NIR file 'tiny.npz' cannot be read"),
        ("import tiny.nir --out x --steps 0", "--steps must be in 1 ..= 65536, not 0"),
        ("import tiny.nir --no-sidecar --out x --weight-bits 1", "weight_bits must be in 2 ..= 20"),
        ("import tiny.nir --no-sidecar --out x --dt -1", "dt must be above 0"),
        ("export tiny --weights tiny.npz -o tiny.txt", "--out must end in .nir, not 'tiny.txt'"),
        ("export tiny --weights tiny.npz -o x.nir --dt 0", "dt must be above 0"),
        ("export tiny --weights digits-96.npz -o x.nir", "weights 'digits-96.npz' are those of a"),
    ],
)
def test_errors_are_one_sentence(
    words: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export("tiny")
    capsys.readouterr()
    before = sorted(folder.iterdir())
    assert main(words.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert len(err.splitlines()) == 1
    assert sorted(folder.iterdir()) == before
