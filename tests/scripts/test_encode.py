"""``bitlif encode``: what it writes is what the other commands read, and bad input is named."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from bitlif.model.files.event_file import load_events
from bitlif.model.files.npz_file import load_arrays
from bitlif.scripts.main import main
from bitlif.tasks.encoding import Encoder

X = np.random.default_rng(3).normal(size=(20, 3))
Y = np.array(["a", "b", "c", "c"] * 5)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a new folder with a data file."""
    monkeypatch.chdir(tmp_path)
    np.savez("table.npz", X=X, y=Y)
    rows = "".join(
        f"{','.join(map(repr, row))},{y}\n" for row, y in zip(X.tolist(), Y, strict=True)
    )
    Path("table.csv").write_text(f"x0,x1,x2,y\n{rows}", "utf-8")
    return tmp_path


def bitlif(line: str) -> int:
    return main(shlex.split(line))


def report(line: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert bitlif(f"{line} --json") == 0
    out, err = capsys.readouterr()
    assert err == ""
    told: dict[str, Any] = json.loads(out)
    return told


def test_table_gives_spikes_labels_and_encoder(capsys: pytest.CaptureFixture[str]) -> None:
    told = report("encode table.csv -o t.npz --steps 32 --seed 5", capsys)
    events = load_events("t.npz", steps=32, units=4)
    encoder = Encoder.fit("rate", X, steps=32)
    assert np.array_equal(events.addresses, encoder.encode(X, seed=5).addresses)
    arrays = load_arrays("labels", "t.labels.npz")
    assert arrays["labels"].tolist() == Y.tolist()
    assert arrays["classes"].tolist() == ["a", "b", "c"] == told["classes"]
    assert Encoder.from_json(json.loads(Path("t.encoder.json").read_text("utf-8"))) == encoder
    assert told["written"] == ["t.npz", "t.labels.npz", "t.encoder.json"]
    assert (told["windows"], told["features"], told["inputs"]) == (20, 3, 4)
    assert told["spikes"] == events.count
    # The same content in another file gives the same digest and spikes.
    assert (
        report("encode table.npz -o n.npz --steps 32 --seed 5", capsys)["digest"]
        == (told["digest"])
    )
    assert np.array_equal(load_events("n.npz").addresses, events.addresses)


def test_test_windows_are_encoded_like_training_windows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report("encode table.npz -o t.npz --encoder population --option fields=4", capsys)
    np.savez("test.npz", X=X[[3, 0]] + 1.0, y=Y[[3, 0]])
    told = report("encode test.npz -o u.npz --like t.encoder.json", capsys)
    encoder = Encoder.fit("population", X, steps=64, fields=4)
    expected = encoder.encode(X[[3, 0]] + 1.0)
    assert np.array_equal(load_events("u.npz").addresses, expected.addresses)
    # Class b is missing, but the classes and their order are those of the training windows.
    assert told["classes"] == ["a", "b", "c"]
    np.savez("other.npz", X=X[:1], y=np.array(["d"]))
    assert bitlif("encode other.npz -o v.npz --like t.encoder.json") == 2
    assert "'d'" in capsys.readouterr().err
    assert not Path("v.npz").exists()


def test_images_share_one_scale(capsys: pytest.CaptureFixture[str]) -> None:
    images = np.arange(5 * 6).reshape(5, 2, 3).astype(np.uint8)
    np.savez("images.npz", X=images)
    told = report("encode images.npz -o i.npz --images --encoder latency", capsys)
    assert (told["kind"], told["features"], told["classes"]) == ("table", 6, None)
    assert told["options"]["shared"] is True
    tree = json.loads(Path("i.encoder.json").read_text("utf-8"))
    assert set(tree["low"]) == {0.0}
    assert set(tree["high"]) == {29.0}
    assert not Path("i.labels.npz").exists()


@pytest.mark.parametrize("kind", ["table", "series", "many", "one"])
def test_picture_is_drawn(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(1)
    arrays: dict[str, Any] = {
        "table": {"X": X, "y": Y, "names": np.array(["$x_", "\x1b[2J", "n" * 200])},
        "series": {"X": random.normal(size=(6, 8, 100)).cumsum(axis=2)},
        "many": {"X": random.normal(size=(6, 300)), "y": np.arange(6)},
        "one": {"X": np.ones((1, 1)), "y": np.ones(1)},
    }[kind]
    np.savez("data.npz", **arrays)
    told = report("encode data.npz -o d.npz --plot d.png", capsys)
    assert told["written"][-1] == "d.png"
    picture = imread("d.png")
    assert picture.shape[0] > 200
    assert picture.shape[1] > 300
    # Spikes are drawn in blue.
    blue = np.array([0x00, 0x72, 0xB2]) / 255
    assert (np.abs(picture[:, :, :3] - blue).max(axis=2) < 0.02).any()
    before = Path("d.png").read_bytes()
    report("encode data.npz -o d.npz --plot d.png", capsys)
    assert Path("d.png").read_bytes() == before


def test_ready_spikes_pass_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    raster = np.random.default_rng(0).random((4, 10, 3)) < 0.5
    np.savez("spikes.npz", X=raster, y=np.arange(4))
    told = report("encode spikes.npz -o s.npz", capsys)
    assert (told["encoder"], told["steps"], told["inputs"]) == ("spikes", 10, 3)
    assert np.array_equal(load_events("s.npz").raster(), raster)


def test_silent_windows_give_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    np.savez("flat.npz", X=np.repeat(np.arange(5.0), 8).reshape(5, 1, 8))
    assert bitlif("encode flat.npz -o f.npz --encoder level_crossing") == 0
    assert "5 of 5 windows have no spike: lower the option delta" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        ("sklearn:wine -o t.npz --labels y", ["labels", "sklearn:wine"]),
        ("sklearn:digits -o t.npz --images", ["images", "sklearn:digits"]),
        ("sklearn:whine -o t.npz", ["sample", "'wine'"]),
        ("none.csv -o t.npz", ["none.csv", "No such file"]),
        ("table.csv -o t.txt", ["--out", ".npz"]),
        ("table.csv -o table.npz --plot t.jpg", ["--plot", ".png"]),
        ("table.npz -o table.npz", ["--out", "same file as DATA"]),
        ("table.csv -o t.npz --labels Y", ["table.csv", "'Y'", "'y'"]),
        ("table.csv -o t.npz --steps 0", ["steps", "0"]),
        ("table.csv -o t.npz --seed -1", ["--seed"]),
        ("table.csv -o t.npz --encoder level_crossing", ["time series", "a table"]),
        ("table.csv -o t.npz --encoder rat", ["rat", "rate"]),
        ("table.csv -o t.npz --option max_rat=1", ["max_rat", "max_rate"]),
        ("table.csv -o t.npz --option max_rate=2", ["max_rate", "2"]),
        ("table.csv -o t.npz --option max_rate", ["NAME=VALUE"]),
        ("table.csv -o t.npz --option regular=no", ["regular", "true or false"]),
        ("table.csv -o t.npz --images", ["images", ".npz"]),
        ("table.npz -o t.npz --images", ["images", "height"]),
        ("table.csv -o t.npz --like none.json", ["encoder", "none.json"]),
        ("table.csv -o t.npz --like table.csv", ["encoder", "JSON"]),
        ("table.csv -o t.npz --like list.json", ["list.json", "bitlif encoder"]),
        ("table.csv -o t.npz --like list.json --steps 4", ["--steps", "--like"]),
        ("bad.csv -o t.npz", ["bad.csv", "line 3", "'x1'", "'?'"]),
        ("table.csv -o t.npz --steps 1048576 --like none.json", ["--steps"]),
        ("long.npz -o t.npz --steps 1048576", ["33554432", "40 windows", "--steps"]),
        ("table.csv -o no/t.npz", ["--out", "no/t.npz"]),
    ],
)
def test_bad_arguments_are_named(
    words: str, facts: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("list.json").write_text("[]")
    np.savez("long.npz", X=np.ones((40, 1)))
    Path("bad.csv").write_text("x0,x1,y\n1,2,a\n3,?,b\n")
    before = sorted(path.name for path in folder.iterdir())
    try:
        status = bitlif(f"encode {words}")
    except SystemExit as stop:
        status = int(stop.code or 0)
    assert status == 2
    out, err = capsys.readouterr()
    assert out == ""
    for fact in facts:
        assert fact in err
    assert sorted(path.name for path in folder.iterdir()) == before


def test_examples_of_the_help_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bitlif("encode --help")
    examples = capsys.readouterr().out.partition("examples:\n")[2]
    lines = [line.strip() for line in examples.splitlines()]
    assert all(main(shlex.split(line)[1:]) == 0 for line in lines)
    assert load_events("again.npz").units == 4 * 5
    assert {path.name for path in folder.glob("wine*")} == {
        "wine.npz", "wine.labels.npz", "wine.encoder.json", "wine.png",
    }  # fmt: skip
