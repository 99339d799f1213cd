"""The network that tells people apart, what it is given, and the commands around it."""

import csv
import io
import json

import cv2
import numpy as np
import pytest

from edge_fer.card import CropRule, InputSpec, unpack
from edge_fer.classifier import Classifier
from edge_fer.crop import crop_face
from edge_fer.detector.blazeface import BlazeFace
from edge_fer.errors import InputError, MissingPackageError, ModelError
from edge_fer.identity import open_embedder
from edge_fer.identity.enrolment import look_at
from edge_fer.identity.litert import LiteRtEmbedder
from edge_fer.identity.quality import flaw
from edge_fer.models import IDENTITY, find_model, model_names


@pytest.fixture(scope="module")
def detector():
    with BlazeFace() as detector:
        yield detector


@pytest.fixture(scope="module")
def embedder():
    return LiteRtEmbedder()


def _warped(picture, angle=0.0, scale=1.0, wide=1.0):
    """The picture turned, zoomed and stretched about the face."""
    matrix = cv2.getRotationMatrix2D((223, 130), angle, scale)
    matrix[0] *= wide
    size = (round(512 * wide), 512)
    return cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)


# The network


def test_the_card_says_what_a_name_is_worth(embedder):
    card = embedder.card
    assert card.labels == ()
    assert embedder.network == "identity 1"
    found = card.metrics["int8"]
    assert found["threshold"] == pytest.approx(embedder.threshold, abs=1e-4)
    assert found["false_accepts"] <= card.metrics["far"] == 1e-3
    assert found["true_accepts"] > 0.95
    assert found["people"] >= 20


def test_it_is_no_emotion_model(embedder):
    assert "identity" not in model_names()
    with pytest.raises(ModelError):
        Classifier(IDENTITY)
    with pytest.raises(ModelError, match="tells people apart"):
        LiteRtEmbedder(find_model("fer-base"))


@pytest.mark.parametrize(
    ("angle", "scale", "light"), [(25, 1.0, 1.0), (-15, 1.6, 0.7), (0, 0.7, 1.25)]
)
def test_one_face_stays_itself(picture, detector, embedder, angle, scale, light):
    """Turned, nearer or farther, darker or lighter."""
    other = cv2.convertScaleAbs(_warped(picture, angle, scale), alpha=light)
    looks = [look_at(p, detector, embedder) for p in (picture, other)]
    first, second = (look.embedding for look in looks)
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    assert float(first @ second) > embedder.threshold


def test_another_face_is_another_person(picture, detector, embedder):
    first = look_at(picture, detector, embedder).embedding
    second = look_at(_warped(picture, wide=1.5), detector, embedder).embedding
    assert float(first @ second) < embedder.threshold


def test_an_unknown_embedder_is_refused():
    with pytest.raises(InputError, match="litert, dlib"):
        open_embedder("nonesuch")


def test_the_library_is_asked_for_by_name_where_it_is_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"edge-fer\[identity-dlib\]"):
        open_embedder("dlib")


# The square


def test_key_points_come_to_lie_where_the_card_says(picture, detector):
    rule = unpack(IDENTITY)[1].crop
    spec = InputSpec(150, 150, 3, "bgr")
    face = detector.detect(picture)[0]
    marked = np.zeros_like(picture)
    for x, y in face.keypoints[:4]:
        cv2.circle(marked, (round(float(x) - 0.5), round(float(y) - 0.5)), 2, (255, 255, 255), -1)
    square = crop_face(marked, face, rule, spec)[..., 0]
    # One similarity cannot bring four points of a real face to their places exactly.
    for x, y in rule.points:
        column, row = round(150 * x), round(150 * y)
        assert square[row - 12 : row + 13, column - 12 : column + 13].max() > 100
    assert (square > 100).mean() < 0.02


@pytest.mark.parametrize("points", [((0.5, 0.5),), ((1.0,), (2.0,)), ((0.1, 0.1), (0.1, 0.1))])
def test_points_that_make_no_square_are_refused(points):
    with pytest.raises(ModelError, match="points"):
        CropRule(points=points)


# What is good enough


def _two(picture):
    head = picture[:300, 80:370]
    return np.hstack([head, head])


