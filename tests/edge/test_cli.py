"""The command, as people and other programs meet it."""

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import time

import cv2
import pytest

from edge_fer.card import unpack
from edge_fer.models import BLAZEFACE, DEFAULT_MODEL, find_model, model_names

COMMANDS = (
    "train", "convert", "run", "evaluate", "benchmark", "models", "doctor", "install-service"
)  # fmt: skip


@pytest.fixture(scope="module")
def many(tmp_path_factory, picture):
    """A folder of more pictures than are read while a test looks on."""
    folder = tmp_path_factory.mktemp("many")
    first = folder / "0000.jpg"
    cv2.imwrite(str(first), picture[30:260, 110:340])
    for number in range(1, 4000):
        os.link(first, folder / f"{number:04}.jpg")
    return folder


def test_help_lists_the_commands(cli):
    done = cli("--help")
    assert done.returncode == 0
    listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert [name for name in listed if name in COMMANDS] == list(COMMANDS)
    assert done.stderr == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(cli, name):
    done = cli(name, "--help")
    assert done.returncode == 0
    assert f"edge-fer {name}" in done.stdout
    assert len(done.stdout.splitlines()) > 6 or name == "models"


def test_version(cli):
    done = cli("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("edge-fer, version ")


def test_models_lists_what_is_shipped(cli):
    done = cli("models")
    assert done.returncode == 0
    assert DEFAULT_MODEL in done.stdout
    assert "int8" in done.stdout
    assert "blazeface" not in done.stdout


def test_models_as_json_are_what_their_cards_say(cli):
    done = cli("models", "--json", "-")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["default"] == DEFAULT_MODEL
    rows = {row["model"]: row for row in answer["models"]}
    assert list(rows) == model_names()
    for name, row in rows.items():
        _, card = unpack(find_model(name))
        assert row["bytes"] == find_model(name).stat().st_size
        assert row["macs"] == card.macs
        assert row["classes"] == list(card.labels)
        assert row["precision"] == card.quantization["precision"]
        assert row["drop"] == card.metrics["drop"]
        assert row["agreement"] == card.metrics["agreement"]
        seen = card.recipe.get("targets", {}).get("head") == "ferplus"
        assert row["names"] == ("what people see" if seen else "FER-2013's labels")
        for truth in ("fer2013", "ferplus"):
            figures = card.metrics.get(truth, {}).get("private", {})
            assert row[truth] == figures.get("accuracy")
        assert row["median_ms"] > 0


def test_models_as_json_go_to_a_file_too(cli, tmp_path):
    done = cli("models", "--json", tmp_path / "new" / "models.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert json.loads((tmp_path / "new" / "models.json").read_text())["default"] == DEFAULT_MODEL


def _missing(tmp_path, _clip):
    return [tmp_path / "missing.jpg"]


def _empty_folder(tmp_path, _clip):
    return [tmp_path]


def _text_as_picture(tmp_path, _clip):
    (tmp_path / "x.jpg").write_text("this is no picture")
    return [tmp_path / "x.jpg"]


def _cut_video(tmp_path, clip):
    path = clip()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return [path]


def _cut_model(tmp_path, clip):
    content = find_model(DEFAULT_MODEL).read_bytes()
    (tmp_path / "x.tflite").write_bytes(content[: len(content) // 2])
    return [clip(), "--model", tmp_path / "x.tflite"]


def _no_card(tmp_path, clip):
    return [clip(), "--model", BLAZEFACE]


def _unknown_model(tmp_path, clip):
    return [clip(), "--model", "nonesuch"]


def _camera(tmp_path, _clip):
    return ["97"]


def _unknown_option(tmp_path, clip):
    return [clip(), "--nonesuch"]


def _save_suffix(tmp_path, clip):
    return [clip(), "--save", tmp_path / "x.gif"]


def _save_video_as_picture(tmp_path, clip):
    return [clip(), "--save", tmp_path / "x.jpg"]


def _no_threads(tmp_path, clip):
    return [clip(), "--threads", "0"]


def _too_many_arguments(tmp_path, clip):
    return [clip(), "another"]


@pytest.mark.parametrize(
    "make",
    [
        _missing, _empty_folder, _text_as_picture, _cut_video, _cut_model, _no_card, _unknown_model,
        _camera, _unknown_option, _save_suffix, _save_video_as_picture, _no_threads,
        _too_many_arguments,
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_few_words(cli, tmp_path, make_clip, make):
    done = cli("run", *make(tmp_path, make_clip), "--detector", "blazeface")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert 1 <= len(done.stderr.splitlines()) <= 6
    assert done.stdout == ""


def test_an_unknown_command_is_refused(cli):
    done = cli("nonesuch")
    assert done.returncode == 2
    assert "nonesuch" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--jsonl", "--csv", "--save"])
def test_a_place_that_cannot_be_written_to_is_a_failure_at_work(
    cli, tmp_path, picture_file, option
):
    (tmp_path / "file").write_text("in the way")
    done = cli("run", picture_file, "--detector", "blazeface", option, tmp_path / "file" / "x")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert str(tmp_path / "file") in done.stderr


def test_json_lines_are_all_of_standard_output(cli, picture_file):
    done = cli("run", picture_file, "--jsonl", "-")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    row = json.loads(line)
    assert (row["frame"], row["width"], row["height"]) == (0, 512, 512)
    assert row["source"] == picture_file.name
    (face,) = row["faces"]
    assert face["box"] == pytest.approx([177, 83, 95.5, 95.5], abs=3)
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert "1 frames, 1 faces" in done.stderr


def test_asking_for_contempt_changes_nothing_for_a_model_without_it(cli, picture_file):
    arguments = ("run", picture_file, "--detector", "blazeface", "--jsonl", "-")
    arguments = (*arguments, "--model", "fer-base")
    plain, asked = cli(*arguments), cli(*arguments, "--contempt")
    assert asked.returncode == 0, asked.stderr
    faces = [json.loads(done.stdout)["faces"] for done in (plain, asked)]
    assert faces[0] == faces[1]
    assert len(faces[0]) == 1


def test_what_native_libraries_log_is_hidden_unless_asked_for(cli, picture_file):
    arguments = ("run", picture_file, "--detector", "blazeface")
    hidden, shown = cli(*arguments), cli(*arguments, env={"EDGE_FER_NATIVE_LOG": "1"})
    assert "XNNPACK" not in hidden.stderr
    assert len(hidden.stderr.splitlines()) == 1
    assert "XNNPACK" in shown.stderr


def test_a_video_goes_to_every_sink(cli, tmp_path, make_clip):
    clip = make_clip(frames=8, fps=10)
    out = tmp_path / "out"
    done = cli(
        "run", clip, "--detector", "blazeface", "--no-show",
        "--save", out / "x.mp4", "--jsonl", out / "x.jsonl", "--csv", out / "x.csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (out / "x.jsonl").read_text().splitlines()]
    assert [row["frame"] for row in rows] == list(range(8))
    faces = sum(len(row["faces"]) for row in rows)
    assert faces >= 7
    with (out / "x.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == 1 + faces
    capture = cv2.VideoCapture(str(out / "x.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 8
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(10)
    assert sorted(p.name for p in out.iterdir()) == ["x.csv", "x.jsonl", "x.mp4"]


def test_a_broken_picture_among_good_ones_is_named(cli, tmp_path, picture_file):
    (tmp_path / "bad.jpg").write_text("this is no picture")
    shutil.copy(picture_file, tmp_path / "good.jpg")
    done = cli("run", tmp_path, "--jsonl", "-", "--detector", "blazeface")
    assert done.returncode == 0
    assert [json.loads(line)["source"] for line in done.stdout.splitlines()] == ["good.jpg"]
    assert "bad.jpg" in done.stderr
    assert "Traceback" not in done.stderr


def _wait_for_lines(path, process, wanted=3):
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if path.exists() and path.read_bytes().count(b"\n") >= wanted:
            return
        time.sleep(0.02)
    pytest.fail(f"no {wanted} lines, exit code {process.poll()}")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_whole_lines(start, tmp_path, many, number, code):
    lines, table = tmp_path / "x.jsonl", tmp_path / "x.csv"
    process = start("run", many, "--detector", "blazeface", "--jsonl", lines, "--csv", table)
    _wait_for_lines(lines, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors
    content = lines.read_text()
    assert content.endswith("\n")
    rows = [json.loads(line) for line in content.splitlines()]
    assert [row["frame"] for row in rows] == list(range(len(rows)))
    assert 3 <= len(rows) < 4000
    assert table.read_text().endswith("\n")


def test_a_signal_leaves_a_whole_video(start, tmp_path, make_clip):
    clip = make_clip("clip.avi", frames=1500, size=(160, 160))
    lines, saved = tmp_path / "x.jsonl", tmp_path / "out" / "x.mp4"
    process = start("run", clip, "--detector", "blazeface", "--jsonl", lines, "--save", saved)
    _wait_for_lines(lines, process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert "Traceback" not in errors
    frames = len(lines.read_text().splitlines())
    assert 3 <= frames < 1500
    assert cv2.VideoCapture(str(saved)).get(cv2.CAP_PROP_FRAME_COUNT) == frames
    assert [p.name for p in saved.parent.iterdir()] == ["x.mp4"]


def test_a_closed_pipe_ends_it_quietly(start, many):
    """What ``edge-fer run … --jsonl - | head -1`` does."""
    process = start("run", many, "--detector", "blazeface", "--jsonl", "-", stdout=subprocess.PIPE)
    assert json.loads(process.stdout.readline())["frame"] == 0
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(timeout=60) == 0
    assert errors == ""


def _little_room():
    # Files may not grow past it: what a write at the limit gets is what a full disk gives.
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))


def test_a_full_disk_leaves_whole_lines(cli, tmp_path, many):
    path = tmp_path / "x.jsonl"
    done = cli("run", many, "--detector", "blazeface", "--jsonl", path, preexec_fn=_little_room)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    content = path.read_text()
    assert 0 < len(content) <= 6000
    assert content.endswith("\n")
    assert all(json.loads(line) for line in content.splitlines())


def test_a_full_disk_leaves_no_broken_video(cli, tmp_path, make_clip):
    clip = make_clip(frames=20)
    saved = tmp_path / "out" / "x.mp4"
    done = cli("run", clip, "--detector", "blazeface", "--save", saved, preexec_fn=_little_room)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(saved) in done.stderr
    assert list(saved.parent.iterdir()) == []


@pytest.mark.parametrize("display", [None, ":97"], ids=["none", "one that is gone"])
def test_without_a_display_it_goes_on_without_a_window(cli, picture_file, display):
    done = cli(
        "run", picture_file, "--show", "--jsonl", "-", "--detector", "blazeface",
        env={"DISPLAY": display} if display else None,
    )  # fmt: skip
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["faces"]) == 1
    assert "no display" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_closed_streams_are_no_fault(command, picture_file, tmp_path):
    out = tmp_path / "x.jsonl"
    line = f"{command} run {picture_file} --detector blazeface --jsonl {out} >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", line], check=False).returncode == 0
    assert len(json.loads(out.read_text())["faces"]) == 1
