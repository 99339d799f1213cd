"""What pairs of pictures say of a network that tells people apart."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_fer.benchmarks.verification import (
    find_people,
    halves,
    in_use,
    likenesses,
    threshold_at,
    verify,
)
from edge_fer.detector.blazeface import BlazeFace
from edge_fer.errors import DataError
from edge_fer.identity import unit


def _people(spread, people=6, pictures=5, seed=0):
    """Embeddings of people who lie apart, each picture so far from its person's middle."""
    rng = np.random.default_rng(seed)
    middles = np.repeat(unit(rng.normal(size=(people, 32))), pictures, axis=0)
    names = [f"person {n // pictures}" for n in range(people * pictures)]
    return unit(middles + spread * rng.normal(size=middles.shape)), names


def test_every_pair_is_compared_once():
    embeddings, names = _people(0.05)
    same, other = likenesses(embeddings, names)
    assert (len(same), len(other)) == (6 * 5 * 4 // 2, 30 * 29 // 2 - 60)
    assert same.min() > other.max()


def test_people_who_lie_apart_are_told_apart():
    embeddings, names = _people(0.02)
    found = verify(embeddings, names, 0.8)
    assert (found.people, found.pictures, found.same, found.other) == (6, 30, 60, 375)
    assert (found.eer, found.tar, found.accuracy) == (0, 1, 1)


def test_numbers_without_meaning_are_worth_a_coin():
    embeddings, _ = _people(0.0, people=150, pictures=1)
    names = [f"person {n % 30}" for n in range(150)]
    found = verify(embeddings, names, 0.0)
    assert found.eer == pytest.approx(0.5, abs=0.06)
    assert found.accuracy == pytest.approx(0.5, abs=0.06)
    assert found.tar < 0.03


def test_counts_by_hand():
    angles = np.deg2rad([0, 10, 40, 90])
    embeddings = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    found = verify(embeddings, ["a", "a", "b", "b"], float(np.cos(np.deg2rad(35))))
    # Of one person: 10 and 50 degrees. Of two: 40, 90, 30 and 80.
    assert (found.true_accepts, found.false_accepts) == (0.5, 0.25)
    assert found.accuracy == pytest.approx(0.625)
    assert found.tar == 0.5
    # At 35 degrees half of the one and a quarter of the others err, at 45 half and half.
    assert found.eer == pytest.approx(0.5)


def test_a_run_compares_several_looks_with_several_pictures():
    embeddings, names = _people(0.1, pictures=7)
    found = in_use(embeddings, names, 0.5)
    # Of seven pictures three are enrolled; the other four are two looks.
    assert (found["same"], found["other"]) == (12, 60)
    assert (found["true_accepts"], found["false_accepts"]) == (1, 0)
    assert in_use(embeddings, names, 1.1)["true_accepts"] == 0
    assert in_use(*_people(0.1, pictures=3), 0.5) == {}


def test_averaging_looks_makes_strangers_no_more_alike():
    """The likeness of several looks is the mean of that of each pair, and has its threshold."""
    embeddings, names = _people(0.15, people=40, pictures=6)
    _, other = likenesses(embeddings, names)
    threshold = threshold_at(other, 0.01)
    assert in_use(embeddings, names, threshold)["false_accepts"] <= 0.01


@given(
    values=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=200),
    far=st.sampled_from([0.0, 1e-3, 0.01, 0.1, 0.5]),
)
def test_the_threshold_keeps_what_it_promises(values, far):
    other = np.sort(np.array(values, np.float32))
    assert (other >= np.float32(threshold_at(other, far))).mean() <= far


@pytest.fixture
def folder(tmp_path, picture):
    """Three "people": one picture, drawn wider for each."""
    for person in range(3):
        for number in range(3):
            wide = cv2.resize(picture, (512 + 130 * person, 500 + 6 * number))
            path = tmp_path / "people" / f"p{person}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), wide)
    cv2.imwrite(str(tmp_path / "people" / "p0" / "none.png"), np.zeros((90, 90, 3), np.uint8))
    return tmp_path / "people"


def test_people_are_folders(folder):
    with BlazeFace() as detector:
        seen, missing = find_people(folder, detector)
    assert (len(seen), missing) == (9, 1)
    first, second = halves(seen)
    assert {one.person for one in first} == {"p0"}
    assert {one.person for one in second} == {"p1", "p2"}


def test_one_person_alone_cannot_be_told_apart(tmp_path, picture_file):
    (tmp_path / "p0").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "p0" / name).write_bytes(picture_file.read_bytes())
    with BlazeFace() as detector, pytest.raises(DataError, match="two or more people"):
        find_people(tmp_path, detector)


def test_the_command_judges_what_is_shipped(cli, folder, tmp_path):
    for number in range(3):  # a fourth, so that either half has pairs of two people
        wide = cv2.resize(cv2.imread(str(folder / "p0" / "0.png")), (400, 500 + 6 * number))
        (folder / "p3").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "p3" / f"{number}.png"), wide)
    done = cli("people", "verify", folder, "--json", tmp_path / "v.json")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "v.json").read_text())
    assert (found["network"], found["no_face"]) == ("identity 1", 1)
    assert (found["all"]["people"], found["all"]["pictures"]) == (4, 12)
    assert found["all"]["true_accepts"] > found["all"]["false_accepts"]
    assert found["held_out"]["threshold"] == found["chosen_on"]["threshold"]
