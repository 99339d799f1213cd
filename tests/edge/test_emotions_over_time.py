"""The page and the picture of a whole file."""

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge_fer.errors import InputError
from edge_fer.face import Face
from edge_fer.frame import Frame, Reading
from edge_fer.sinks.report import Report

pytest.importorskip("matplotlib")
NAMES = ("angry", "happy", "neutral")


def reading(time, *faces):
    found = [
        Face((0, 0, 9, 9), 0.9, np.zeros((6, 2), np.float32), id=number, emotion=emotion,
             confidence=0.8, probabilities={n: 0.8 if n == emotion else 0.1 for n in NAMES})
        for number, emotion in faces
    ]  # fmt: skip
    return Reading(Frame(np.zeros((4, 4, 3), np.uint8), round(time * 10), time), found)


def written(tmp_path, readings, title="clip.mp4"):
    with Report(tmp_path / "new" / "r.html", title) as report:
        for one in readings:
            report.write(one)
    return (tmp_path / "new" / "r.html").read_text("utf-8")


def rows(page):
    cells = re.findall(
        r"<tr><th scope='row'>(.*?)</th><td>(.*?)</td><td>(.*?)</td><td>(.*?)<", page
    )
    return {who: (int(count), float(seconds), shares) for who, count, seconds, shares in cells}


def test_every_person_has_a_row_and_a_curve(tmp_path):
    page = written(
        tmp_path,
        [reading(i / 10, (1, "happy" if i < 30 else "angry"), *[(2, "neutral")] * (i >= 20))
         for i in range(40)],
    )  # fmt: skip
    assert rows(page) == {
        "Person 1": (40, 4.0, "happy 75%, angry 25%"),
        "Person 2": (20, 2.0, "neutral 100%"),
    }
    assert "40 frames, 3.9 seconds, 2 people" in page
    assert page.count("<svg") == 1
    picture = cv2.imread(str(tmp_path / "new" / "r.png"))
    assert picture.shape[1] > 800
    # Yellow for happy, red for angry.
    assert ((picture[..., 2] > 220) & (picture[..., 1] > 180) & (picture[..., 0] < 100)).sum() > 999
    assert ((picture[..., 2] > 200) & (picture[..., 1] < 90) & (picture[..., 0] < 90)).sum() > 999


def test_the_page_needs_nothing_from_outside(tmp_path):
    page = written(tmp_path, [reading(0.0, (1, "happy"))])
    outside = re.findall(r"(?:src|href)=[\"'](?!#)[^\"']+", page)
    assert outside == []


def test_a_strange_title_does_no_harm(tmp_path):
    page = written(tmp_path, [reading(0.0, (1, "happy"))], title='<script>x</script>"&.mp4')
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    "readings", [[reading(0.0)], [reading(0.0, (None, "happy"))], [reading(1e5, (7, "happy"))]],
    ids=["no face", "without a number", "late"],
)  # fmt: skip
def test_odd_runs_have_a_report_too(tmp_path, readings):
    assert "<table>" in written(tmp_path, readings)


def test_many_people_are_all_in_the_table(tmp_path):
    page = written(tmp_path, [reading(0.0, *[(n, "happy") for n in range(1, 31)])])
    assert len(rows(page)) == 30


def test_a_run_without_frames_leaves_nothing(tmp_path):
    with Report(tmp_path / "r.html", "x"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"r\.pdf.*\.html"):
        Report(tmp_path / "r.pdf", "x")


def test_who_is_known_is_named(tmp_path):
    known = [
        replace(face, person=name)
        for name in ("unknown", "<Ann>", "<Ann>", "$x")
        for face in reading(0.0, (7, "happy")).faces
    ]
    readings = [Reading(reading(n / 10).frame, [face]) for n, face in enumerate(known)]
    assert list(rows(written(tmp_path, readings))) == ["&lt;Ann&gt; (7)"]
