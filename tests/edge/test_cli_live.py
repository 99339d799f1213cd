"""``edge-fer run`` on what never ends by itself."""

import json
import signal
import time

import pytest


def _lines(path, count, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count:
            return lines
        time.sleep(0.05)
    raise AssertionError(f"fewer than {count} lines")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_looped_video_counts_on_and_ends_well_at_a_signal(start, tmp_path, make_clip, number):
    clip = make_clip(frames=10, fps=20.0)
    out, table = tmp_path / "out.jsonl", tmp_path / "out.csv"
    options = ("--loop", "--jsonl", out, "--csv", table, "--detector", "blazeface")
    process = start("run", clip, *options)
    _lines(out, 25)
    process.send_signal(number)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 0, said  # ending what never ends is no fault
    assert "Traceback" not in said
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    numbers = [row["frame"] for row in rows]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] >= 20  # through the clip more than twice
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert all("clock" in row for row in rows)
    assert table.read_text().count("\n") >= 2


def test_a_killed_run_leaves_whole_lines(start, tmp_path, make_clip):
    out = tmp_path / "out.jsonl"
    clip = make_clip(frames=10, fps=20.0)
    process = start("run", clip, "--loop", "--jsonl", out, "--detector", "blazeface")
    _lines(out, 5)
    process.kill()
    process.wait(timeout=10)
    text = out.read_text()
    assert text.endswith("\n")
    assert [json.loads(line)["frame"] for line in text.splitlines()]


def test_faces_in_a_video_have_numbers_unless_told_otherwise(cli, make_clip):
    clip = make_clip()
    for options, wanted in ([], {1}), (["--no-track"], {None}):
        done = cli("run", clip, "--jsonl", "-", "--detector", "blazeface", *options)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert {face["id"] for row in rows for face in row["faces"]} == wanted


def test_the_detector_can_run_less_often(cli, make_clip):
    for every in ("3", "auto"):
        done = cli(
            *("run", make_clip(), "--jsonl", "-", "--detector", "blazeface"),
            *("--detect-every", every, "--smooth", 0),
        )
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert [len(row["faces"]) for row in rows] == [1] * 10


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--detect-every", "0"], "auto"),
        (["--detect-every", "often"], "auto"),
        (["--smooth", "-1"], "--smooth"),
        (["--stall", "0"], "--stall"),
        (["--loop", "--report", "x.html"], "no end"),
        (["--report", "x.pdf"], ".html"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_refused(cli, make_clip, tmp_path, options, word):
    done = cli("run", make_clip(), "--detector", "blazeface", *options)
    assert done.returncode == 2
    assert word in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_picture_cannot_be_looped(cli, picture_file):
    done = cli("run", picture_file, "--loop")
    assert done.returncode == 2
    assert "--loop" in done.stderr


def test_a_camera_that_is_not_there_can_be_waited_for(start):
    process = start("run", "/dev/video-not-there", "--wait", "--jsonl", "-")
    assert "waiting for the source" in process.stderr.readline()
    process.terminate()
    _, said = process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in said
