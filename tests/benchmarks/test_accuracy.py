"""Scoring model files."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from toy_data import toy_dataset, toy_votes, write_csv, write_votes

from edge_fer.benchmarks.accuracy import ScoredModel, evaluate
from edge_fer.benchmarks.robustness import robustness
from edge_fer.card import pack, unpack
from edge_fer.classifier import Classifier
from edge_fer.errors import DataError, ModelError
from edge_fer.labels import FER_LABELS
from edge_fer.models import find_model
from edge_fer.train.votes import ANSWERS


def _by_label(model, data, split="public"):
    return evaluate(model, data, split)["fer2013"].scores


@pytest.fixture(scope="module")
def toy():
    return toy_dataset(training=2, public=3, private=2)


def test_the_order_of_labels_in_the_card_does_not_matter(toy, tmp_path):
    flatbuffer, card = unpack(find_model("fer-base"))
    turned = replace(card, labels=(*card.labels[1:], card.labels[0]))
    pack(flatbuffer, turned, tmp_path / "turned.tflite")
    # int8 logits can be equal; which of two wins depends on their order.
    logits = np.sort(Classifier("fer-base").logits(toy.prepared(card.input)), axis=1)
    clear = toy.take(logits[:, -1] > logits[:, -2])
    straight = _by_label(find_model("fer-base"), clear)
    moved = _by_label(tmp_path / "turned.tflite", clear)
    assert moved.names == turned.labels
    # A class is called by the next one's name now: the same columns, the rows where their name is.
    np.testing.assert_array_equal(moved.confusion, np.roll(straight.confusion, -1, axis=0))


def test_a_model_without_a_class_of_the_data_is_refused(toy, tmp_path):
    flatbuffer, card = unpack(find_model("fer-base"))
    labels = ("contempt", *card.labels[1:])
    pack(flatbuffer, replace(card, labels=labels), tmp_path / "other.tflite")
    with pytest.raises(ModelError, match="angry"):
        evaluate(tmp_path / "other.tflite", toy)


def test_every_picture_of_the_split_counts_once(toy):
    assert _by_label(find_model("fer-base"), toy).n == 3 * 7
    assert _by_label(find_model("fer-base"), toy, "private").n == 2 * 7


def test_an_empty_split_is_refused(toy):
    with pytest.raises(DataError, match="private"):
        evaluate(find_model("fer-base"), toy.take(toy.splits < 2), "private")


def test_a_broken_model_is_refused_before_the_data_is_read(tmp_path):
    file = tmp_path / "text.tflite"
    file.write_text("no model")
    with pytest.raises(ModelError, match=r"text\.tflite"):
        ScoredModel(file, FER_LABELS)


def test_labels_and_votes_are_scored_apart(toy):
    model = find_model("fer-base")
    votes = np.zeros((len(toy), 10), np.uint8)
    votes[:, ANSWERS.index("happy")] = 10
    votes[0] = 1  # no majority
    both = replace(toy.take(toy.splits == 1), votes=votes[toy.splits == 1])
    judged = evaluate(model, both, "public")
    assert list(judged) == ["fer2013", "ferplus"]
    by_label, seen = (one.scores for one in judged.values())
    np.testing.assert_array_equal(by_label.confusion, _by_label(model, toy).confusion)
    assert seen.n == len(both) - int(toy.splits[0] == 1)
    assert seen.confusion.sum() == seen.confusion[toy.names.index("happy")].sum()
    assert list(evaluate(model, toy, "public")) == ["fer2013"]


def test_the_command_gives_the_same_figures_as_json(cli, toy, tmp_path):
    data = write_csv(tmp_path / "toy.csv", toy)
    done = cli("evaluate", "fer-base", "--data", data, "--split", "private", "--json", "-")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    expected = _by_label(find_model("fer-base"), toy, "private")
    assert answer["n"] == expected.n
    assert answer["accuracy"] == round(expected.accuracy, 5)
    assert answer["split"] == "private"
    assert set(answer["classes"]) == set(expected.names)
    assert "accuracy" in done.stderr


def test_the_command_gives_figures_by_both_truths_and_on_changed_pictures(cli, toy, tmp_path):
    data = write_csv(tmp_path / "toy.csv", toy)
    votes = write_votes(tmp_path / "fer2013new.csv", toy_votes(toy))
    done = cli(
        *("evaluate", "fer-base", "--data", data, "--split", "private", "--votes", votes),
        *("--robustness", "--json", "-"),
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    both = replace(toy, votes=toy_votes(toy))
    model = ScoredModel(find_model("fer-base"), FER_LABELS)
    judged = evaluate(model, both, "private")
    assert judged["fer2013"].scores.n > judged["ferplus"].scores.n > 0
    assert answer["ferplus"] == judged["ferplus"].to_dict()
    assert answer | judged["fer2013"].to_dict() == answer
    assert answer["robustness"] == [asdict(line) for line in robustness(model, both, "private")]
    for words in ("FER-2013's labels", "majority of FER+'s taggers", "mouth hidden", "certain"):
        assert words in done.stderr


def test_figures_by_one_truth_alone_without_votes(cli, toy, tmp_path):
    data = write_csv(tmp_path / "toy.csv", toy)
    done = cli("evaluate", "fer-base", "--data", data, "--json", tmp_path / "new" / "x.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    answer = json.loads((tmp_path / "new" / "x.json").read_text())
    assert not {"ferplus", "robustness"} & set(answer)
    assert answer["without_repeats"] == {"n": 21, "accuracy": answer["accuracy"]}
    assert "taggers" not in done.stderr
