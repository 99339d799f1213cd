"""The model card and the file it travels in."""

import contextlib
import hashlib
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import example, given
from hypothesis import strategies as st

from edge_fer.card import Card, CropRule, InputSpec, pack, unpack
from edge_fer.classifier import Classifier
from edge_fer.errors import ModelError, StorageError
from edge_fer.labels import FER_LABELS
from edge_fer.models import BLAZEFACE, DEFAULT_MODEL, find_model, model_names

FLATBUFFER = b"\x1c\x00\x00\x00TFL3" + bytes(range(256)) * 2
CARD = Card(
    "test",
    ("yes", "no", "perhaps"),
    input=InputSpec(40, 32, 3, "rgb", "linear"),
    crop=CropRule(1.5, -0.1, False),
    temperature=1.5,
    threshold=0.4,
    recipe={"epochs": 3, "network": {"widths": [1, 2]}},
    calibration=(3, 1, 4),
    metrics={"public": {"accuracy": 0.5}},
)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A small model file: path, content and the length of its flatbuffer."""
    path = tmp_path_factory.mktemp("card") / "model.tflite"
    pack(FLATBUFFER, CARD, path)
    return path, path.read_bytes(), len(FLATBUFFER)


@pytest.fixture(scope="module")
def broken(packed):
    """A path to write broken models to."""
    return packed[0].with_name("broken.tflite")


def _try_to_unpack(path, content):
    """What a changed file gives: its parts, or None if it is refused as it should be."""
    path.write_bytes(content)
    try:
        return unpack(path)
    except ModelError:
        return None


def test_what_is_packed_is_unpacked(packed):
    model, card = unpack(packed[0])
    assert model == FLATBUFFER
    sha256 = hashlib.sha256(FLATBUFFER).hexdigest()
    assert card == replace(CARD, size=len(FLATBUFFER), sha256=sha256)


def test_pack_returns_the_card_it_wrote(tmp_path):
    written = pack(FLATBUFFER, CARD, tmp_path / "model.tflite")
    assert written == unpack(tmp_path / "model.tflite")[1]


def test_the_same_model_makes_the_same_file(monkeypatch, packed, tmp_path):
    monkeypatch.setattr("time.time", lambda: 2e9)  # on another day
    pack(FLATBUFFER, CARD, tmp_path / "again.tflite")
    assert (tmp_path / "again.tflite").read_bytes() == packed[1]


def test_a_card_survives_json():
    assert Card.from_json(CARD.to_json()) == CARD
    assert Card.from_json(CARD.to_json().encode()) == CARD


def test_zip_programs_read_card_and_labels(packed):
    with zipfile.ZipFile(packed[0]) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["card.json", "labels.txt"]
        assert archive.read("labels.txt").decode().splitlines() == ["yes", "no", "perhaps"]
        assert json.loads(archive.read("card.json"))["name"] == "test"


def test_interpreters_ignore_the_tail():
    file = find_model(DEFAULT_MODEL)
    flatbuffer, _ = unpack(file)
    outputs = []
    for content in (flatbuffer, file.read_bytes()):
        interpreter = Interpreter(model_content=content)
        interpreter.allocate_tensors()
        source = interpreter.get_input_details()[0]
        values = np.arange(np.prod(source["shape"])).reshape(source["shape"])
        interpreter.set_tensor(source["index"], values.astype(source["dtype"]))
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    assert np.array_equal(*outputs)


def test_every_shipped_model_has_a_card_that_fits():
    assert DEFAULT_MODEL in model_names()
    for name in model_names():
        flatbuffer, card = unpack(find_model(name))
        assert card.size == len(flatbuffer)
        assert card.sha256 == hashlib.sha256(flatbuffer).hexdigest()
        assert set(card.labels) <= {*FER_LABELS, "contempt"}
        Classifier(name)


def test_a_file_cut_at_any_length_is_refused(packed, broken):
    _, content, _ = packed
    passed = [n for n in range(len(content)) if _try_to_unpack(broken, content[:n]) is not None]
    assert passed == []


@given(data=st.data())
def test_a_changed_flatbuffer_is_refused(packed, broken, data):
    _, content, size = packed
    changed = bytearray(content)
    places = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=8))
    for place in places:
        changed[place] ^= data.draw(st.integers(1, 255))
    assert _try_to_unpack(broken, bytes(changed)) is None


def test_any_changed_byte_of_the_archive_is_refused_or_harmless(packed, broken):
    """Every byte, in a way that hits compression methods, flags and offsets."""
    _, content, size = packed
    for place in range(size, len(content)):
        for flip in (0x01, 0x40, 0xFF):
            changed = bytearray(content)
            changed[place] ^= flip
            result = _try_to_unpack(broken, bytes(changed))
            assert result is None or result[0] == FLATBUFFER


@given(changes=st.dictionaries(st.integers(0, 10**6), st.integers(1, 255), min_size=1, max_size=6))
def test_a_changed_archive_is_refused_or_harmless(packed, broken, changes):
    _, content, size = packed
    changed = bytearray(content)
    for place, flip in changes.items():
        changed[size + place % (len(content) - size)] ^= flip
    result = _try_to_unpack(broken, bytes(changed))
    assert result is None or result[0] == FLATBUFFER


@given(tail=st.binary(max_size=300))
@example(b"PK\x05\x06" + bytes(18))
def test_any_bytes_behind_a_flatbuffer_are_no_card(broken, tail):
    assert _try_to_unpack(broken, FLATBUFFER + tail) is None


def test_a_model_without_a_card_is_refused():
    with pytest.raises(ModelError, match="no card"):
        unpack(BLAZEFACE)


def test_what_is_no_model_is_refused(tmp_path, picture_file):
    for path in (picture_file, tmp_path, tmp_path / "missing.tflite"):
        with pytest.raises(ModelError, match=path.name):
            unpack(path)


def test_a_model_of_an_unknown_name_is_refused():
    with pytest.raises(ModelError, match=r"'nonesuch' .* fer-base"):
        find_model("nonesuch")


def test_a_model_cannot_be_written_where_a_file_is_in_the_way(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        pack(FLATBUFFER, CARD, tmp_path / "file" / "model.tflite")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def _mostly(good):
    return st.sampled_from(good) | JSON


ALMOST_CARDS = st.fixed_dictionaries(
    {"name": _mostly(["x"]), "labels": _mostly([["a", "b"], ["a", "a"], ["a"]])},
    optional={
        "input": JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "height": _mostly([48, 7, -1]),
                "channels": _mostly([1, 3]),
                "color": _mostly(["gray", "rgb"]),
                "resize": JSON,
            },
        ),
        "crop": JSON
        | st.fixed_dictionaries({}, optional={"scale": JSON, "shift": JSON, "rotate": JSON}),
        "temperature": JSON,
        "threshold": JSON,
        "calibration": JSON,
        "metrics": JSON,
        "sha256": JSON,
    },
)


@given(raw=JSON | ALMOST_CARDS)
def test_any_json_is_a_card_or_refused(raw):
    try:
        card = Card.from_json(json.dumps(raw))
    except ModelError:
        return
    assert isinstance(card, Card)
    assert len(card.labels) != 1
    assert card.temperature > 0


@given(text=st.text() | st.binary())
@example("[" * 100_000)
@example('{"name": "x", "labels": ["a", "b"], "temperature": 1' + "0" * 400 + "}")
@example('{"name": "x", "labels": ["a", "b"], "seed": ' + "1" * 5000 + "}")
def test_any_text_is_a_card_or_refused(text):
    with contextlib.suppress(ModelError):
        assert isinstance(Card.from_json(text), Card)


@pytest.mark.parametrize(
    "change",
    [
        {"flavour": 1},
        {"input": {"depth": 3}},
        {"crop": {"zoom": 3}},
    ],
)
def test_unknown_fields_are_refused(change):
    with pytest.raises(ModelError, match="|".join(("flavour", "depth", "zoom"))):
        Card.from_json(json.dumps({"name": "x", "labels": ["a", "b"], **change}))


@pytest.mark.parametrize("missing", ["name", "labels"])
def test_a_card_without_name_or_labels_is_refused(missing):
    raw = {"name": "x", "labels": ["a", "b"]}
    del raw[missing]
    with pytest.raises(ModelError, match=missing):
        Card.from_json(json.dumps(raw))


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ["a"]},
        {"labels": ["a", "a"]},
        {"temperature": 0},
        {"temperature": float("nan")},
        {"threshold": 1.1},
        {"input": {"height": 4}},
        {"input": {"channels": 3}},
        {"input": {"color": "cmyk"}},
        {"input": {"resize": "cubic"}},
        {"crop": {"scale": 0.1}},
        {"crop": {"shift": 2}},
    ],
    ids=str,
)
def test_impossible_values_are_refused(change):
    with pytest.raises(ModelError):
        Card.from_json(json.dumps({"name": "x", "labels": ["a", "b"], **change}))


@pytest.mark.parametrize(
    "change",
    [
        {"name": 5},
        {"labels": "angry"},
        {"labels": ["a", None]},
        {"temperature": "hot"},
        {"temperature": float("inf")},
        {"seed": "seven"},
        {"metrics": []},
        {"input": None},
        {"input": {"height": 48.5}},
        {"input": {"height": "48"}},
        {"crop": {"rotate": "no"}},
        {"calibration": 5},
    ],
    ids=str,
)
def test_values_of_the_wrong_kind_are_refused(change):
    with pytest.raises(ModelError):
        Card.from_json(json.dumps({"name": "x", "labels": ["a", "b"], **change}))


def test_a_card_with_too_few_labels_does_not_fit(tmp_path):
    flatbuffer, card = unpack(find_model(DEFAULT_MODEL))
    pack(flatbuffer, replace(card, labels=card.labels[:-1]), tmp_path / "few.tflite")
    with pytest.raises(ModelError, match=r"few\.tflite.*labels"):
        Classifier(tmp_path / "few.tflite")


@pytest.mark.parametrize("spec", [InputSpec(64, 48), InputSpec(channels=3, color="bgr")])
def test_a_card_of_another_input_does_not_fit(tmp_path, spec):
    flatbuffer, card = unpack(find_model(DEFAULT_MODEL))
    pack(flatbuffer, replace(card, input=spec), tmp_path / "other.tflite")
    with pytest.raises(ModelError, match=r"other\.tflite.*takes"):
        Classifier(tmp_path / "other.tflite")


def test_a_card_for_what_is_no_network_is_refused(tmp_path):
    pack(FLATBUFFER, CARD, tmp_path / "none.tflite")
    with pytest.raises(ModelError, match=r"none\.tflite"):
        Classifier(tmp_path / "none.tflite")
