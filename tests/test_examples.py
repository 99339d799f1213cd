"""The examples run as their first lines say."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A second of a smiling face."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    picture = cv2.imread(str(Path(__file__).parent.parent / "benchmarks" / "collins.jpg"))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (512, 512))
    for _ in range(25):
        writer.write(picture)
    writer.release()
    return path


WANTED = {
    "read_picture.py": r"happy \d+% at ",
    "follow_people.py": r"0\.00 s  person 1: happy\n$",
    "react_to_a_smile.py": r"^0\.5 s: hello, person 1\n$",
    "write_your_own_sink.py": r"^{'happy': 25}\n$",
}


def test_every_example_is_run():
    assert {path.name for path in EXAMPLES} == set(WANTED)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_does_what_it_says(example, clip, tmp_path):
    arguments = [clip, tmp_path / "out.mp4"] if "own_sink" in example.name else [clip]
    done = subprocess.run(
        [sys.executable, example, *arguments], capture_output=True, text=True, timeout=100,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(WANTED[example.name], done.stdout), done.stdout
    assert f"python examples/{example.name}" in example.read_text()
    if "own_sink" in example.name:
        assert cv2.VideoCapture(str(tmp_path / "out.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 25
