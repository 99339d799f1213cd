"""Conversion: all precisions, what their cards say, and what is not let through."""

import dataclasses
import hashlib
import zipfile

import numpy as np
import pytest
from toy_data import tiny_recipe

from edge_fer.card import InputSpec, unpack
from edge_fer.convert import PRECISIONS
from edge_fer.errors import DataError, GateError, ModelError, WorkError
from edge_fer.labels import FER_LABELS
from edge_fer.probabilities import softmax
from edge_fer.train.dataset import PUBLIC, TRAINING

pytestmark = pytest.mark.train
keras = pytest.importorskip("keras")
interpreter = pytest.importorskip("ai_edge_litert.interpreter")

SPEC = InputSpec(24, 24)


@pytest.fixture(scope="session")
def disputed(toy):
    """The toy data with some public labels wrong, so that no accuracy is perfect."""
    labels = toy.labels.copy()
    public = np.flatnonzero(toy.splits == PUBLIC)
    labels[public[::6]] = (labels[public[::6]] + 1) % 7
    return dataclasses.replace(toy, labels=labels)


def _convert(model_path, data, folder, *precisions, **options):
    from edge_fer.convert.convert import convert

    paths = {precision: folder / f"toy-{precision}.tflite" for precision in precisions}
    return convert(model_path, data, paths, **{"calibration": 50, **options})


@pytest.fixture(scope="session")
def converted(model_path, disputed, tmp_path_factory):
    """The model in every precision, as written, by precision."""
    out = tmp_path_factory.mktemp("converted") / "new" / "folder"
    results = _convert(
        model_path, disputed, out, *PRECISIONS, max_drop=5, coverage=0.75, test=True, seed=3
    )
    assert [r.card.quantization["precision"] for r in results] == list(PRECISIONS)
    return dict(zip(PRECISIONS, results, strict=True))


@pytest.fixture(scope="session")
def model(model_path):
    from edge_fer.train.keras_file import load_model

    return load_model(model_path)[0]


def _logits(result, pictures):
    from edge_fer.network import Network

    return Network(unpack(result.path)[0], str(result.path)).logits(pictures)


def _tensors(flatbuffer):
    opened = interpreter.Interpreter(model_content=flatbuffer)
    opened.allocate_tensors()
    return opened.get_input_details(), opened.get_output_details(), opened.get_tensor_details()


# What is written


