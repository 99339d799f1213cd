"""Measuring models: that every figure is there and hangs together; never how fast they are."""

import json
import shutil

import pytest
from toy_data import toy_dataset, write_csv

from edge_fer.benchmarks.machine import describe_machine
from edge_fer.benchmarks.speed import measure
from edge_fer.card import unpack
from edge_fer.errors import ModelError
from edge_fer.models import find_model


def test_a_measurement_hangs_together():
    speed = measure(find_model("fer-base"), threads=1, runs=20)
    assert 0 < speed.median_ms <= speed.p95_ms
    # A frame holds a detection and one inference, so it cannot be quicker than the latter alone.
    assert speed.fps > 0
    assert speed.start_ms > 0
    assert speed.memory_mib > 20
    assert speed.runs == 20


def test_a_broken_model_is_named(tmp_path):
    file = tmp_path / "broken.tflite"
    file.write_bytes(find_model("fer-base").read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"broken\.tflite"):
        measure(file, runs=10)


def test_the_machine_is_described():
    machine = describe_machine()
    assert machine["processor"]
    assert machine["cores"] >= 1
    assert machine["versions"]["ai-edge-litert"]


def test_the_command_compares_a_folder(cli, tmp_path):
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(find_model("fer-base"), folder / "one.tflite")
    shutil.copy(find_model("fer-base"), folder / "two.tflite")
    data = write_csv(tmp_path / "toy.csv", toy_dataset(training=1, public=2, private=1))
    plot = tmp_path / "plot.png"
    done = cli(
        *("benchmark", folder, "--data", data, "--threads", 2, "--runs", 10),
        *("--json", "-", "--plot", plot),
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["results"]
    assert [(r["model"], r["threads"]) for r in rows] == [
        ("one.tflite", 1),
        ("one.tflite", 2),
        ("two.tflite", 1),
        ("two.tflite", 2),
    ]
    _, card = unpack(find_model("fer-base"))
    assert all(r["macs"] == card.macs and r["n"] == 14 for r in rows)
    assert len({r["accuracy"] for r in rows}) == 1
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "arguments",
    [("nowhere.tflite",), ("--crop",), ("--plot", "x.png", "--runs", "3")],
    ids=["no such model", "crop without data", "too few runs"],
)
def test_bad_input(cli, arguments):
    done = cli("benchmark", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert 1 <= len(done.stderr.strip().splitlines()) <= 6
    assert not done.stdout


def test_an_empty_folder_is_refused(cli, tmp_path):
    done = cli("benchmark", tmp_path)
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
