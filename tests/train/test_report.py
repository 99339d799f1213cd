"""What a run leaves to look at."""

import json

import cv2
import numpy as np
import pytest

from edge_fer.errors import StorageError
from edge_fer.labels import FER_LABELS
from edge_fer.train.metrics import score

pytestmark = pytest.mark.train
pytest.importorskip("matplotlib")

HISTORY = (
    "epoch,loss,accuracy,val_loss,val_accuracy,val_macro_f1,learning_rate,seconds\n"
    "1,2.0,0.2,1.9,0.25,0.2,0.1,3.0\n"
    "2,1.5,0.4,1.4,0.45,0.4,0.05,3.1\n"
)


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    labels = np.arange(140) % 6  # the seventh class does not occur
    logits = rng.normal(0, 1, (140, 7)).astype(np.float32)
    logits[np.arange(140), labels] += 2
    return score(logits, labels, FER_LABELS)


@pytest.fixture
def history(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(HISTORY)
    return path


def test_report_writes_figures_and_pictures(tmp_path, scores, history):
    from edge_fer.train.report import write_report

    out = tmp_path / "new" / "run"
    write_report(out, scores, {"recipe": {"name": "toy"}, "data": {"public": 140}}, history)
    assert {p.name for p in out.iterdir()} == {"metrics.json", "curves.png", "confusion.png"}

    figures = json.loads((out / "metrics.json").read_text())
    assert figures["recipe"] == {"name": "toy"}
    assert figures["data"] == {"public": 140}
    assert figures["public"]["accuracy"] == round(scores.accuracy, 5)
    assert figures["public"]["n"] == 140
    assert list(figures["public"]["classes"]) == list(FER_LABELS)
    for i, name in enumerate(FER_LABELS):
        assert figures["public"]["classes"][name] == {
            "precision": pytest.approx(scores.precision[i], abs=1e-4),
            "recall": pytest.approx(scores.recall[i], abs=1e-4),
            "f1": pytest.approx(scores.f1[i], abs=1e-4),
            "n": int(scores.confusion[i].sum()),
        }

    for name in ("curves.png", "confusion.png"):
        content = (out / name).read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert min(picture.shape[:2]) > 300
        assert picture.std() > 10


def test_curves_hold_what_the_history_holds(history):
    from edge_fer.train.report import curves

    loss, accuracy = curves(history).axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in loss.lines}
    assert lines == {
        "training: augmented, weighted, smoothed": [[1, 2.0], [2, 1.5]],
        "validation": [[1, 1.9], [2, 1.4]],
    }
    lines = {line.get_label(): line.get_xydata().tolist() for line in accuracy.lines}
    assert lines == {
        "training: augmented, weighted, smoothed": [[1, 0.2], [2, 0.4]],
        "validation": [[1, 0.25], [2, 0.45]],
    }


def test_confusion_shows_shares_of_the_true_class(scores):
    from edge_fer.train.report import confusion

    axes = confusion(scores).axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == list(FER_LABELS)
    texts = {t.get_position(): t.get_text() for t in axes.texts}
    assert len(texts) == 49
    for row in range(7):
        total = max(scores.confusion[row].sum(), 1)
        for col in range(7):
            assert texts[col, row] == f"{100 * scores.confusion[row, col] / total:.0f}"
    assert f"n = {scores.n}" in axes.get_title()


def test_report_replaces_an_older_one(tmp_path, scores, history):
    from edge_fer.train.report import write_report

    write_report(tmp_path, scores, {"run": 1}, history)
    write_report(tmp_path, scores, {"run": 2}, history)
    assert json.loads((tmp_path / "metrics.json").read_text())["run"] == 2
    names = {"metrics.json", "curves.png", "confusion.png", "history.csv"}
    assert {p.name for p in tmp_path.iterdir()} == names


def test_report_into_a_file_is_refused_cleanly(tmp_path, scores, history):
    from edge_fer.train.report import write_report

    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError, match="taken"):
        write_report(tmp_path / "taken", scores, {}, history)
    assert (tmp_path / "taken").read_text() == "a file"
