"""Networks that others trained: what is found out of them, and that int8 gives what they gave."""

import numpy as np
import pytest
from toy_data import class_files, toy_dataset, write_csv, write_folder

from edge_fer.card import InputSpec, unpack
from edge_fer.classifier import Classifier
from edge_fer.errors import DataError, InputError, ModelError
from edge_fer.labels import FER_LABELS

pytestmark = pytest.mark.train
keras = pytest.importorskip("keras")

SIDE = 24


def _separable(channels=1, side=SIDE, padding="valid"):
    """A small network of the kind of mini-Xception, with a softmax."""
    layers = keras.layers
    inputs = keras.Input((side, side, channels))
    x = layers.Conv2D(8, 3, strides=2, padding=padding, use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(x))
    y = layers.SeparableConv2D(16, 3, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization(momentum=0.8, name="middle")(y)
    y = layers.ReLU(name="middle_relu")(y)
    y = layers.SeparableConv2D(16, 3, padding="same", use_bias=False)(y)
    y = layers.MaxPooling2D(2, padding="same")(layers.BatchNormalization(momentum=0.8)(y))
    x = layers.BatchNormalization(momentum=0.8)(layers.Conv2D(16, 1, strides=2, padding="same")(x))
    x = layers.Conv2D(7, 3, padding="same")(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Activation("softmax")(x))


@pytest.fixture(scope="module")
def foreign(toy, tmp_path_factory):
    """Such a network, trained on pixels from -1 to 1, as an .h5 file."""
    keras.utils.set_random_seed(1)
    model = _separable()
    training = toy.split("training")
    pixels = training.prepared(InputSpec(SIDE, SIDE)) / 127.5 - 1
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(pixels, training.labels, batch_size=16, epochs=25, verbose=0)
    path = tmp_path_factory.mktemp("foreign") / "foreign.h5"
    model.save(path)
    return path, model


def _wanted(model, data, step=lambda p: p / 127.5 - 1):
    pixels = data.prepared(InputSpec(SIDE, SIDE)).astype(np.float32)
    return np.asarray(model.predict(step(pixels), verbose=0))


def _convert(path, toy, out, **options):
    from edge_fer.convert.convert import convert
    from edge_fer.convert.source import Given

    given = Given(**options.pop("given", {}))
    said = []
    (result,) = convert(
        path, toy, {"int8": out}, given=given, calibration=50, on_step=said.append, **options
    )
    return result, "\n".join(said)


def test_a_network_of_others_comes_onto_the_device(foreign, toy, tmp_path):
    path, model = foreign
    result, said = _convert(path, toy, tmp_path / "out.tflite", max_drop=5)
    assert "normalization -1..1" in said
    assert f"classes are {', '.join(FER_LABELS)}" in said
    private = toy.split("private")
    wanted = _wanted(model, private).argmax(1)
    assert (wanted == private.labels).mean() > 0.6
    classifier = Classifier(result.path)
    got = classifier.logits(private.prepared(classifier.card.input)).argmax(1)
    assert (got == wanted).mean() > 0.9


def test_what_is_told_is_not_tried(foreign, toy, tmp_path):
    path, _ = foreign
    labels = tuple(reversed(FER_LABELS))
    given = {"normalization": "0..1", "labels": labels}
    result, said = _convert(path, toy, tmp_path / "out.tflite", max_drop=100, given=given)
    assert "named rightly" not in said
    assert "normalization 0..1" in said
    assert result.card.labels == labels


def test_equalized_network_is_the_same_in_float_and_says_so(foreign, toy, tmp_path):
    path, _ = foreign
    result, said = _convert(path, toy, tmp_path / "out.tflite", max_drop=5, equalize=True)
    assert "channels brought level" in said
    assert unpack(result.path)[1].quantization["equalized"] is True


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("name", "color"), [("-1..1", "gray"), ("imagenet", "bgr")])
def test_normalization_inside_is_normalization_before(padding, name, color):
    from edge_fer.convert.normalize import normalization
    from edge_fer.convert.rewrite import folded, normalized

    channels = 1 if color == "gray" else 3
    model = _randomized(_separable(channels, padding=padding))
    step = normalization(name, color)
    pixels = np.random.default_rng(1).integers(0, 256, (4, SIDE, SIDE, channels))
    ready = (pixels * step.scale + step.offset).astype(np.float32)
    wanted = model.predict(ready, verbose=0)
    inside = normalized(model, step)
    for made in (inside, folded(inside)):
        got = made.predict(pixels.astype(np.float32), verbose=0)
        np.testing.assert_allclose(got, wanted, atol=1e-4)
    own = any(layer.name == "normalization" for layer in inside.layers)
    assert own == (padding == "same")
    kinds = {type(layer) for layer in folded(inside).layers}
    assert not kinds & {keras.layers.BatchNormalization, keras.layers.SeparableConv2D}