REFUSED = {
    "no face": lambda p: np.full_like(p, 90),
    "2 faces": _two,
    "too small": lambda p: cv2.resize(p, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA),
    "blurred": lambda p: cv2.GaussianBlur(p, (0, 0), 4),
    "too dark": lambda p: cv2.convertScaleAbs(p, alpha=0.2),
    "too bright": lambda p: cv2.convertScaleAbs(p, alpha=0.25, beta=190),
    "without contrast": lambda p: cv2.convertScaleAbs(p, alpha=0.12, beta=110),
    "cut off": lambda p: p[:, 212:],
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_poor_picture_is_refused_and_told_why(picture, detector, embedder, reason):
    assert reason in look_at(REFUSED[reason](picture), detector, embedder)


@pytest.mark.parametrize(
    ("point", "move", "reason"),
    [
        (2, (20, 0), "to the side"),
        (2, (-20, 0), "to the side"),
        (2, (0, -25), "up or down"),
        (2, (0, 25), "up or down"),
    ],
)
@pytest.mark.parametrize("angle", [0, 40])
def test_a_face_that_is_turned_away_is_told_by_its_nose(
    picture, detector, point, move, reason, angle
):
    turned = _warped(picture, angle)
    (face,) = detector.detect(turned)
    assert flaw(turned, face) is None
    radians = np.deg2rad(-angle)
    cos, sin = np.cos(radians), np.sin(radians)
    face.keypoints[point] += np.array([[cos, -sin], [sin, cos]]) @ move
    assert reason in flaw(turned, face)


def test_a_good_picture_is_taken(picture, detector, embedder):
    look = look_at(picture, detector, embedder)
    head = cv2.imdecode(np.frombuffer(look.picture, np.uint8), cv2.IMREAD_COLOR)
    assert head.shape == (224, 224, 3)


# The commands


@pytest.fixture
def store(tmp_path):
    return {"EDGE_FER_PEOPLE": str(tmp_path / "people.db")}


@pytest.fixture
def enrolled(cli, store, picture_file):
    done = cli("enroll", "Eileen", picture_file, env=store)
    assert done.returncode == 0, done.stderr
    return store


def test_who_is_enrolled_is_named_in_every_line(cli, enrolled, picture_file):
    done = cli("run", picture_file, "--identify", "--jsonl", "-", env=enrolled)
    (face,) = json.loads(done.stdout)["faces"]
    assert (face["person"], face["emotion"]) == ("Eileen", "happy")
    assert face["likeness"] > 0.99
    done = cli("run", picture_file, "--identify", "--csv", "-", env=enrolled)
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert (row["person"], row["emotion"], row["id"]) == ("Eileen", "happy", "")


def test_who_is_not_enrolled_is_unknown(cli, enrolled, picture, tmp_path):
    cv2.imwrite(str(tmp_path / "other.png"), _warped(picture, wide=1.5))
    done = cli("run", tmp_path / "other.png", "--identify", "--jsonl", "-", env=enrolled)
    (face,) = json.loads(done.stdout)["faces"]
    assert face["person"] == "unknown"


def test_names_appear_nowhere_unless_asked_for(cli, enrolled, picture_file):
    done = cli("run", picture_file, "--jsonl", "-", env=enrolled)
    assert "Eileen" not in done.stdout + done.stderr
    assert "person" not in done.stdout


def test_identifying_needs_somebody(cli, store, picture_file):
    done = cli("run", picture_file, "--identify", env=store)
    assert done.returncode == 2
    assert "edge-fer enroll" in done.stderr


def test_refused_pictures_have_a_line_each(cli, store, picture, picture_file, tmp_path):
    for name in ("blurred", "2 faces"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), REFUSED[name](picture))
    poor = [tmp_path / "blurred.png", tmp_path / "2 faces.png", tmp_path / "missing.png"]
    done = cli("enroll", "Eileen", *poor, picture_file, env=store)
    assert done.returncode == 0
    first, second, third, last = done.stderr.splitlines()
    assert "blurred.png: the face is blurred" in first
    assert "2 faces.png: 2 faces" in second
    assert "missing.png" in third
    assert "enrolled with 1 look" in last
    done = cli("enroll", "Zoe", *poor, env=store)
    assert done.returncode == 2
    assert "nothing that was seen is good enough" in done.stderr
    assert "Zoe" not in cli("people", env=store).stdout


def test_somebody_is_enrolled_through_a_camera(cli, store, picture_file, tmp_path):
    """A video stands for the camera."""
    writer = cv2.VideoWriter(
        str(tmp_path / "clip.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (512, 512)
    )
    for _ in range(60):
        writer.write(cv2.imread(str(picture_file)))
    writer.release()
    done = cli("enroll", "Eileen", "--camera", tmp_path / "clip.avi", env=store)
    assert done.returncode == 0, done.stderr
    assert "5 of 5" in done.stderr
    assert "5 by identity 1" in cli("people", env=store).stdout


@pytest.mark.parametrize("arguments", [(), ("a.jpg", "--camera", "0")])
def test_enrolling_is_by_pictures_or_by_camera(cli, store, arguments):
    done = cli("enroll", "Eileen", *arguments, env=store)
    assert done.returncode == 2
    assert "one of the two" in done.stderr


def test_somebody_who_looks_like_another_is_noted(cli, enrolled, picture_file):
    done = cli("enroll", "Ann", picture_file, env=enrolled)
    assert "Ann looks like Eileen" in done.stderr


def test_people_are_listed_renamed_exported_and_removed(cli, enrolled, tmp_path):
    assert cli("people", env=enrolled).stdout.startswith("Eileen\t1 by identity 1")
    assert cli("people", "rename", "Eileen", "E. Collins", env=enrolled).returncode == 0
    exported = json.loads(cli("people", "export", "E. Collins", env=enrolled).stdout)
    assert exported["name"] == "E. Collins"
    assert len(exported["looks"][0]["embedding"]) == 128
    assert exported["looks"][0]["picture"] is None
    assert cli("people", "remove", "Eileen", env=enrolled).returncode == 2
    assert cli("people", "remove", "E. Collins", env=enrolled).returncode == 0
    done = cli("people", env=enrolled)
    assert (done.stdout, done.returncode) == ("", 0)
    assert "nobody is enrolled" in done.stderr


def test_a_picture_is_kept_where_it_is_asked_for(cli, store, picture_file):
    cli("enroll", "Eileen", picture_file, "--keep-pictures", env=store)
    exported = json.loads(cli("people", "export", "Eileen", env=store).stdout)
    assert exported["looks"][0]["picture"].startswith("/9j/")
