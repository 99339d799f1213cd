"""From an int8 file back to a float network, and on from there."""

import dataclasses

import numpy as np
import pytest
from toy_data import class_files, reference_run, tiny_recipe, toy_dataset, write_folder

from edge_fer.card import InputSpec, pack, unpack
from edge_fer.errors import ModelError
from edge_fer.network import Network

pytestmark = pytest.mark.train
keras = pytest.importorskip("keras")

SPEC = InputSpec(24, 24)


@pytest.fixture(scope="module")
def shipped(toy, tmp_path_factory):
    """A small model as one is shipped: int8, with its card."""
    from edge_fer.convert.convert import convert

    path = tmp_path_factory.mktemp("shipped") / "shipped.tflite"
    model = reference_run(tmp_path_factory.getbasetemp()) / "model.keras"
    convert(model, toy, {"int8": path}, max_drop=10, calibration=50)
    return path


def test_rebuilt_network_gives_what_the_file_gives(shipped, toy):
    from edge_fer.train.from_tflite import rebuilt

    training, public = (toy.split(name).prepared(SPEC) for name in ("training", "public"))
    model = rebuilt(shipped, training)
    wanted = Network(unpack(shipped)[0], "int8").logits(public)
    got = model.predict(public.astype(np.float32), verbose=0)
    assert np.sqrt(((got - wanted) ** 2).mean()) < 0.1 * wanted.std()
    assert (got.argmax(1) == wanted.argmax(1)).mean() > 0.95


def test_rebuilt_batch_norms_know_the_pictures(shipped, toy):
    """In training they use a batch's own statistics: those must be about the ones they hold."""
    from edge_fer.train.from_tflite import rebuilt

    pixels = toy.split("training").prepared(SPEC)
    model = rebuilt(shipped, pixels)
    for name in ("stem", "stage1_block1_conv2"):
        norm, output = model.get_layer(f"{name}_norm"), model.get_layer(name).output
        seen = keras.Model(model.inputs, output).predict(pixels.astype(np.float32), verbose=0)
        np.testing.assert_allclose(norm.moving_mean, seen.mean((0, 1, 2)), rtol=0.01, atol=0.01)
        np.testing.assert_allclose(norm.moving_variance, seen.var((0, 1, 2)), rtol=0.01, atol=0.01)


def test_a_file_without_a_recipe_cannot_be_rebuilt(shipped, toy, tmp_path):
    from edge_fer.train.from_tflite import rebuilt

    flatbuffer, card = unpack(shipped)
    for recipe, message in (
        ({}, "no recipe"),
        ({"of": "tomorrow"}, "another version"),
        (tiny_recipe(network={"name": "vgg"}).to_dict(), "another network"),
    ):
        path = tmp_path / "other.tflite"
        pack(flatbuffer, dataclasses.replace(card, recipe=recipe), path)
        with pytest.raises(ModelError, match=message):
            rebuilt(path, toy.prepared(SPEC)[:8])


def test_logits_alone_learn_and_the_trunk_stays(shipped, toy, tmp_path):
    from edge_fer.train.batches import Batches
    from edge_fer.train.finetune import fit_logits
    from edge_fer.train.from_tflite import rebuilt
    from edge_fer.train.heads import heads_of

    training = toy.split("training")
    model = rebuilt(shipped, training.prepared(SPEC))
    *trunk, kernel, bias = model.get_weights()
    model.set_weights([*trunk, np.zeros_like(kernel), bias])
    recipe = tiny_recipe()
    heads = heads_of(recipe, toy)
    fit_logits(model, Batches(training, recipe, heads), heads, 30)
    for before, after in zip(trunk, model.get_weights(), strict=False):
        np.testing.assert_array_equal(before, after)
    public = toy.split("public")
    logits = model.predict(public.prepared(SPEC).astype(np.float32), verbose=0)
    assert (logits.argmax(1) == public.labels).mean() > 0.5


def test_command_trains_on_from_a_tflite_file(cli, shipped, tmp_path):
    from edge_fer.train.keras_file import load_model

    data = write_folder(tmp_path / "mine", class_files(toy_dataset(training=8, public=2)))
    out = tmp_path / "run"
    options = ("--data", data, "--from", shipped, "--out", out, "--epochs", "1")
    done = cli("train", *options, "--labels", "happy,angry,sad")
    assert done.returncode == 0, done.stderr
    model, facts = load_model(out / "model.keras")
    assert facts["labels"] == ["happy", "angry", "sad"]
    assert facts["recipe"]["name"] == "finetune"
    assert facts["recipe"]["network"] == unpack(shipped)[1].recipe["network"]
    assert model.output_shape == (None, 3)
    done = cli("train", "--data", data, "--from", "no-such-model", "--out", tmp_path / "other")
    assert done.returncode == 2
    assert "no-such-model" in done.stderr


def test_own_classes_are_the_names_of_the_folders(toy, tmp_path):
    from edge_fer.errors import DataError
    from edge_fer.train.readers import load

    files = class_files(toy)
    own = {
        name.replace("happy", "awake").replace("sad", "asleep"): content
        for name, content in files.items()
        if name.startswith(("happy", "sad"))
    }
    data = load(write_folder(tmp_path / "own", own))
    assert data.names == ("asleep", "awake")
    assert len(data) == len(own)
    assert load(tmp_path / "own", names=("awake", "asleep")).names == ("awake", "asleep")
    with pytest.raises(DataError, match="after a class"):
        load(tmp_path / "own", names=("awake", "drunk"))
    some = load(write_folder(tmp_path / "all", files), names=("sad", "happy"))
    assert some.names == ("sad", "happy")
    assert len(some) == len(own)