def test_imagenet_is_what_it_is_elsewhere():
    from edge_fer.convert.normalize import normalization

    pixels = np.random.default_rng(0).uniform(0, 255, (1, 2, 2, 3))
    step = normalization("imagenet", "rgb")
    wanted = keras.applications.imagenet_utils.preprocess_input(pixels.copy(), mode="torch")
    np.testing.assert_allclose(pixels * step.scale + step.offset, wanted, atol=1e-5)
    with pytest.raises(InputError, match="color"):
        normalization("imagenet", "gray")


def _randomized(model):
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.1, 1, w.shape) for w in model.get_weights()])
    return model


def test_equalization_brings_channels_level_and_changes_nothing(toy):
    from edge_fer.convert.equalize import equalized

    model = _randomized(_separable())
    gain = np.asarray(model.get_layer("middle").gamma).copy()
    gain[0] *= 30
    model.get_layer("middle").gamma.assign(gain)
    pictures = toy.take(np.arange(20)).prepared(InputSpec(SIDE, SIDE))
    even = equalized(model, pictures)
    pixels = pictures.astype(np.float32)
    np.testing.assert_allclose(
        even.predict(pixels, verbose=0), model.predict(pixels, verbose=0), atol=1e-4
    )

    def reach(network):
        output = network.get_layer("middle_relu").output
        seen = keras.Model(network.inputs, output).predict(pixels, verbose=0).max((0, 1, 2))
        return seen.max() / np.median(seen)

    assert reach(even) < reach(model) / 3


def test_a_network_that_takes_any_size_is_given_one(toy, tmp_path):
    inputs = keras.Input((None, None, 1))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(7, 3)(inputs))
    keras.Model(inputs, x).save(tmp_path / "any.keras")
    given = {"size": (16, 20), "normalization": "0..1"}
    result, _ = _convert(
        tmp_path / "any.keras", toy, tmp_path / "a.tflite", max_drop=100, given=given
    )
    assert result.card.input == InputSpec(16, 20)
    given["size"] = (24, 25)
    model = _separable()
    model.save(tmp_path / "fixed.keras")
    with pytest.raises(ModelError, match=r"\(24, 24\) rows and columns, not \(24, 25\)"):
        _convert(tmp_path / "fixed.keras", toy, tmp_path / "b.tflite", given=given)


def test_a_model_of_fewer_classes_is_judged_by_what_it_knows(toy, tmp_path):
    labels = ("happy", "angry", "sad")
    inputs = keras.Input((SIDE, SIDE, 1))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 3)(inputs))
    keras.Model(inputs, x).save(tmp_path / "three.keras")
    given = {"labels": labels, "normalization": "0..1"}
    result, _ = _convert(
        tmp_path / "three.keras", toy, tmp_path / "a.tflite", max_drop=100, given=given
    )
    assert result.card.labels == labels
    assert result.public.n == 24
    given["labels"] = ("left", "right", "up")
    with pytest.raises(DataError, match="no picture of left"):
        _convert(tmp_path / "three.keras", toy, tmp_path / "b.tflite", given=given)


def test_command_takes_a_description_and_weights(cli, foreign, toy, tmp_path):
    _, model = foreign
    (tmp_path / "m.json").write_text(model.to_json())
    model.save_weights(tmp_path / "m.weights.h5")
    data = write_csv(tmp_path / "toy.csv", toy_dataset())
    both = ("--architecture", tmp_path / "m.json", "--weights", tmp_path / "m.weights.h5")
    options = ("--data", data, "--normalization", "-1..1", "--max-drop", "10")
    done = cli("convert", *both, *options, "--out", tmp_path / "out.tflite")
    assert done.returncode == 0, done.stderr
    assert unpack(tmp_path / "out.tflite")[1].labels == FER_LABELS
    for wrong in (both[:2], both[2:], (tmp_path / "m.json", *both)):
        done = cli("convert", *wrong, *options)
        assert done.returncode == 2
        assert "--architecture" in done.stderr


# TFLite files


def _tflite(model, toy, kind):
    """The network as others convert it, with its softmax and for normalized pixels."""
    import tensorflow as tf

    pixels = (toy.split("training").prepared(InputSpec(SIDE, SIDE)) / 127.5 - 1).astype(np.float32)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind in ("int8", "uint8", "float ends"):
        converter.representative_dataset = lambda: ([p[None]] for p in pixels)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    if kind in ("int8", "uint8"):
        ends = getattr(tf, kind)
        converter.inference_input_type = converter.inference_output_type = ends
    return bytes(converter.convert())