def test_float32_gives_what_keras_gives(converted, model, toy):
    pictures = toy.prepared(SPEC)
    wanted = model.predict(pictures.astype(np.float32), verbose=0)
    np.testing.assert_allclose(_logits(converted["float32"], pictures), wanted, atol=1e-3)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_reads_the_toy_data(converted, toy, precision):
    result, private = converted[precision], toy.split("private")
    logits = _logits(result, private.prepared(SPEC))
    accuracy = (logits.argmax(1) == private.labels).mean()
    assert accuracy > 0.6
    assert result.card.metrics["fer2013"]["private"]["accuracy"] == pytest.approx(
        accuracy, abs=1e-5
    )
    assert result.card.metrics["fer2013"]["private"]["n"] == len(private)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_figures_are_those_of_the_file(converted, disputed, precision):
    result, public = converted[precision], disputed.split("public")
    pictures = public.prepared(SPEC)
    logits, exact = _logits(result, pictures), _logits(converted["float32"], pictures)
    accuracy = (logits.argmax(1) == public.labels).mean()
    exact_accuracy = (exact.argmax(1) == public.labels).mean()
    assert result.public.accuracy == pytest.approx(accuracy)
    assert result.drop == pytest.approx(100 * (exact_accuracy - accuracy))
    assert result.agreement == (logits.argmax(1) == exact.argmax(1)).mean() > 0.9
    metrics = result.card.metrics
    assert metrics["fer2013"]["public"]["accuracy"] == pytest.approx(accuracy, abs=1e-5)
    assert metrics["fer2013"]["public"]["n"] == len(public)
    assert metrics["float32_public_accuracy"] == pytest.approx(exact_accuracy, abs=1e-5)
    assert metrics["drop"] == pytest.approx(result.drop, abs=1e-3)
    assert metrics["agreement"] == pytest.approx(result.agreement, abs=1e-5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_file_is_flatbuffer_and_archive_in_one(converted, precision):
    result = converted[precision]
    content = result.path.read_bytes()
    assert content.startswith(result.flatbuffer)
    with zipfile.ZipFile(result.path) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {"card.json", "labels.txt"}
        assert archive.read("labels.txt").decode().split() == list(FER_LABELS)
    flatbuffer, card = unpack(result.path)
    assert flatbuffer == result.flatbuffer
    assert card == result.card
    assert card.size == len(flatbuffer)
    assert card.sha256 == hashlib.sha256(flatbuffer).hexdigest()
    inputs, outputs, _ = _tensors(content)  # the archive at the end disturbs no interpreter
    assert inputs[0]["shape"].tolist() == [1, 24, 24, 1]
    assert outputs[0]["shape"].tolist() == [1, 7]
    assert [p.name for p in result.path.parent.glob("*.part*")] == []


@pytest.mark.parametrize("precision", PRECISIONS)
def test_card_tells_where_the_model_comes_from(converted, model, toy, precision):
    from edge_fer.convert.pooling import without_average_pooling
    from edge_fer.train.networks import macs

    card = converted[precision].card
    assert card.name == f"toy-{precision}"
    assert card.labels == FER_LABELS
    assert card.input == SPEC
    assert card.macs == macs(without_average_pooling(model)) > 0
    assert card.recipe == tiny_recipe().to_dict()
    assert card.seed == 3
    assert card.data == toy.describe()
    assert card.licence == ""


def test_int8_card_lists_its_calibration_pictures(converted, toy):
    for precision in ("float32", "float16", "dynamic"):
        assert converted[precision].card.calibration == ()
    rows = np.array(converted["int8"].card.calibration)
    assert len(set(rows)) == len(rows) == 56
    assert (toy.splits[rows] == TRAINING).all()
    assert np.bincount(toy.labels[rows]).tolist() == [8] * 7


def test_int8_is_integer_throughout(converted):
    inputs, outputs, tensors = _tensors(converted["int8"].flatbuffer)
    assert inputs[0]["dtype"] == np.int8
    assert inputs[0]["quantization"] == (1.0, -128)
    assert outputs[0]["dtype"] == np.int8
    assert {t["dtype"] for t in tensors} <= {np.int8, np.int32}
    # only kernels have another first dimension than the batch of one
    kernels = [t for t in tensors if t["dtype"] == np.int8 and t["shape"][0] > 1]
    assert len(kernels) == 5
    for kernel in kernels:
        settings = kernel["quantization_parameters"]
        assert len(set(settings["scales"].tolist())) > 1
        assert len(settings["scales"]) == kernel["shape"][0]
        assert (settings["zero_points"] == 0).all()


def test_other_precisions_keep_float_at_both_ends(converted):
    kinds = {}
    for precision in ("float32", "float16", "dynamic"):
        inputs, outputs, tensors = _tensors(converted[precision].flatbuffer)
        assert inputs[0]["dtype"] == outputs[0]["dtype"] == np.float32
        kinds[precision] = {t["dtype"] for t in tensors if t["shape"].prod() > 500}
    assert np.float16 in kinds["float16"]
    assert np.int8 in kinds["dynamic"]
    assert kinds["float32"] == {np.float32}
    sizes = {precision: result.card.size for precision, result in converted.items()}
    assert sizes["float16"] < sizes["float32"]
    assert sizes["dynamic"] < sizes["float32"]
    assert sizes["int8"] < sizes["float32"]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_threshold_leaves_the_asked_share_certain(converted, disputed, precision):
    card = converted[precision].card
    logits = _logits(converted[precision], disputed.split("public").prepared(SPEC))
    confidence = softmax(logits, card.temperature).max(1)
    assert card.coverage == 0.75
    assert (confidence >= card.threshold).mean() == pytest.approx(0.75, abs=0.04)


def test_threshold_of_a_model_that_is_always_sure_leaves_it_sure(model_path, toy, tmp_path):
    (result,) = _convert(model_path, toy, tmp_path, "float32", coverage=0.8)
    logits = _logits(result, toy.split("public").prepared(SPEC))
    assert result.public.accuracy > 0.9
    confidence = softmax(logits, result.card.temperature).max(1)
    assert (confidence >= result.card.threshold).mean() >= 0.78
    assert "private" not in result.card.metrics


def test_same_seed_writes_the_same_calibration_another_does_not(model_path, toy):
    from edge_fer.convert.representative import stratified_sample

    rows = [tuple(stratified_sample(toy.split("training"), 50, seed).rows) for seed in (3, 3, 4)]
    assert rows[0] == rows[1] != rows[2]


# The gate


def test_gate_stops_what_lost_too_much(model_path, toy, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(GateError, match=r"--max-drop") as caught:
        _convert(model_path, toy, out, "int8", max_drop=-100)
    assert "worst layer" in str(caught.value)
    assert not list(tmp_path.rglob("*"))


def _saved(x, path):
    """A network around one operation, as a Keras file; ``x`` makes the operation."""
    from edge_fer.train.keras_file import save_model

    inputs = keras.Input((24, 24, 1))
    features = x(keras.layers.Conv2D(4, 3)(inputs))
    outputs = keras.layers.Dense(7)(keras.layers.GlobalAveragePooling2D()(features))
    save_model(keras.Model(inputs, outputs), {}, path)
    return path


def test_layer_without_an_integer_form_is_refused_and_nothing_is_written(toy, tmp_path):
    path = _saved(keras.ops.sin, tmp_path / "sin.keras")
    with pytest.raises(GateError, match=r"int8.*float"):
        _convert(path, toy, tmp_path / "out", "float32", "int8", max_drop=100)
    assert not (tmp_path / "out").exists()


def test_layer_that_tflite_does_not_know_is_refused(toy, tmp_path):
    path = _saved(keras.ops.erf, tmp_path / "erf.keras")
    with pytest.raises(WorkError, match="float32") as caught:
        _convert(path, toy, tmp_path / "out", "int8", max_drop=100)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def _network(path, shape=(24, 24, 1), outputs=7):
    inputs = keras.Input(shape)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(inputs))
    keras.Model(inputs, keras.layers.Dense(outputs)(x)).save(path)
    return path


@pytest.mark.parametrize(
    ("shape", "outputs", "message"),
    [
        ((24, 24, 1), 5, "5 numbers.*7 classes"),
        ((24, 24, 2), 7, "2 channels"),
        ((None, None, 1), 7, "fixed size"),
        ((6, 6, 1), 7, "too small"),
    ],
    ids=["5 classes", "2 channels", "any size", "6x6"],
)
def test_model_of_another_shape_is_refused(toy, tmp_path, shape, outputs, message):
    path = _network(tmp_path / "other.keras", shape, outputs)
    with pytest.raises(ModelError, match=message):
        _convert(path, toy, tmp_path / "out", "int8")
    assert not (tmp_path / "out").exists()


def test_what_is_no_model_is_refused(toy, tmp_path):
    (tmp_path / "text.keras").write_text("no model")
    (tmp_path / "text.h5").write_text("no model")
    for name in ("text.keras", "text.h5", "missing.keras"):
        with pytest.raises(ModelError, match=name) as caught:
            _convert(tmp_path / name, toy, tmp_path / "out", "int8")
        assert "\n" not in str(caught.value)


def test_data_without_the_needed_split_is_refused(model_path, toy, tmp_path):
    for split, name in ((TRAINING, "training"), (PUBLIC, "public")):
        with pytest.raises(DataError, match=name):
            _convert(model_path, toy.take(toy.splits != split), tmp_path / "out", "int8")


def test_color_model_from_an_h5_file_converts(toy, tmp_path):
    path = _network(tmp_path / "color.h5", (24, 24, 3))
    (result,) = _convert(path, toy, tmp_path, "int8", max_drop=100)
    card = unpack(result.path)[1]
    assert card.input == InputSpec(24, 24, 3, "rgb")
    assert card.recipe == {}
    # grey pictures, three channels alike
    pictures = toy.take(np.arange(10)).prepared(card.input)
    wanted = keras.models.load_model(path, compile=False).predict(pictures, verbose=0)
    step = float(_tensors(result.flatbuffer)[1][0]["quantization"][0])
    np.testing.assert_allclose(_logits(result, pictures), wanted, atol=6 * step)


# The layers' errors


@pytest.fixture(scope="session")
def sample(toy):
    from edge_fer.convert.representative import stratified_sample

    return stratified_sample(toy.split("training"), 28, 0)


def _flatbuffer(model, precision, sample):
    from edge_fer.convert.representative import calibration_inputs
    from edge_fer.convert.tflite import to_tflite

    return to_tflite(model, precision, lambda: calibration_inputs(sample, SPEC))


@pytest.fixture
def damaged(model_path):
    """A copy of the model, and the kernel of a layer in its midst, to be damaged."""
    from edge_fer.train.keras_file import load_model

    copy = load_model(model_path)[0]
    return copy, copy.get_layer("stage1_block1_conv2").kernel


def test_layer_errors_are_small_and_the_worst_comes_first(converted):
    layers = converted["int8"].layers
    errors = [layer.error for layer in layers]
    assert errors == sorted(errors, reverse=True)
    assert 0 < errors[-1] < errors[0] < 0.3
    assert all(layer.scale > 0 for layer in layers)
    worst = converted["int8"].card.quantization["worst_layers"]
    assert worst == {layer.name: round(layer.error, 4) for layer in layers[:5]}
    for precision in ("float32", "float16", "dynamic"):
        assert converted[precision].layers == []


def test_layer_errors_name_the_layers_of_the_network(converted, model):
    names = [layer.name for layer in converted["int8"].layers]
    assert len(set(names)) == len(names)
    known = [layer.name for layer in model.layers]
    for name in names:
        assert any(name.startswith(layer) for layer in known), name
    for part in ("stem", "stage1_block1_conv2", "stage1_block1_shortcut", "logits"):
        assert any(name.startswith(part) for name in names), part


def test_layer_errors_find_a_layer_that_is_wrong_in_int8_alone(damaged, sample):
    from edge_fer.convert.layers import layer_errors

    model, kernel = damaged
    exact, whole = kernel.numpy(), _flatbuffer(model, "float32", sample)
    kernel.assign(-exact)
    errors = layer_errors(whole, _flatbuffer(model, "int8", sample), sample.prepared(SPEC))
    by_name = {error.name: error.error for error in errors}
    before = ("stem", "stage1_block1_relu1", "stage1_block1_shortcut")
    for name, error in by_name.items():
        if name.startswith(before):
            assert error < 0.1, name
    (found,) = (e for name, e in by_name.items() if name.startswith("stage1_block1_conv2"))
    assert found > 1


def test_layer_errors_find_where_one_channel_drowns_the_others(damaged, sample):
    from edge_fer.convert.layers import layer_errors

    model, kernel = damaged
    pictures = sample.prepared(SPEC)

    def errors():
        exact = _flatbuffer(model, "float32", sample)
        return layer_errors(exact, _flatbuffer(model, "int8", sample), pictures)

    healthy = errors()[0].error
    loud = kernel.numpy()
    loud[..., 0] *= 1000
    kernel.assign(loud)
    # What meets the loud channel in the sum of the block is lost in its one scale.
    worst = errors()[0]
    assert worst.name.startswith("stage1_block1")
    assert worst.error > 5 * healthy


def test_names_are_left_out_and_nothing_else(converted, toy):
    from edge_fer.convert.tflite import without_names
    from edge_fer.network import Network

    for result in converted.values():
        _, _, tensors = _tensors(result.flatbuffer)
        assert {t["name"] for t in tensors} == {""}
        assert without_names(result.flatbuffer) == result.flatbuffer
        pictures = toy.prepared(SPEC)[:20]
        network = Network(result.flatbuffer, "stripped")
        np.testing.assert_array_equal(network.logits(pictures), _logits(result, pictures))