@pytest.mark.parametrize("kind", ["float32", "dynamic", "int8", "uint8", "float ends"])
def test_a_tflite_file_of_others_gives_what_it_gave(foreign, toy, tmp_path, kind):
    from edge_fer.convert.foreign import import_model

    _, model = foreign
    path = tmp_path / "other.tflite"
    path.write_bytes(_tflite(model, toy, kind))
    said = []
    card, trial = import_model(
        path, tmp_path / "own.tflite", FER_LABELS, data=toy, on_step=said.append
    )
    public = toy.split("public")
    wanted = np.log(_wanted(model, public))
    classifier = Classifier(tmp_path / "own.tflite")
    got = classifier.logits(public.prepared(card.input))
    # Both up to a constant, which a softmax does not see.
    differences = (got - got.mean(1, keepdims=True)) - (wanted - wanted.mean(1, keepdims=True))
    assert np.sqrt((differences**2).mean()) < 0.1 * wanted.std()
    integer = kind in ("int8", "uint8", "float ends")
    assert (card.quantization["precision"] == "int8") == integer
    assert "normalization -1..1" in "\n".join(said)
    accuracy = (got.argmax(1) == public.labels).mean()
    assert card.metrics["fer2013"]["public"]["accuracy"] == pytest.approx(accuracy, abs=1e-5)
    assert trial is not None
    assert card.temperature == trial.temperature


def test_import_without_data_needs_to_be_told(foreign, toy, tmp_path):
    from edge_fer.convert.foreign import import_model

    path, out = tmp_path / "other.tflite", tmp_path / "own.tflite"
    path.write_bytes(_tflite(foreign[1], toy, "float32"))
    with pytest.raises(InputError, match="--normalization"):
        import_model(path, out, FER_LABELS)
    with pytest.raises(ModelError, match="7 numbers, and 2 labels"):
        import_model(path, out, ("yes", "no"), step="-1..1")
    assert not out.exists()
    card, trial = import_model(path, out, FER_LABELS, step="-1..1")
    assert trial is None
    assert Classifier(out).card == card


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_import_without_data_takes_a_step_of_the_input_for_a_pixels(foreign, toy, tmp_path, kind):
    from edge_fer.convert.foreign import import_model
    from edge_fer.interpreter import open_interpreter

    path, out = tmp_path / "other.tflite", tmp_path / "own.tflite"
    path.write_bytes(_tflite(foreign[1], toy, kind))
    card, _ = import_model(path, out, FER_LABELS)
    pictures = toy.split("public").prepared(card.input)[:10]
    got = Classifier(out).logits(pictures).argmax(1)
    opened = open_interpreter(path.read_bytes(), "other")
    source, result = opened.get_input_details()[0], opened.get_output_details()[0]
    for picture, answer in zip(pictures, got, strict=True):
        steps = picture if kind == "uint8" else (picture.astype(int) - 128).astype(np.int8)
        opened.set_tensor(source["index"], steps[None])
        opened.invoke()
        row = opened.get_tensor(result["index"])[0]
        assert row[answer] == row.max()


def test_import_refuses_what_is_no_classifier(cli, tmp_path):
    from edge_fer.models import BLAZEFACE

    (tmp_path / "text.tflite").write_text("no model at all")
    for path in (BLAZEFACE, tmp_path / "text.tflite", tmp_path / "missing.tflite"):
        done = cli("import", path, "--labels", "a,b", "--normalization", "0..1")
        assert done.returncode == 2
        assert str(path) in done.stderr
        assert "Traceback" not in done.stderr


# Classes of one's own


def test_own_classes_go_all_the_way_to_the_device(cli, toy, tmp_path, picture_file):
    files = {
        name.replace("angry/", "left/").replace("sad/", "right/"): content
        for name, content in class_files(toy).items()
        if name.startswith(("angry", "sad"))
    }
    data = write_folder(tmp_path / "mine", files)
    recipe = tmp_path / "tiny.toml"
    from toy_data import TINY_TOML

    recipe.write_text(TINY_TOML)
    run = tmp_path / "run"
    done = cli("train", "--data", data, "--recipe", recipe, "--out", run, "--export-legacy")
    assert done.returncode == 0, done.stderr
    assert (run / "model.json").is_file()
    out = tmp_path / "own.tflite"
    options = ("--data", data, "--max-drop", "100", "--calibration", "20")
    done = cli("convert", run / "model.keras", *options, "--out", out)
    assert done.returncode == 0, done.stderr
    assert unpack(out)[1].labels == ("left", "right")
    assert cli("evaluate", out, "--data", data).returncode == 0
    done = cli("run", picture_file, "--model", out, "--no-show", "--jsonl", "-")
    assert '"left"' in done.stdout, done.stderr
